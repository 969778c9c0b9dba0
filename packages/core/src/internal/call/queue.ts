// Orders the calls of one installation.
import * as Exit from "effect/Exit"
import type { Operation } from "../contract/operations.ts"
import { LinkedList, type Node } from "../linkedList.ts"
import type { Observer } from "../telemetry/observer.ts"

/** One logical call, across all attempts. A later one of the same installation has a higher number. */
export class Update {
  readonly queue: UpdateQueue
  readonly operation: Operation
  readonly number: number
  readonly observer: Observer
  /** Whether an earlier attempt may have been applied. */
  mayHaveBeenApplied = false
  #holders = 0
  #lastFailure: Exit.Exit<unknown, unknown> | undefined
  #hasSucceeded = false

  constructor(queue: UpdateQueue, operation: Operation, number: number, observer: Observer) {
    this.queue = queue
    this.operation = operation
    this.number = number
    this.observer = observer
  }

  /** Keeps the update for further attempts. */
  hold(): void {
    this.#holders += 1
    this.queue.hold()
  }

  /** Ends the attempts, because of `exit` if it is a failure. */
  release(exit?: Exit.Exit<unknown, unknown>): void {
    this.#holders -= 1
    this.queue.release()
    const last = this.#lastFailure
    if (this.#holders === 0 && last !== undefined)
      this.observer.end(exit !== undefined && Exit.isFailure(exit) ? exit : last)
  }

  attemptBegan(): void {
    this.#lastFailure = undefined
  }

  attemptEnded(exit: Exit.Exit<unknown, unknown>): void {
    this.#hasSucceeded = Exit.isSuccess(exit)
    if (this.#hasSucceeded || this.#holders === 0) this.observer.end(exit)
    else this.#lastFailure = exit
  }

  /** Whether the next attempt at the same operation continues it. */
  canContinue(operation: Operation): boolean {
    return this.#lastFailure !== undefined && this.operation === operation
  }

  get hasSucceeded(): boolean {
    return this.#hasSucceeded
  }
}

/** An attempt's place in the queue. */
export interface Waiting {
  onTurn: () => void
  readonly isLost: boolean
}

/**
 * Runs the calls of one installation one at a time, in order. A write is not retried once a newer one may have been applied.
 * A concurrent queue runs reads, which wait for nothing.
 */
export class UpdateQueue {
  readonly #attempts = new LinkedList<Waiting>()
  readonly #isConcurrent: boolean
  readonly #onEmpty: () => void
  #issued = 0
  /** The number of the newest update that Pleo may have applied. */
  #newest = 0
  /** The number of updates that may be retried. */
  #held = 0

  constructor(isConcurrent: boolean, onEmpty: () => void) {
    this.#isConcurrent = isConcurrent
    this.#onEmpty = onEmpty
  }

  issue(operation: Operation, observer: Observer): Update {
    return new Update(this, operation, ++this.#issued, observer)
  }

  enter(attempt: Waiting): Node<Waiting> {
    return this.#attempts.append(attempt)
  }

  hasTurn(place: Node<Waiting>): boolean {
    return this.#isConcurrent || this.#attempts.first === place
  }

  leave(place: Node<Waiting>): void {
    const hadTurn = this.hasTurn(place)
    if (!this.#attempts.remove(place)) return
    if (hadTurn) this.#attempts.first?.value.onTurn()
    this.#endIfEmpty()
  }

  /** Removes the first attempts if they are lost. */
  leaveLost(): void {
    for (let first = this.#attempts.first; first?.value.isLost === true; first = this.#attempts.first)
      this.leave(first)
  }

  isSuperseded({ number, operation }: Update): boolean {
    return this.#newest > number && !operation.isRead
  }

  mayHaveApplied({ number }: Update): void {
    this.#newest = Math.max(this.#newest, number)
  }

  hold(): void {
    this.#held += 1
  }

  release(): void {
    this.#held -= 1
    this.#endIfEmpty()
  }

  #endIfEmpty(): void {
    if (this.#attempts.first === undefined && this.#held === 0) this.#onEmpty()
  }
}
