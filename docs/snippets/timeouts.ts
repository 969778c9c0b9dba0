import { InstallationService, RetryPolicy } from "@effect-pleo/core"
import * as Effect from "effect/Effect"

const update = InstallationService.update({ status: "ACTIVATED" })

// One attempt: `Infrastructure` with the reason `Timeout` after 3 seconds.
export const oneAttempt = update.pipe(RetryPolicy.timeout("3 seconds"))

// Attempts and waits together: no later than 10 seconds.
export const inAll = update.pipe(
  RetryPolicy.retry({ attemptTimeout: "3 seconds", deadline: "10 seconds" })
)

// Effect's own, with an error of its own.
export const effects = update.pipe(
  RetryPolicy.retry(),
  Effect.timeout("10 seconds")
)
