import {
  InstallationError,
  InstallationService,
  RetryPolicy,
  UpdateInstallation
} from "@effect-pleo/core"
import * as Effect from "effect/Effect"

export const explained = InstallationService.update(
  UpdateInstallation.activated()
).pipe(
  RetryPolicy.retry(),
  Effect.tapError((error) =>
    Effect.logError(InstallationError.explain(error))
  )
)
