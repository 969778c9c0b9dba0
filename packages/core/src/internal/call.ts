import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import type { RuntimeFiber } from "effect/Fiber"
import * as Option from "effect/Option"
import type { Credentials } from "../Credentials.ts"
import type { Infrastructure } from "../InstallationError.ts"
import { Chosen } from "./credentials.ts"
import { Current, type RetryRegion } from "./retryRegion.ts"
import { within } from "./timeout.ts"

/** What is set for a call by what is around it. */
export interface Given {
  /** The fiber of the call: its context, tracer and labels are those of the call. */
  readonly fiber: RuntimeFiber<unknown, unknown>
  readonly clock: Clock.Clock
  readonly credentials?: Credentials | undefined
  readonly region?: RetryRegion | undefined
  /** Milliseconds. */
  readonly timeout?: number | undefined
}

/**
 * An effect that takes what the combinators of this library set for it as arguments. Otherwise they would set
 * the context of the fiber and fork another one, which costs more than all the rest of an update.
 */
export class Call<A, E, R> extends Effectable.Class<A, E, R> {
  readonly run: (given: Given) => Effect.Effect<A, E | Infrastructure, R>

  constructor(run: (given: Given) => Effect.Effect<A, E | Infrastructure, R>) {
    super()
    this.run = run
  }

  override commit(): Effect.Effect<A, E, R> {
    const self = Effect.withFiberRuntime<A, E | Infrastructure, R>((fiber) =>
      this.run({
        fiber,
        clock: Context.get(fiber.currentDefaultServices, Clock.Clock)
      })
    )
    // Without a timeout, nothing fails for being late.
    return self as Effect.Effect<A, E, R>
  }
}

/** Runs an effect, a `Call` or not, with what is given. */
export const run = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  given: Given
): Effect.Effect<A, E | Infrastructure, R> => {
  if (self instanceof Call) return self.run(given)
  const { credentials, region, timeout } = given
  const withCredentials =
    credentials === undefined ? self : Effect.provideService(self, Chosen, Option.some(credentials))
  const withRegion =
    region === undefined
      ? withCredentials
      : Effect.provideService(withCredentials, Current, Option.some(region))
  return within(withRegion, timeout)
}
