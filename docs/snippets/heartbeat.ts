import { InstallationService, RetryPolicy } from "@effect-pleo/core"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"

const beat = Effect.gen(function* () {
  const now = yield* DateTime.now
  const update = InstallationService.update({
    status: "ACTIVATED",
    metadata: { lastSeen: DateTime.formatIso(now) }
  })
  yield* RetryPolicy.retry()(update)
  // The next beat is the next attempt.
}).pipe(Effect.catchAll((error) => Effect.logWarning(error.message)))

/**
 * Never ends. Fork it with `Effect.forkScoped`, and it ends with the scope.
 */
export const heartbeat = Effect.repeat(
  beat,
  Schedule.jittered(Schedule.spaced("1 hour"))
)
