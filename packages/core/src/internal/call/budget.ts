import { LinkedList, type Node } from "../linkedList.ts"

/** Counts tenths: a retry costs 1, a first attempt earns a tenth, and at most 10 are saved. It starts full. */
class RetryBudget {
  #tenths = 100
  /** Among those that are not full. */
  place: Node<string> | undefined

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
 * Budgets that keep retries from multiplying an outage. Each installation has one, so that one which fails for ever
 * does not spend the retries of the others; and all share one, since an outage is one of all.
 */
export class RetryBudgets {
  readonly #shared = new RetryBudget()
  /** Those that are not full, the one that was first spent from first. */
  readonly #own = new Map<string, RetryBudget>()
  readonly #spent = new LinkedList<string>()

  deposit(installation: string): void {
    this.#shared.deposit()
    const own = this.#own.get(installation)
    if (own === undefined) return
    own.deposit()
    if (own.isFull) this.#forget(installation, own)
  }

  /** Whether one more retry can be afforded; if so, it is paid for. */
  withdraw(installation: string): boolean {
    const own = this.#own.get(installation) ?? new RetryBudget()
    if (!own.canAffordOne || !this.#shared.canAffordOne) return false
    own.withdraw()
    this.#shared.withdraw()
    own.place ??= this.#spent.append(installation)
    this.#own.set(installation, own)
    const oldest = this.#own.size > maxBudgets ? this.#spent.first?.value : undefined
    if (oldest !== undefined) this.#forget(oldest, this.#own.get(oldest))
    return true
  }

  #forget(installation: string, budget: RetryBudget | undefined): void {
    if (budget?.place !== undefined) this.#spent.remove(budget.place)
    this.#own.delete(installation)
  }
}
