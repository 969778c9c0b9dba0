import { InstallationService, RetryPolicy } from "@effect-pleo/core"

// While a person looks at a page: a response within 5 seconds, or none.
export const inTheForeground = InstallationService.update({
  status: "ACTIVATED"
}).pipe(
  RetryPolicy.retry({
    attempts: 2,
    attemptTimeout: "2 seconds",
    deadline: "5 seconds"
  })
)

// Of a nightly job, which has time.
export const inTheBackground = InstallationService.update({
  status: "ACTIVATED"
}).pipe(
  RetryPolicy.retry({
    attempts: 6,
    baseDelay: "2 seconds",
    maxDelay: "1 minute",
    deadline: "5 minutes"
  })
)
