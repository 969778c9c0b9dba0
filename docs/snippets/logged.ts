import {
  type Installation,
  InstallationService,
  RetryPolicy
} from "@effect-pleo/core"
import * as Effect from "effect/Effect"

export const update = (request: Installation.UpdateInstallation) =>
  InstallationService.update(request).pipe(
    RetryPolicy.retry(),
    Effect.tapError((error) =>
      Effect.logError(error.message).pipe(
        Effect.annotateLogs("failure", JSON.stringify(error))
      )
    )
  )
