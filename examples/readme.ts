import { InstallationService, RetryPolicy } from "@effect-pleo/core"
import { NodeInstallationService } from "@effect-pleo/node"
import * as Effect from "effect/Effect"

const program = InstallationService.update({
  status: "ACTIVATED",
  metadata: { externalApplicationId: "123456789" }
}).pipe(
  RetryPolicy.retry(), // up to 3 attempts, within 30 seconds
  Effect.flatMap((installation) =>
    Effect.log(`${installation.id} is ${installation.status}`)
  ),
  Effect.withSpan("report"), // named with this line in a failure
  // Reads PLEO_ACCESS_TOKEN or PLEO_API_KEY, and PLEO_SERVER.
  Effect.provide(NodeInstallationService.layerConfig())
)

await Effect.runPromise(program).catch((failure) => {
  console.error(String(failure)) // its message, and where it was
  process.exitCode = 1
})
