// One night of an accounting integration with three customers, in the
// sandbox: what each installation is told.
import * as Sandbox from "@effect-pleo/testing/Sandbox"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Accounting, AccountingError } from "./nightly/Accounting.ts"
import { connect, installations } from "./nightly/live.ts"
import * as Nightly from "./nightly/Nightly.ts"

const customers = ["acme", "borealis", "cirrus"]

const accounting = Layer.succeed(Accounting, {
  book: (customer) => {
    if (customer === "borealis")
      return Effect.fail(new AccountingError({ reason: "NotEntitled" }))
    if (customer === "cirrus")
      return Effect.fail(new AccountingError({ reason: "LoggedOut" }))
    return Effect.succeed(12)
  }
})

const program = Effect.gen(function* () {
  const sandbox = yield* Sandbox.Sandbox
  const names = new Map<string | undefined, string>()
  for (const customer of customers) {
    const grant = yield* sandbox.authorize()
    yield* connect(customer, grant)
    names.set(grant.id, customer)
  }

  const { night } = yield* Nightly.Nightly
  for (const outcome of yield* night)
    yield* Console.log(
      Nightly.Outcome.$match(outcome, {
        Synchronised: ({ customer, entries }) =>
          `${customer}: ${entries} entries were booked`,
        InError: ({ code, customer }) => `${customer}: has to act, ${code}`,
        Postponed: ({ customer, why }) =>
          `${customer}: tomorrow again. ${why}`
      })
    )

  yield* Console.log("\nWhat Pleo was told:")
  for (const { body, grant } of yield* sandbox.requests)
    yield* Console.log(
      `  ${(names.get(grant?.id) ?? "").padEnd(8)} ${body}`
    )
})

const live = Nightly.layer({ customers }).pipe(
  Layer.provideMerge(installations),
  Layer.provide(accounting)
)

await program.pipe(
  Effect.provide(Sandbox.layerTest(live, { clientId: "my-app" })),
  Effect.runPromise
)
