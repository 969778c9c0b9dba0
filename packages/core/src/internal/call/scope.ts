// What surrounds an operation: the credentials that `Credentials.use` chose, and the scope that `RetryPolicy` opened.
// An operation reads both once, when it starts.
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { RuntimeFiber } from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import type { Credentials } from "../credentials/credentials.ts"
import type { Deadline } from "../http/deadline.ts"
import { monotonic } from "../http/deadline.ts"
import type { Update, UpdateQueue } from "./queue.ts"

/** Pays for a retry out of the budget of the client that failed. `false`: it cannot be afforded. */
type Withdraw = () => boolean

/** The update that a scope has begun in one queue. */
interface Held {
  /** Absent once a second one has begun there: then each attempt's updates are new. */
  update: Update | undefined
  attempt: number
}

/**
 * What a policy shares with the clients inside of it: until when their updates may take, and which update an attempt
 * continues. A scope inside of another one asks that one, too.
 */
export class Scope {
  readonly #parent: Scope | undefined
  readonly #endsAt: number
  #attemptEndsAt: number
  #attempt = 0
  #isOpen = true
  readonly #held: Map<UpdateQueue, Held> | undefined
  readonly #failures = new Map<unknown, Withdraw>()
  #lastFailure: Withdraw | undefined

  /** `endsAt` is a time of `monotonic`. A scope that only bounds updates begins none. */
  constructor(parent: Scope | undefined, endsAt: number, bounds: boolean) {
    this.#parent = parent
    this.#endsAt = this.#attemptEndsAt = Math.min(endsAt, parent?.attemptEndsAt ?? endsAt)
    this.#held = bounds ? undefined : new Map()
  }

  /** The innermost scope that is open: a fiber that was forked inside of a scope may outlive it. */
  static current(context: Context.Context<never>): Scope | undefined {
    let scope = Context.get(context, Current)
    while (scope !== undefined && !scope.#isOpen) scope = scope.#parent
    return scope
  }

  /** When all attempts have to end, and when the updates of this one do. */
  get endsAt(): number {
    return this.#endsAt
  }

  get attemptEndsAt(): number {
    return this.#attemptEndsAt
  }

  beginAttempt(endsAt: number): void {
    this.#attempt += 1
    this.#attemptEndsAt = Math.min(endsAt, this.#endsAt)
    this.#failures.clear()
    this.#lastFailure = undefined
  }

  /** The update of the attempt before that goes on in this one, or else a new one. */
  begin(queue: UpdateQueue, make: () => Update): Update {
    const held = this.#held?.get(queue)
    if (held?.update?.canContinue && held.attempt < this.#attempt) {
      held.attempt = this.#attempt
      return held.update
    }
    const update = this.#parent === undefined ? make() : this.#parent.begin(queue, make)
    if (this.#held === undefined) return update
    if (held === undefined || (held.update?.hasSucceeded && held.attempt < this.#attempt)) {
      held?.update?.release()
      update.hold()
      this.#held.set(queue, { update, attempt: this.#attempt })
    } else {
      held.update?.release()
      held.update = undefined
    }
    return update
  }

  /** An update inside failed: a retry because of this error is paid for by `withdraw`. */
  failed(error: unknown, withdraw: Withdraw): void {
    this.#failures.set(error, withdraw)
    this.#lastFailure = withdraw
    this.#parent?.failed(error, withdraw)
  }

  /** The last failure pays where the error was made anew on its way. */
  #payerOf(error: unknown): Withdraw | undefined {
    return this.#failures.get(error) ?? this.#lastFailure
  }

  withdraw(error: unknown): boolean {
    return this.#payerOf(error)?.() ?? true
  }

  /** All attempts failed with `error`, of which the last one failed with `cause`. */
  fail<E>(error: E, cause: unknown): E {
    const withdraw = this.#payerOf(cause)
    if (withdraw !== undefined) this.#parent?.failed(error, withdraw)
    return error
  }

  close(exit: Exit.Exit<unknown, unknown>): void {
    this.#isOpen = false
    for (const { update } of this.#held?.values() ?? []) update?.release(exit)
    this.#held?.clear()
    this.#failures.clear()
  }
}

class Current extends Context.Reference<Current>()("@effect-pleo/core/Scope", {
  defaultValue: (): Scope | undefined => undefined
}) {}

class Chosen extends Context.Reference<Chosen>()("@effect-pleo/core/Credentials", {
  defaultValue: (): Credentials | undefined => undefined
}) {}

/** What surrounds an operation. */
export interface CallContext {
  readonly fiber: RuntimeFiber<unknown, unknown>
  readonly clock: Clock.Clock
  readonly credentials: Credentials | undefined
  readonly scope: Scope | undefined
}

/** Begins an operation with what surrounds it. */
export const withCallContext = <A, E, R>(
  begin: (context: CallContext) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime((fiber) => {
    const services = fiber.currentContext
    return begin({
      fiber,
      clock: Context.get(fiber.currentDefaultServices, Clock.Clock),
      credentials: Context.get(services, Chosen),
      scope: Scope.current(services)
    })
  })

/** Until when an update may take that begins here. */
export const deadlineOf = ({ clock, scope }: CallContext): Deadline => ({
  clock,
  at: scope?.attemptEndsAt ?? Number.POSITIVE_INFINITY
})

export const withCredentials = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  credentials: Credentials
): Effect.Effect<A, E, R> => Effect.provideService(self, Chosen, credentials)

/** Opens a scope of so many milliseconds around an effect. */
export const withScope = <A, E, R>(
  millis: number,
  bounds: boolean,
  self: (scope: Scope, clock: Clock.Clock) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  withCallContext(({ clock, fiber, scope: parent }) => {
    const scope = new Scope(parent, monotonic(clock) + millis, bounds)
    const { currentContext } = fiber
    // `Effect.provideService` and `Effect.onExit` in one: each costs as much as a part of an update.
    return Effect.acquireUseRelease(
      FiberRef.set(FiberRef.currentContext, Context.add(currentContext, Current, scope)),
      () => self(scope, clock),
      (_, exit) => {
        scope.close(exit)
        return FiberRef.set(FiberRef.currentContext, currentContext)
      }
    )
  })
