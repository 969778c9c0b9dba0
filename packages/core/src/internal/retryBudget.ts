/**
 * What keeps retries from multiplying an outage: a retry costs 1, a first attempt earns a tenth, and at most
 * 10 are saved. It starts full.
 */
export class RetryBudget {
  #tenths = 100

  deposit(): void {
    this.#tenths = Math.min(100, this.#tenths + 1)
  }

  /** Whether one more retry can be afforded; if so, it is paid for. */
  withdraw(): boolean {
    if (this.#tenths < 10) return false
    this.#tenths -= 10
    return true
  }
}
