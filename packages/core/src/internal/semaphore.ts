import * as Effect from "effect/Effect"
import { bind } from "./asyncContext.ts"
import { LinkedList, type Node } from "./linkedList.ts"

/** A request for a permit that is still waiting. */
export type Waiter = Node<() => void>

/** A fair semaphore. Effect's own wakes all waiters each time. */
export class Semaphore {
  readonly #waiting = new LinkedList<() => void>()
  #free: number

  constructor(permits: number) {
    this.#free = permits
  }

  /**
   * Calls `begin` with a permit: now, or later in the same async context if it returns a waiter. `release` must follow
   * once.
   */
  acquire(begin: () => void): Waiter | undefined {
    if (this.#free === 0) return this.#waiting.append(bind<void>(begin))
    this.#free -= 1
    begin()
    return undefined
  }

  /** Cancels a request. `false` if it already has its permit. */
  cancel(waiter: Waiter): boolean {
    return this.#waiting.remove(waiter)
  }

  release(): void {
    const next = this.#waiting.first
    if (next === undefined) {
      this.#free += 1
    } else {
      this.#waiting.remove(next)
      next.value()
    }
  }
}

const acquired = (semaphore: Semaphore): Effect.Effect<void> =>
  Effect.async((resume) => {
    let isGranted = false
    const waiter = semaphore.acquire(() => {
      isGranted = true
      resume(Effect.void)
    })
    // A fiber interrupted after it gets the permit passes it on.
    return Effect.sync(() => {
      if (isGranted) semaphore.release()
      else if (waiter !== undefined) semaphore.cancel(waiter)
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
