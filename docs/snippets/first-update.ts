import { InstallationService } from "@effect-pleo/core"
import { NodeInstallationService } from "@effect-pleo/node"
import * as Effect from "effect/Effect"

const program = Effect.gen(function* () {
  const installation = yield* InstallationService.update({
    status: "ACTIVATED"
  })
  yield* Effect.log(`${installation.resource} is ${installation.status}`)
}).pipe(Effect.withSpan("first update"))

await program
  .pipe(
    Effect.provide(NodeInstallationService.layerConfig()),
    Effect.runPromise
  )
  .catch((failure) => {
    console.error(String(failure))
    process.exitCode = 1
  })
