import * as Effect from "effect/Effect"

/** Lets so many through at once, first come, first served. Effect's semaphore wakes all that wait, each time. */
export class Slots {
  readonly #waiting = new Set<() => void>()
  #free: number

  constructor(permits: number) {
    this.#free = permits
  }

  readonly #enter = Effect.async<void>((resume) => {
    if (this.#free > 0) {
      this.#free -= 1
      return resume(Effect.void)
    }
    const pass = () => resume(Effect.void)
    this.#waiting.add(pass)
    // Who was let through and is interrupted before it goes on hands its place on.
    return Effect.suspend(() => (this.#waiting.delete(pass) ? Effect.void : this.#leave))
  })

  readonly #leave = Effect.sync(() => {
    for (const pass of this.#waiting) {
      this.#waiting.delete(pass)
      return pass()
    }
    this.#free += 1
  })

  run<A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.zipRight(restore(this.#enter), Effect.ensuring(restore(self), this.#leave))
    )
  }
}
