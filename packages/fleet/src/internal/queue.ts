import * as Effect from "effect/Effect"

/** Loaded rows of one partition, of which the last one is sent first. */
export interface Page<A> {
  rows: Array<A>
  /** Called when the last row was taken. */
  readonly onEmpty: () => void
}

/** Loaded rows, which fibers take from one page after another. Neither a row nor a page has a fiber that waits for it. */
export class Queue<A, P extends Page<A>> {
  readonly #pages: Array<P> = []
  readonly #waiting: Array<() => void> = []
  #isStopped = false

  /** Whether there is no row to take. */
  get isEmpty(): boolean {
    return this.#isStopped || this.#pages.length === 0
  }

  /** Adds a page with rows that is not in the queue. */
  add(page: P): void {
    this.#pages.push(page)
    for (let count = page.rows.length; count > 0; count--) this.#waiting.pop()?.()
  }

  /** Takes a row of the page whose turn it is. */
  take(): readonly [page: P, row: A] | undefined {
    const page = this.isEmpty ? undefined : this.#pages.shift()
    const row = page?.rows.pop()
    if (page === undefined || row === undefined) return undefined
    if (page.rows.length > 0) this.#pages.push(page)
    else page.onEmpty()
    return [page, row]
  }

  /** Removes the rows of a page that nobody took. */
  remove(page: P): void {
    page.rows = []
    const index = this.#pages.indexOf(page)
    if (index >= 0) this.#pages.splice(index, 1)
  }

  /** Gives out no row any more. */
  stop(): void {
    this.#isStopped = true
  }

  /** Waits for a row, which another fiber may take first. */
  readonly wait: Effect.Effect<void> = Effect.async((resume) => {
    if (!this.isEmpty) return resume(Effect.void)
    this.#waiting.push(() => resume(Effect.void))
  })
}
