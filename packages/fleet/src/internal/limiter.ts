// The rate limit that all runners of a fleet share: each reserves places in the store, a tenth of a second's at a time.
import * as Effect from "effect/Effect"
import type { FleetError } from "./error.ts"
import type { Store } from "./store.ts"

/** The most places of one reservation. */
const most = 1000

export interface Limiter {
  /** Takes a place. Returns how to wait for it, unless there is one now. */
  readonly take: () => Effect.Effect<void, FleetError> | undefined
  /** After a response of 429. */
  readonly slowDown: (millis: number) => Effect.Effect<void, FleetError>
}

/** `limit` is updates a second. */
export const make = (store: Store, limit: number | undefined): Effect.Effect<Limiter> =>
  Effect.zipWith(Effect.makeSemaphore(1), Effect.clock, (mutex, clock) => {
    let left = 0
    let next = 0
    let rate = limit ?? Number.POSITIVE_INFINITY
    let size = 1
    let reservedAt = 0
    const reserve = Effect.gen(function* () {
      // Another fiber may have reserved meanwhile.
      if (left > 0) return
      // Those of a tenth of a second, at the pace of the last ones.
      const elapsed = clock.unsafeCurrentTimeMillis() - reservedAt
      size = Math.max(1, Math.min(most, Math.floor(Math.min(rate / 10, (size * 100) / elapsed))))
      const reserved = yield* store.reserve(size, limit ?? 1e9)
      rate = reserved.rate
      reservedAt = clock.unsafeCurrentTimeMillis()
      next = reservedAt + reserved.wait
      left = size
    }).pipe(mutex.withPermits(1))
    const take = (): Effect.Effect<void, FleetError> | undefined => {
      if (left <= 0) return Effect.flatMap(reserve, () => take() ?? Effect.void)
      left -= 1
      const place = next
      next += 1000 / rate
      const wait = place - clock.unsafeCurrentTimeMillis()
      // Timers are no more exact than that.
      return wait > 1 ? Effect.sleep(wait) : undefined
    }
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
