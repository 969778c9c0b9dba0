/** Lets so many through at once, first come, first served. */
export class Turnstile {
  readonly #waiting = new Set<() => void>()
  #free: number
  #isCalling = false

  constructor(permits: number) {
    this.#free = permits
  }

  /** Calls `pass`, now or when its turn has come. Then `leave` has to follow, once. */
  enter(pass: () => void): void {
    if (this.#free === 0 || this.#isCalling) {
      this.#waiting.add(pass)
    } else {
      this.#free -= 1
      pass()
    }
  }

  /** Whether `pass` was still waiting. If so, it is not called any more. */
  giveUp(pass: () => void): boolean {
    return this.#waiting.delete(pass)
  }

  leave(): void {
    this.#free += 1
    this.#callNext()
  }

  // Whoever leaves as soon as it is called does so inside of this loop: ten thousand in a row need no stack.
  #callNext(): void {
    if (this.#isCalling) return
    this.#isCalling = true
    try {
      for (const pass of this.#waiting) {
        if (this.#free === 0) break
        this.#free -= 1
        this.#waiting.delete(pass)
        pass()
      }
    } finally {
      this.#isCalling = false
    }
  }
}
