import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"

type Place = Deferred.Deferred<void>

/**
 * Lets so many effects run at once, first come, first served. Effect's semaphore wakes all that wait for each
 * permit, and whoever comes first takes it: with 800 waiting that takes seconds.
 */
export class Turnstile {
  readonly #waiting = new Set<Place>()
  #free: number

  constructor(permits: number) {
    this.#free = permits
  }

  withPermit<A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.acquireUseRelease(
      Effect.sync(() => this.#enter()),
      (place) => Effect.zipRight(Deferred.await(place), self),
      (place) => Effect.sync(() => this.#leave(place))
    )
  }

  #enter(): Place {
    const place = Deferred.unsafeMake<void>(FiberId.none)
    if (this.#free === 0) {
      this.#waiting.add(place)
    } else {
      this.#free -= 1
      Deferred.unsafeDone(place, Effect.void)
    }
    return place
  }

  #leave(place: Place): void {
    // It was interrupted while it waited, and had no permit to hand on.
    if (this.#waiting.delete(place)) return
    const [next] = this.#waiting
    if (next === undefined) {
      this.#free += 1
    } else {
      this.#waiting.delete(next)
      Deferred.unsafeDone(next, Effect.void)
    }
  }
}
