import * as Effect from "effect/Effect"

/** The entries received, oldest first. */
export class Record<Entry> {
  readonly #entries: Array<Entry> = []
  readonly #waiting = new Set<{ readonly count: number; readonly resume: () => void }>()

  readonly all: Effect.Effect<ReadonlyArray<Entry>> = Effect.sync(() => [...this.#entries])

  /** Adds an entry, and returns what completes it later. */
  add(entry: Entry): (news: Partial<Entry>) => void {
    const index = this.#entries.push(entry) - 1
    for (const waiter of this.#waiting) if (waiter.count <= this.#entries.length) waiter.resume()
    return (news) => {
      this.#entries[index] = { ...entry, ...this.#entries[index], ...news }
    }
  }

  /** Waits until there are so many. */
  await(count: number): Effect.Effect<ReadonlyArray<Entry>> {
    return Effect.async((resume) => {
      const waiter = {
        count,
        resume: () => {
          this.#waiting.delete(waiter)
          resume(this.all)
        }
      }
      this.#waiting.add(waiter)
      if (count <= this.#entries.length) waiter.resume()
      return Effect.sync(() => this.#waiting.delete(waiter))
    })
  }
}
