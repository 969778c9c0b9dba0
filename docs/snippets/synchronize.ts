import {
  type InstallationService,
  Synchronization
} from "@effect-pleo/core"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import * as Option from "effect/Option"

export class LedgerError extends Data.TaggedError("LedgerError")<{
  readonly isLoginRejected: boolean
}> {}

/**
 * Reports the work as a synchronization. A rejected login has an error code,
 * since the customer has to correct it.
 */
export const synchronize = <A, R>(
  work: Effect.Effect<A, LedgerError, R>
): Effect.Effect<
  A,
  LedgerError,
  InstallationService.InstallationService | R
> =>
  work.pipe(
    Synchronization.report({
      pendingAfter: "2 seconds",
      onFailure: (cause) =>
        Option.exists(
          Cause.failureOption(cause),
          ({ isLoginRejected }) => isLoginRejected
        )
          ? "AUTH_ERROR"
          : "previous"
    })
  )
