import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { Infrastructure, type InstallationError } from "../InstallationError.ts"
import { after, type Observer } from "./observation.ts"
import type { RetryRegion } from "./retryRegion.ts"
import { within } from "./timeout.ts"

/** One update as its caller means it, however many attempts it takes. A later one has a higher number. */
export class Ticket {
  readonly lane: Lane
  readonly number: number
  readonly observer: Observer
  #lastFailure: Exit.Exit<unknown, InstallationError> | undefined
  /** Whether it may be tried again. */
  isKept = false

  constructor(lane: Lane, number: number, observer: Observer) {
    this.lane = lane
    this.number = number
    this.observer = observer
  }

  /** An attempt came to this end. */
  attempted(exit: Exit.Exit<unknown, InstallationError>): void {
    if (Exit.isSuccess(exit) || !this.isKept) this.observer.end(exit)
    else this.#lastFailure = exit
  }

  /** It is not tried again: because of `exit`, if that is a failure. */
  drop(exit?: Exit.Exit<unknown, unknown>): void {
    this.isKept = false
    const end = exit !== undefined && Exit.isFailure(exit) ? exit : this.#lastFailure
    if (end !== undefined) this.observer.end(end)
  }

  get isSuperseded(): boolean {
    return this.lane.newest > this.number
  }
}

/** A place in the queue of a lane. */
class Place {
  next: Place | undefined
  #hasLeft = false
  #hasTurn = false
  #onTurn = () => {}

  get hasLeft(): boolean {
    return this.#hasLeft
  }

  /** Lets go of what waited here: the place itself may stay for long. */
  leave(): void {
    this.#hasLeft = true
    this.#onTurn = () => {}
  }

  call(): void {
    if (this.#hasTurn) return
    this.#hasTurn = true
    this.#onTurn()
  }

  onTurn(begin: () => void): void {
    if (this.#hasTurn) begin()
    else this.#onTurn = begin
  }
}

/** The updates of one installation: those under way, and those that may be tried again. */
class Lane {
  // A linked list, since nearly always it has one place. One that is left while it waits stays until its turn.
  #first: Place | undefined
  #last: Place | undefined
  /** How many updates may be tried again. */
  #kept = 0
  readonly #onEmpty: () => void
  #newest = 0

  constructor(onEmpty: () => void) {
    this.#onEmpty = onEmpty
  }

  /** A place at the end of the queue. */
  enter(): Place {
    const place = new Place()
    if (this.#last === undefined) this.#first = place
    else this.#last.next = place
    this.#last = place
    if (this.#first === place) place.call()
    return place
  }

  leave(place: Place): void {
    place.leave()
    if (place !== this.#first) return
    while (this.#first?.hasLeft) this.#first = this.#first.next
    if (this.#first === undefined) this.#last = undefined
    else this.#first.call()
    this.#endIfEmpty()
  }

  /** The number of the newest update that Pleo may have applied. */
  get newest(): number {
    return this.#newest
  }

  mayHaveApplied(ticket: Ticket): void {
    this.#newest = Math.max(this.#newest, ticket.number)
  }

  keep(): void {
    this.#kept += 1
  }

  forget(): void {
    this.#kept -= 1
    this.#endIfEmpty()
  }

  #endIfEmpty(): void {
    if (this.#first === undefined && this.#kept === 0) this.#onEmpty()
  }
}

const mayHaveBeenApplied = (cause: Cause.Cause<InstallationError>): boolean =>
  cause._tag !== "Fail" || cause.error.mayHaveBeenApplied

/** An attempt at an update, which has its place in the queue. */
export class Attempt {
  readonly #lane: Lane
  readonly #place: Place
  readonly #ticket: Ticket
  readonly observer: Observer
  #isSent = false
  #isTold = false

  /** Called when the attempt fails, or is interrupted. */
  giveUp = () => {}

  constructor(lane: Lane, ticket: Ticket) {
    this.#lane = lane
    this.#place = lane.enter()
    this.#ticket = ticket
    this.observer = ticket.observer
  }

  /** Calls `begin` when its turn has come: to send it, or with why it may not be sent any more. */
  onTurn(begin: (refusal: Infrastructure | undefined) => void): void {
    this.#place.onTurn(() => begin(this.#begin()))
  }

  /** Waits for its turn, before it is decided how to send it. */
  get turn(): Effect.Effect<void> {
    return Effect.async((resume) => this.#place.onTurn(() => resume(Effect.void)))
  }

  /** The same as `onTurn`, as an effect. Interrupted before it goes on from here, nothing was sent. */
  get begin(): Effect.Effect<void, Infrastructure> {
    return Effect.flatMap(this.turn, () => {
      const refusal = this.#begin()
      return refusal === undefined ? Effect.void : Effect.fail(refusal)
    })
  }

  /** What was sent was refused, and may be sent once more. */
  refused(): void {
    this.#isSent = false
  }

  #begin(): Infrastructure | undefined {
    if (this.#ticket.isSuperseded) return new Infrastructure({ reason: "Superseded" })
    this.#isSent = true
    return undefined
  }

  end(mayHaveBeenApplied: boolean): void {
    if (this.#isSent && mayHaveBeenApplied) this.#lane.mayHaveApplied(this.#ticket)
    this.#lane.leave(this.#place)
  }

  /** Tells of its end, once it has left: whatever comes of telling is nothing to the others. */
  tell<A>(exit: Exit.Exit<A, InstallationError>): Effect.Effect<A, InstallationError> {
    if (this.#isTold) return exit
    this.#isTold = true
    const log = this.observer.received(exit)
    this.#ticket.attempted(exit)
    return after(log, exit)
  }
}

/**
 * Keeps the updates of one installation in order: one at a time, first come, first served, and none is tried
 * again once a newer one may have been applied. Updates of different installations do not wait for each
 * other.
 */
export class Ordering {
  readonly #lanes = new Map<string, Lane>()
  readonly #onNew: (installation: string) => void
  #issued = 0

  /** `onNew` is told of each update that is not a retry. */
  constructor(onNew: (installation: string) => void) {
    this.#onNew = onNew
  }

  /**
   * Makes an attempt at an update of `installation`: `perform` makes it, once the turn of the attempt has
   * come. Inside one region, the same `body` after a failure is the same update once more. `timeout`, in
   * milliseconds, is for what cannot end at once by itself: it goes on in the background, and keeps its place.
   * `observe` begins to observe an update that is not a retry.
   */
  attempt<A>(
    installation: string,
    body: string,
    region: RetryRegion | undefined,
    observe: () => Observer,
    perform: (attempt: Attempt) => Effect.Effect<A, InstallationError>,
    timeout?: number
  ): Effect.Effect<A, InstallationError> {
    return Effect.uninterruptibleMask((restore) => {
      // In one step, so that the number and the place in the queue agree.
      const lane = this.#lane(installation)
      const issue = () => this.#issue(lane, installation, observe())
      const ticket = region === undefined ? issue() : region.ticketOf(`${installation}\n${body}`, issue)
      const attempt = new Attempt(lane, ticket)
      const carryOut = (self: Effect.Effect<A, InstallationError>, isInBackground: boolean) =>
        Effect.matchCauseEffect(self, {
          onFailure: (cause) => {
            attempt.giveUp()
            attempt.end(mayHaveBeenApplied(cause))
            const exit = Exit.failCause(cause)
            // Why it was interrupted there, the caller knows.
            return isInBackground && Cause.isInterrupted(cause) ? exit : attempt.tell(exit)
          },
          onSuccess: (answer) => {
            attempt.end(true)
            const told = attempt.tell(Exit.succeed(answer))
            // What follows a success is not a retry of what failed after it the last time.
            region?.forget(lane)
            return told
          }
        })
      if (timeout === undefined) return carryOut(restore(perform(attempt)), false)
      let hasBegun = false
      const inBackground = Effect.uninterruptibleMask((restore) => {
        hasBegun = true
        return carryOut(restore(perform(attempt)), true)
      })
      return Effect.onExit(restore(within(inBackground, timeout)), (exit) =>
        Effect.suspend(() => {
          if (!hasBegun) attempt.end(false)
          // Its caller does not wait for what goes on in the background.
          return Effect.ignore(attempt.tell(exit))
        })
      )
    })
  }

  #issue(lane: Lane, installation: string, observer: Observer): Ticket {
    this.#onNew(installation)
    return new Ticket(lane, ++this.#issued, observer)
  }

  #lane(installation: string): Lane {
    const known = this.#lanes.get(installation)
    if (known !== undefined) return known
    const lane = new Lane(() => this.#lanes.delete(installation))
    this.#lanes.set(installation, lane)
    return lane
  }
}
