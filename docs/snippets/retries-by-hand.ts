import { InstallationService, RetryPolicy } from "@effect-pleo/core"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"

const attempt = InstallationService.update({ status: "ACTIVATED" }).pipe(
  RetryPolicy.timeout("10 seconds")
)

// The waits of the policy, and a line for each of them.
export const withALog = Effect.retry(
  attempt,
  RetryPolicy.schedule({ attempts: 4 }).pipe(
    Schedule.tapOutput((retries) =>
      Effect.logInfo(`attempt ${retries} has failed`)
    )
  )
)

// Waits of your own.
export const everyMinute = Effect.retry(attempt, {
  schedule: Schedule.spaced("1 minute"),
  while: RetryPolicy.isRetryable
})
