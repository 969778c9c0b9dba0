import * as Effect from "effect/Effect"

/** The entries received, oldest first. */
export class Record<Entry> {
  readonly #entries: Array<Entry> = []
  readonly #changed: () => void
  readonly #waiting = new Set<() => void>()

  constructor(changed: () => void) {
    this.#changed = changed
  }

  /** The last ones, each a new object once it was completed. */
  last(count: number): { readonly offset: number; readonly entries: ReadonlyArray<Entry> } {
    const offset = Math.max(0, this.#entries.length - count)
    return { offset, entries: this.#entries.slice(offset) }
  }

  readonly all: Effect.Effect<ReadonlyArray<Entry>> = Effect.sync(() => [...this.#entries])

  /** Adds an entry, and returns what completes it later. */
  add(entry: Entry): (news: Partial<Entry>) => void {
    const index = this.#entries.push(entry) - 1
    for (const check of this.#waiting) check()
    this.#changed()
    return (news) => {
      this.#entries[index] = { ...entry, ...this.#entries[index], ...news }
      this.#changed()
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
