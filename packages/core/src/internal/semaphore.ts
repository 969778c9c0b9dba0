import * as Effect from "effect/Effect"
import { LinkedList, type Node } from "./linkedList.ts"

/** A request for a permit that is still waiting. */
export type Waiter = Node<() => void>

/** A fair semaphore. Effect's own wakes all waiters each time. */
export class Semaphore {
  readonly #waiting = new LinkedList<() => void>()
  readonly #permits: number
  #held = 0
  #isGranting = false

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

  /** Calls `begin` with a permit: now, or later if it returns a waiter. `release` must follow once. */
  acquire(begin: () => void): Waiter | undefined {
    if (this.#held >= this.permits || this.#isGranting) return this.#waiting.append(begin)
    this.#held += 1
    begin()
    return undefined
  }

  /** Cancels a request. `false` if it already has its permit. */
  cancel(waiter: Waiter): boolean {
    return this.#waiting.remove(waiter)
  }

  // A holder that releases immediately does so inside this loop, which needs no stack for ten thousand in a row.
  release(): void {
    this.#held -= 1
    if (this.#isGranting) return
    this.#isGranting = true
    try {
      for (let next = this.#waiting.first; next !== undefined; next = this.#waiting.first) {
        if (this.#held >= this.permits) return
        this.#waiting.remove(next)
        this.#held += 1
        next.value()
      }
    } finally {
      this.#isGranting = false
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
