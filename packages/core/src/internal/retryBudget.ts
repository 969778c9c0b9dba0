/** Counts tenths: a retry costs 1, a first attempt earns a tenth, and at most 10 are saved. It starts full. */
class RetryBudget {
  #tenths = 100

  get isFull(): boolean {
    return this.#tenths === 100
  }

  get canAffordOne(): boolean {
    return this.#tenths >= 10
  }

  deposit(): void {
    this.#tenths = Math.min(100, this.#tenths + 1)
  }

  withdraw(): void {
    this.#tenths -= 10
  }
}

// More have no budget at once that is not full, since together they have that of the client.
const maxBudgets = 10_000

/**
 * What keeps retries from multiplying an outage. Each installation has a budget of its own, so that one which
 * fails for ever does not live on what others earn; and all have one together, since an outage is one of all.
 */
export class RetryBudgets {
  readonly #shared = new RetryBudget()
  /** Those that are not full. */
  readonly #own = new Map<string, RetryBudget>()

  deposit(installation: string): void {
    this.#shared.deposit()
    const own = this.#own.get(installation)
    if (own === undefined) return
    own.deposit()
    if (own.isFull) this.#own.delete(installation)
  }

  /** Whether one more retry can be afforded; if so, it is paid for. */
  withdraw(installation: string): boolean {
    const own = this.#own.get(installation) ?? new RetryBudget()
    if (!own.canAffordOne || !this.#shared.canAffordOne) return false
    own.withdraw()
    this.#shared.withdraw()
    this.#own.set(installation, own)
    if (this.#own.size > maxBudgets)
      for (const oldest of this.#own.keys()) {
        this.#own.delete(oldest)
        break
      }
    return true
  }
}
