import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import { Infrastructure, type InstallationError } from "../InstallationError.ts"
import type { RetryRegion } from "./retryRegion.ts"

/** One update as its caller means it, however many attempts it takes. A later one has a higher number. */
export class Ticket {
  readonly lane: Lane
  readonly number: number

  constructor(lane: Lane, number: number) {
    this.lane = lane
    this.number = number
  }

  get isSuperseded(): boolean {
    return this.lane.newest > this.number
  }
}

/** The updates of one installation: those under way, and those that may be tried again. */
class Lane {
  // A semaphore would let a newcomer pass those that wait, in the moment before they are woken.
  readonly #queue = new Set<Deferred.Deferred<void>>()
  readonly #kept = new Set<Ticket>()
  readonly #onEmpty: () => void
  /** The number of the newest update that Pleo may have applied. */
  newest = 0

  constructor(onEmpty: () => void) {
    this.#onEmpty = onEmpty
  }

  /** A place at the end of the queue. Its turn has come when it is done. */
  enter(): Deferred.Deferred<void> {
    const place = Deferred.unsafeMake<void>(FiberId.none)
    this.#queue.add(place)
    this.#callFirst()
    return place
  }

  leave(place: Deferred.Deferred<void>): void {
    this.#queue.delete(place)
    this.#callFirst()
    this.#endIfEmpty()
  }

  keep(ticket: Ticket): void {
    this.#kept.add(ticket)
  }

  forget(ticket: Ticket): void {
    if (this.#kept.delete(ticket)) this.#endIfEmpty()
  }

  #callFirst(): void {
    const [first] = this.#queue
    if (first !== undefined) Deferred.unsafeDone(first, Effect.void)
  }

  #endIfEmpty(): void {
    if (this.#queue.size === 0 && this.#kept.size === 0) this.#onEmpty()
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
    const id = region === undefined ? "" : `${installation}\n${body}`
    return Effect.acquireUseRelease(
      // In one step, so that the number and the place in the queue agree.
      Effect.sync(() => {
        const lane = this.#lane(installation)
        const place = lane.enter()
        const issue = () => this.#issue(lane)
        return { lane, place, ticket: region === undefined ? issue() : region.ticketOf(id, issue) }
      }),
      ({ lane, place, ticket }) =>
        Effect.zipRight(
          Deferred.await(place),
          Effect.suspend(() =>
            ticket.isSuperseded
              ? Effect.fail(new Infrastructure({ reason: "Superseded" }))
              : Effect.onExit(request, (exit) =>
                  Effect.sync(() => {
                    if (mayHaveBeenApplied(exit)) lane.newest = Math.max(lane.newest, ticket.number)
                  })
                )
          )
        ),
      ({ lane, place }, exit) =>
        Effect.sync(() => {
          // What follows a success is not a retry of what failed after it the last time.
          if (Exit.isSuccess(exit)) region?.forget(lane)
          lane.leave(place)
        })
    )
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
