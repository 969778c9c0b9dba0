import * as Effect from "effect/Effect"
import { Infrastructure } from "../InstallationError.ts"

export const timedOut = () => new Infrastructure({ reason: "Timeout" })

/**
 * Fails with `Timeout` when an effect takes longer than so many milliseconds, without waiting for it to wind
 * up. `undefined` and infinity are no timeout.
 */
export const within = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  millis: number | undefined
): Effect.Effect<A, E | Infrastructure, R> =>
  millis === undefined || millis === Number.POSITIVE_INFINITY
    ? self
    : Effect.timeoutFail(Effect.disconnect(self), { duration: millis, onTimeout: timedOut })
