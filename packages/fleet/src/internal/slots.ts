import * as Effect from "effect/Effect"

/**
 * A semaphore that hands a free slot to the first that waits. `Effect.Semaphore` wakes all of them each time, which took
 * most of the time of a fleet.
 */
export class Slots {
  #free: number
  readonly #waiting = new Set<() => void>()

  constructor(count: number) {
    this.#free = count
  }

  readonly take: Effect.Effect<void> = Effect.suspend(() => {
    if (this.#free > 0) {
      this.#free -= 1
      return Effect.void
    }
    return Effect.async<void>((resume) => {
      const proceed = () => resume(Effect.void)
      this.#waiting.add(proceed)
      return Effect.sync(() => {
        if (!this.#waiting.delete(proceed)) this.#release()
      })
    })
  })

  readonly release: Effect.Effect<void> = Effect.sync(() => this.#release())

  #release(): void {
    const [first] = this.#waiting
    if (first === undefined) this.#free += 1
    else {
      this.#waiting.delete(first)
      first()
    }
  }
}
