import * as Effect from "effect/Effect"

/** The entries received, oldest first. */
export class Record<Entry> {
  readonly #entries: Array<Entry> = []
  readonly #waiting = new Set<() => void>()

  readonly all: Effect.Effect<ReadonlyArray<Entry>> = Effect.sync(() => [...this.#entries])

  /** Adds an entry, and returns what completes it later. */
  add(entry: Entry): (news: Partial<Entry>) => void {
    const index = this.#entries.push(entry) - 1
    for (const check of this.#waiting) check()
    return (news) => {
      this.#entries[index] = { ...entry, ...this.#entries[index], ...news }
    }
  }

  /** Waits until there are so many of those that `isCounted`. */
  await(
    count: number,
    isCounted: (entry: Entry) => boolean = () => true
  ): Effect.Effect<ReadonlyArray<Entry>> {
    return Effect.async((resume) => {
      const check = () => {
        if (this.#entries.filter(isCounted).length < count) return
        this.#waiting.delete(check)
        resume(this.all)
      }
      this.#waiting.add(check)
      check()
      return Effect.sync(() => this.#waiting.delete(check))
    })
  }
}
