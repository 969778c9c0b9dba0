import * as Effect from "effect/Effect"
import { bind } from "./asyncContext.ts"
import { LinkedList, type Node } from "./linkedList.ts"

/** A request for a permit that is still waiting. */
export type Waiter = Node<() => void>

/** A fair semaphore. Effect's own wakes all waiters each time. */
export class Semaphore {
  readonly #waiting = new LinkedList<() => void>()
  readonly #permits: number
  #held = 0

  constructor(permits: number) {
    this.#permits = permits
  }

  /** At least 1. Where it varies, a release follows when it grows. */
  get permits(): number {
    return this.#permits
  }

  get held(): number {
    return this.#held
  }

  /**
   * Calls `begin` with a permit: now, or later in the same async context if it returns a waiter. `release` must follow
   * once.
   */
  acquire(begin: () => void): Waiter | undefined {
    if (this.#held >= this.permits) return this.#waiting.append(bind<void>(begin))
    this.#held += 1
    begin()
    return undefined
  }

  /** Cancels a request. `false` if it already has its permit, although `begin` may still have to be called. */
  cancel(waiter: Waiter): boolean {
    return this.#waiting.remove(waiter)
  }

  release(): void {
    this.#held -= 1
    for (let next = this.#waiting.first; next !== undefined; next = this.#waiting.first) {
      if (this.#held >= this.permits) return
      this.#waiting.remove(next)
      this.#held += 1
      next.value()
    }
  }
}

const acquired = (semaphore: Semaphore): Effect.Effect<void> =>
  Effect.async((resume) => {
    let state: "waiting" | "granted" | "abandoned" = "waiting"
    const waiter = semaphore.acquire(() => {
      if (state === "abandoned") return semaphore.release()
      state = "granted"
      resume(Effect.void)
    })
    return Effect.sync(() => {
      // A fiber interrupted after it gets the permit passes it on.
      if (state === "granted") semaphore.release()
      else if (waiter !== undefined && !semaphore.cancel(waiter)) state = "abandoned"
    })
  })

/** Runs an effect with a permit. */
export const withPermit = <A, E, R>(
  semaphore: Semaphore,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.zipRight(
      restore(acquired(semaphore)),
      Effect.ensuring(
        restore(self),
        Effect.sync(() => semaphore.release())
      )
    )
  )
