import {
  InstallationError,
  InstallationService,
  RetryPolicy
} from "@effect-pleo/core"
import * as Effect from "effect/Effect"

export const explained = InstallationService.update({
  status: "ACTIVATED"
}).pipe(
  RetryPolicy.retry(),
  Effect.tapError((error) =>
    Effect.logError(InstallationError.explain(error))
  )
)
