// The rate limit that all runners of a fleet share: each reserves places in the store, a tenth of a second's at a time.
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { FleetError } from "./error.ts"
import type { Store } from "./store.ts"

/** The most places of one reservation. */
const most = 250

export interface Limiter {
  /** Waits for a place. */
  readonly take: Effect.Effect<void, FleetError>
  /** After a response of 429. */
  readonly slowDown: (millis: number) => Effect.Effect<void, FleetError>
}

/** `limit` is updates a second. */
export const make = (store: Store, limit: number | undefined): Effect.Effect<Limiter> =>
  Effect.map(Effect.makeSemaphore(1), (mutex) => {
    let left = 0
    let next = 0
    let spacing = 0
    let size = Math.min(most, Math.max(1, Math.floor((limit ?? most) / 10)))
    const reserve = Effect.gen(function* () {
      // Another fiber may have reserved meanwhile.
      if (left > 0) return
      const { rate, wait } = yield* store.reserve(size, limit ?? 1e9)
      next = (yield* Clock.currentTimeMillis) + wait
      spacing = 1000 / rate
      left = size
      size = Math.min(most, Math.max(1, Math.floor(rate / 10)))
    }).pipe(mutex.withPermits(1))
    const take: Effect.Effect<void, FleetError> = Effect.clockWith((clock) => {
      if (left <= 0) return Effect.zipRight(reserve, take)
      left -= 1
      const place = next
      next += spacing
      const wait = place - clock.unsafeCurrentTimeMillis()
      // Timers are no more exact than that.
      return wait > 1 ? Effect.sleep(wait) : Effect.void
    })
    return {
      take,
      slowDown: (millis) =>
        Effect.zipRight(
          Effect.sync(() => {
            left = 0
          }),
          store.slowDown(millis)
        )
    }
  })
