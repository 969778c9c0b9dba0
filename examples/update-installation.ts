// Updates an installation and shows what went over the wire.
//
//   pnpm start                                               the contract's own example
//   pnpm start '{"status":"ERROR","errorCode":"AUTH_ERROR"}' this request
//
// With nothing configured it starts the sandbox and updates an installation
// there. With PLEO_ACCESS_TOKEN or PLEO_API_KEY set (and PLEO_SERVER,
// unless it is production) it updates the installation of that credential.
import {
  InstallationClient,
  InstallationService,
  RetryPolicy,
  type UpdateInstallation
} from "@effect-pleo/core"
import * as Sandbox from "@effect-pleo/testing/Sandbox"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { describe } from "./support/describe.ts"
import { sandboxed } from "./support/sandboxed.ts"
import { wire } from "./support/wire.ts"

const example: UpdateInstallation.UpdateInstallation = {
  status: "ACTIVATED",
  errorCode: "NOT_ENTITLED",
  metadata: { externalApplicationId: "123456789" }
}

const request = Effect.try({
  try: (): UpdateInstallation.UpdateInstallation =>
    process.argv[2] === undefined ? example : JSON.parse(process.argv[2]),
  catch: () => new Error("The argument is not JSON.")
})

const program = Effect.gen(function* () {
  const installation = yield* InstallationService.update(
    yield* request
  ).pipe(RetryPolicy.retry())
  yield* Console.log(`\n${describe(installation)}`)
})

const announceSandbox = Effect.flatMap(Sandbox.Sandbox, ({ url }) =>
  Console.log(
    `No credential is configured: this updates an installation of the sandbox at ${url}\n`
  )
)

const isConfigured = Effect.gen(function* () {
  const names = ["PLEO_ACCESS_TOKEN", "PLEO_API_KEY", "PLEO_SERVER"]
  // An empty variable is unset, as it is to the library.
  const values = yield* Effect.forEach(names, (name) =>
    Config.option(Config.nonEmptyString(name))
  )
  return values.some(Option.isSome)
})

const main = Effect.if(isConfigured, {
  onTrue: () =>
    Effect.provide(
      program,
      Layer.provide(InstallationClient.layerConfig(), wire)
    ),
  onFalse: () =>
    Effect.provide(Effect.zipRight(announceSandbox, program), sandboxed)
}).pipe(
  Effect.as(0),
  Effect.catchAll((error) =>
    Effect.as(
      Console.error(error instanceof Error ? error.message : String(error)),
      1
    )
  )
)

process.exitCode = await Effect.runPromise(main)
