// The sandbox fails twice, once by staying silent; the third attempt is
// accepted.
import { InstallationService, RetryPolicy } from "@effect-pleo/core"
import { Fault } from "@effect-pleo/testing"
import * as Sandbox from "@effect-pleo/testing/Sandbox"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { describe } from "./support/describe.ts"
import { sandboxed } from "./support/sandboxed.ts"

const program = Effect.gen(function* () {
  const sandbox = yield* Sandbox.Sandbox
  yield* sandbox.inject(Fault.status(503, { retryAfter: "1 second" }))
  yield* sandbox.inject(Fault.delay("1 minute"))

  yield* Console.log(
    "One update, at most three attempts of half a second each:\n"
  )
  const installation = yield* InstallationService.update({
    status: "ACTIVATED"
  }).pipe(
    RetryPolicy.retry({
      attemptTimeout: "500 millis",
      deadline: "10 seconds"
    })
  )
  yield* Console.log(`\n${describe(installation)}`)

  yield* sandbox.inject(Fault.status(500, { times: 2 }))
  yield* Console.log("\nThe same with Effect's own combinators:\n")
  yield* InstallationService.update({ status: "INACTIVE" }).pipe(
    Effect.timeout("5 seconds"),
    Effect.retry({ times: 2, while: RetryPolicy.isRetryable })
  )
})

await Effect.runPromise(Effect.provide(program, sandboxed))
