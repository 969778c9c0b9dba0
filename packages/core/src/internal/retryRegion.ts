import * as Context from "effect/Context"
import type * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { Ticket } from "./ordering.ts"

/**
 * What `RetryPolicy.retry` opens around the attempts it may make. The client finds it there: so it can tell
 * a retry from a new update, and the policy can ask the client's budget.
 */
export class RetryRegion {
  /** Asks the client that made the attempt whether one more can be afforded, and pays for it. */
  withdraw = () => true
  /** The updates that may be tried again in this region, each by its installation and body. */
  readonly #tickets = new Map<string, Ticket>()
  #policies = 0
  #isOpen = true

  /** A policy inside of another shares its region. What was forked inside may outlive the outer one. */
  static enter(current: RetryRegion | undefined): RetryRegion {
    const region = current === undefined || !current.#isOpen ? new RetryRegion() : current
    region.#policies += 1
    return region
  }

  /** The region ends with the last of its policies. */
  leave(exit: Exit.Exit<unknown, unknown>): void {
    this.#policies -= 1
    if (this.#policies > 0) return
    this.#isOpen = false
    this.forget(undefined, exit)
  }

  /** The ticket that an update has from an earlier attempt, or else a new one. */
  ticketOf(id: string, issue: () => Ticket): Ticket {
    const known = this.#tickets.get(id)
    if (known !== undefined) return known
    const ticket = issue()
    // What begins after the end will not be tried again.
    if (this.#isOpen) {
      this.#tickets.set(id, ticket)
      ticket.isKept = true
      ticket.lane.keep()
    }
    return ticket
  }

  /** Forgets the updates of one lane, or all: `exit` says why they are not tried again. */
  forget(lane?: Ticket["lane"], exit?: Exit.Exit<unknown, unknown>): void {
    for (const [id, ticket] of this.#tickets) {
      if (lane !== undefined && lane !== ticket.lane) continue
      this.#tickets.delete(id)
      ticket.lane.forget()
      ticket.drop(exit)
    }
  }
}

export class Current extends Context.Reference<Current>()("@effect-pleo/core/RetryRegion", {
  defaultValue: () => Option.none<RetryRegion>()
}) {}

export const current = (context: Context.Context<never>): RetryRegion | undefined =>
  Option.getOrUndefined(Context.get(context, Current))
