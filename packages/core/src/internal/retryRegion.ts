import * as Context from "effect/Context"
import * as Option from "effect/Option"
import type { Ticket } from "./ordering.ts"
import type { RetryBudget } from "./retryBudget.ts"

/**
 * What `RetryPolicy.retry` opens around the attempts it may make. The client finds it there: so it can tell
 * a retry from a new update, and the policy can ask the client's budget.
 */
export class RetryRegion {
  /** The budget of the client that made the attempt, if it has one. */
  budget: RetryBudget | undefined
  /** The updates that may be tried again in this region, each by its installation and body. */
  readonly tickets = new Map<string, Ticket>()

  end(): void {
    for (const ticket of this.tickets.values()) ticket.release()
    this.tickets.clear()
  }
}

export class Current extends Context.Reference<Current>()("@effect-pleo/core/RetryRegion", {
  defaultValue: () => Option.none<RetryRegion>()
}) {}
