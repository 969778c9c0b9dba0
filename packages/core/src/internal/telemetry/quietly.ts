// A tracer, a meter or a logger that throws fails nothing: the update goes on, and no token is lost.
import * as Effect from "effect/Effect"

/** The result of `observe`, or `undefined` when it throws. */
export const quietly = <A>(observe: () => A): A | undefined => {
  try {
    return observe()
  } catch {
    return undefined
  }
}

/** Writes to a log, or does nothing when a logger throws. */
export const log = (self: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.catchAllDefect(self, () => Effect.void)
