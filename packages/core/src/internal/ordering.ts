import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { Infrastructure, type InstallationError } from "../InstallationError.ts"
import type { RetryRegion } from "./retryRegion.ts"

/** One update as its caller means it, however many attempts it takes. A later one has a higher number. */
export class Ticket {
  readonly #lane: Lane
  readonly number: number

  constructor(lane: Lane, number: number) {
    this.#lane = lane
    this.number = number
    lane.tickets.add(this)
  }

  get isSuperseded(): boolean {
    return this.#lane.newest > this.number
  }

  readonly release = (): void => this.#lane.leave(this)
}

/** The updates of one installation: those under way, and those that may be tried again. */
class Lane {
  readonly turn = Effect.unsafeMakeSemaphore(1)
  readonly tickets = new Set<Ticket>()
  readonly #onEmpty: () => void
  /** The number of the newest update that Pleo may have applied. */
  newest = 0

  constructor(onEmpty: () => void) {
    this.#onEmpty = onEmpty
  }

  leave(ticket: Ticket): void {
    this.tickets.delete(ticket)
    if (this.tickets.size === 0) this.#onEmpty()
  }
}

const mayHaveBeenApplied = <A>(exit: Exit.Exit<A, InstallationError>): boolean =>
  Exit.isSuccess(exit) || exit.cause._tag !== "Fail" || exit.cause.error.mayHaveBeenApplied

/**
 * Keeps the updates of one installation in order: one at a time, first come, first served, and none is tried
 * again once a newer one may have been applied. Updates of different installations do not wait for each
 * other.
 */
export class Ordering {
  readonly #lanes = new Map<string, Lane>()
  readonly #onNew: () => void
  #issued = 0

  /** `onNew` is told of each update that is not a retry. */
  constructor(onNew: () => void) {
    this.#onNew = onNew
  }

  /**
   * Makes an attempt at an update of `installation` when its turn has come. Inside one region, the same
   * `body` after a failure is the same update once more.
   */
  attempt<A>(
    installation: string,
    body: string,
    region: RetryRegion | undefined,
    request: Effect.Effect<A, InstallationError>
  ): Effect.Effect<A, InstallationError> {
    return Effect.suspend(() => {
      const lane = this.#lane(installation)
      const id = `${installation}\n${body}`
      const ticket = region?.tickets.get(id) ?? this.#issue(lane)
      region?.tickets.set(id, ticket)
      const inTurn = Effect.suspend(() =>
        ticket.isSuperseded ? Effect.fail(new Infrastructure({ reason: "Superseded" })) : request
      )
      return Effect.onExit(lane.turn.withPermits(1)(inTurn), (exit) =>
        Effect.sync(() => {
          if (mayHaveBeenApplied(exit)) lane.newest = Math.max(lane.newest, ticket.number)
          if (region !== undefined && Exit.isFailure(exit)) return
          region?.tickets.delete(id)
          ticket.release()
        })
      )
    })
  }

  #issue(lane: Lane): Ticket {
    this.#onNew()
    return new Ticket(lane, ++this.#issued)
  }

  #lane(installation: string): Lane {
    const known = this.#lanes.get(installation)
    if (known !== undefined) return known
    const lane = new Lane(() => this.#lanes.delete(installation))
    this.#lanes.set(installation, lane)
    return lane
  }
}
