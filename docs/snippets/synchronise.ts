import { type InstallationError, InstallationService, UpdateInstallation } from "@effect-pleo/core"
import * as Effect from "effect/Effect"

/** Runs a synchronisation and keeps its installation informed: first pending, then activated or in error. */
export const synchronise = <A, E, R>(
  work: Effect.Effect<A, E, R>
): Effect.Effect<A, E | InstallationError.InstallationError, InstallationService.InstallationService | R> =>
  InstallationService.update(UpdateInstallation.pendingIntegration()).pipe(
    Effect.zipRight(
      Effect.tapError(work, () => InstallationService.update(UpdateInstallation.error("AUTH_ERROR")))
    ),
    Effect.tap(InstallationService.update(UpdateInstallation.activated()))
  )
