import { InstallationService, RetryPolicy } from "@effect-pleo/core"
import { NodeInstallationService } from "@effect-pleo/node"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"

const work = Effect.zipRight(Console.log("working"), Effect.never)

const goodbye = InstallationService.update({ status: "INACTIVE" }).pipe(
  RetryPolicy.retry({ deadline: "5 seconds" }),
  Effect.ignoreLogged
)

const fiber = work.pipe(
  Effect.onInterrupt(() => goodbye),
  Effect.provide(NodeInstallationService.layerConfig()),
  Effect.runFork
)

for (const [signal, code] of [
  ["SIGTERM", 143] as const,
  ["SIGINT", 130] as const
])
  process.once(signal, () => {
    // When the layer is closed: its updates have ended, and new tokens are
    // in the store.
    fiber.addObserver(() => process.exit(code))
    fiber.unsafeInterruptAsFork(fiber.id())
  })
