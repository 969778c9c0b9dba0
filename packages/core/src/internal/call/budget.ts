import { LinkedList, type Node } from "../linkedList.ts"

/** A retry costs 1, a first attempt earns 0.1, and the balance is at most 10, where it starts. Counted in tenths. */
class RetryBudget {
  #tenths = 100
  /** Its place among the budgets that are not full. */
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

// A bound on memory. The shared budget limits how many can be below their maximum anyway.
const maxBudgets = 10_000

/**
 * Budgets that keep retries from multiplying an outage. Each installation has one, so one failing installation cannot
 * spend the others' retries. All share another, for an outage of all.
 */
export class RetryBudgets {
  readonly #shared = new RetryBudget()
  /** Budgets that are not full, in the order of their first withdrawal. */
  readonly #own = new Map<string, RetryBudget>()
  readonly #spent = new LinkedList<string>()

  deposit(installation: string): void {
    this.#shared.deposit()
    const own = this.#own.get(installation)
    if (own === undefined) return
    own.deposit()
    if (own.isFull) this.#forget(installation, own)
  }

  /** Withdraws a retry. `false` if the budget is exhausted. */
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
