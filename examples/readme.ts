import { InstallationService, RetryPolicy } from "@effect-pleo/core"
import { NodeInstallationService } from "@effect-pleo/node"
import * as Effect from "effect/Effect"

const program = InstallationService.update({
  status: "ACTIVATED",
  metadata: { externalApplicationId: "123456789" }
}).pipe(
  RetryPolicy.retry(), // 3 attempts, full jitter, 10 s an attempt, 30 s in all, Retry-After honoured
  Effect.flatMap((installation) => Effect.log(`${installation.id} is ${installation.status}`)),
  Effect.withSpan("report"), // named with this line in a failure
  Effect.provide(NodeInstallationService.layerConfig()) // PLEO_ACCESS_TOKEN or PLEO_API_KEY, PLEO_SERVER
)

await Effect.runPromise(program).catch((failure) => {
  console.error(String(failure)) // its message, and where it was
  process.exitCode = 1
})
