import {
  type Installation,
  InstallationService,
  RetryPolicy
} from "@effect-pleo/core"
import * as Effect from "effect/Effect"

/** Where to go with what an update cannot settle by itself. */
export interface Desks {
  readonly developers: (message: string) => Effect.Effect<void>
  readonly customer: (message: string) => Effect.Effect<void>
  readonly later: (
    request: Installation.UpdateInstallation
  ) => Effect.Effect<void>
}

export const report = (
  request: Installation.UpdateInstallation,
  desks: Desks
) =>
  InstallationService.update(request).pipe(
    RetryPolicy.retry(),
    Effect.asVoid,
    Effect.catchTags({
      BadRequest: (error) => desks.developers(error.message),
      Unauthorized: (error) =>
        error.reason === "ReauthorizationRequired"
          ? desks.customer("Please connect to Pleo again.")
          : desks.developers(error.message),
      Infrastructure: (error) =>
        error.isRetryable
          ? desks.later(request)
          : desks.developers(`${error.message} ${error.requestId ?? ""}`)
    })
  )
