// Reports a synchronization and shows each request, or sends one update.
//
//   pnpm start                          a synchronization, in the sandbox
//   pnpm start --open                   and keeps the sandbox open
//   pnpm start '{"status":"INACTIVE"}'  this update
//
// With PLEO_ACCESS_TOKEN or PLEO_API_KEY set (and PLEO_SERVER, unless it is
// production) it updates the installation of that credential.
import { parseArgs } from "node:util"
import {
  type Installation,
  InstallationClient,
  InstallationService,
  RetryPolicy,
  Synchronization
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

const { positionals, values: options } = parseArgs({
  allowPositionals: true,
  options: { open: { type: "boolean", default: false } }
})
const [argument] = positionals

/** Stands for the work of an integration. */
const importTaxCodes = Console.log("  importing tax codes").pipe(
  Effect.zipRight(Effect.sleep("300 millis")),
  Effect.as(42)
)

const synchronize = Effect.gen(function* () {
  yield* InstallationService.create()
  yield* importTaxCodes.pipe(
    Synchronization.report({
      metadata: { success: (taxCodes) => ({ taxCodes }) }
    })
  )
  return yield* InstallationService.get()
})

const update = (json: string) =>
  Effect.try({
    try: (): Installation.UpdateInstallation => JSON.parse(json),
    catch: () => new Error("The argument is not JSON.")
  }).pipe(Effect.flatMap(InstallationService.update))

const show = <E>(
  self: Effect.Effect<
    Installation.Installation,
    E,
    InstallationService.InstallationService
  >
) =>
  Effect.flatMap(RetryPolicy.retry()(self), (installation) =>
    Console.log(`\n${describe(installation)}`)
  )

const inSandbox = Effect.gen(function* () {
  const { url } = yield* Sandbox.Sandbox
  yield* Console.log(
    `No credential is configured: this is the sandbox at ${url}\n`
  )
  yield* show(argument === undefined ? synchronize : update(argument))
  if (!options.open) return
  yield* Console.log(`\nOpen ${url} in a browser. Ctrl+C ends the sandbox.`)
  yield* Effect.never
})

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
      show(update(argument ?? '{"status":"ACTIVATED"}')),
      Layer.provide(InstallationClient.layerConfig(), wire)
    ),
  onFalse: () => Effect.provide(inSandbox, sandboxed)
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
