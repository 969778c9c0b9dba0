// The surroundings of an operation: the credentials of `Credentials.use`, and the scope of `RetryPolicy`. An operation
// reads both once, when it starts.
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { RuntimeFiber } from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import { constVoid } from "effect/Function"
import type { Operation } from "../contract/operations.ts"
import type { Credentials } from "../credentials/credentials.ts"
import type { Deadline } from "../http/deadline.ts"
import { monotonic } from "../http/deadline.ts"
import type { Update, UpdateQueue } from "./queue.ts"

/** Takes a retry from the budget of the failed client. `false` if the budget is exhausted. */
type Withdraw = () => boolean

/** The update of a scope in one queue. */
interface Held {
  /** Absent once a second one has begun: then each attempt's updates are new. */
  update: Update | undefined
  attempt: number
}

/**
 * Shared by a policy and the clients inside it: deadlines, and the update that an attempt continues. A nested scope
 * consults its parent too. The policy and a client may come from two copies of this library, which read no private
 * field of each other's scopes.
 */
export class Scope {
  readonly #parent: Scope | undefined
  /** The deadline of all attempts. */
  readonly endsAt: number
  #attemptEndsAt: number
  #attempt = 0
  #isOpen = true
  readonly #held: Map<UpdateQueue, Held> | undefined
  #failures: Map<unknown, Withdraw> | undefined
  #lastFailure: Withdraw | undefined

  /** `endsAt` is a time of `monotonic`. A scope of `timeout` has no update. */
  constructor(parent: Scope | undefined, endsAt: number, bounds: boolean) {
    this.#parent = parent
    this.endsAt = this.#attemptEndsAt = Math.min(endsAt, parent?.attemptEndsAt ?? endsAt)
    this.#held = bounds ? undefined : new Map()
  }

  /** The innermost open scope: a fiber forked in a scope may outlive it. */
  get innermostOpen(): Scope | undefined {
    return this.#isOpen ? this : this.#parent?.innermostOpen
  }

  /** The deadline of the current attempt. */
  get attemptEndsAt(): number {
    return this.#attemptEndsAt
  }

  beginAttempt(endsAt: number): void {
    this.#attempt += 1
    this.#attemptEndsAt = Math.min(endsAt, this.endsAt)
    this.#failures = this.#lastFailure = undefined
  }

  /** The update of the previous attempt, or a new one. */
  begin(queue: UpdateQueue, operation: Operation, make: () => Update): Update {
    const held = this.#held?.get(queue)
    if (held?.update?.canContinue(operation) && held.attempt < this.#attempt) {
      held.attempt = this.#attempt
      return held.update
    }
    const update = this.#parent === undefined ? make() : this.#parent.begin(queue, operation, make)
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

  /** Records the failure of an update, and how to withdraw a retry because of it. */
  failed(error: unknown, withdraw: Withdraw): void {
    this.#failures ??= new Map()
    this.#failures.set(error, withdraw)
    this.#lastFailure = withdraw
    this.#parent?.failed(error, withdraw)
  }

  /** For an error that was replaced on its way, uses the last failure. */
  #payerOf(error: unknown): Withdraw | undefined {
    return this.#failures?.get(error) ?? this.#lastFailure
  }

  withdraw(error: unknown): boolean {
    return this.#payerOf(error)?.() ?? true
  }

  /** Ends all attempts with `error`, after the last one failed with `cause`. */
  fail<E>(error: E, cause: unknown): E {
    const withdraw = this.#payerOf(cause)
    if (withdraw !== undefined) this.#parent?.failed(error, withdraw)
    return error
  }

  close(exit: Exit.Exit<unknown, unknown>): void {
    this.#isOpen = false
    for (const { update } of this.#held?.values() ?? []) update?.release(exit)
    this.#held?.clear()
    this.#failures = undefined
  }
}

class Current extends Context.Reference<Current>()("@effect-pleo/core/Scope", {
  defaultValue: (): Scope | undefined => undefined
}) {}

class Chosen extends Context.Reference<Chosen>()("@effect-pleo/core/Credentials", {
  defaultValue: (): Credentials | undefined => undefined
}) {}

/** The surroundings of an operation. */
export interface CallContext {
  readonly fiber: RuntimeFiber<unknown, unknown>
  readonly clock: Clock.Clock
  readonly credentials: Credentials | undefined
  readonly scope: Scope | undefined
}

/** Begins an operation with its surroundings. */
export const withCallContext = <A, E, R>(
  begin: (context: CallContext) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime((fiber) => {
    const services = fiber.currentContext
    return begin({
      fiber,
      clock: Context.get(fiber.currentDefaultServices, Clock.Clock),
      credentials: Context.get(services, Chosen),
      scope: Context.get(services, Current)?.innermostOpen
    })
  })

/** The deadline of an update that begins here. */
export const deadlineOf = ({ clock, scope }: CallContext): Deadline => ({
  clock,
  at: scope?.attemptEndsAt ?? Number.POSITIVE_INFINITY
})

/**
 * Runs an effect with one more service, and then `onExit`: `Effect.provideService` and `Effect.onExit` in half as many steps
 * as the first of them.
 */
const withService = <I, S, A, E, R>(
  self: Effect.Effect<A, E, R>,
  tag: Context.Tag<I, S>,
  service: S,
  onExit: (exit: Exit.Exit<A, E>) => void = constVoid
): Effect.Effect<A, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(
      FiberRef.modify(FiberRef.currentContext, (outer) => [outer, Context.add(outer, tag, service)]),
      (outer) =>
        Effect.matchCauseEffect(restore(self), {
          onFailure: (cause) => {
            onExit(Exit.failCause(cause))
            return Effect.zipRight(FiberRef.set(FiberRef.currentContext, outer), Effect.failCause(cause))
          },
          onSuccess: (value) => {
            onExit(Exit.succeed(value))
            return FiberRef.modify(FiberRef.currentContext, () => [value, outer])
          }
        })
    )
  )

export const withCredentials = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  credentials: Credentials
): Effect.Effect<A, E, R> => withService(self, Chosen, credentials)

/** Opens a scope around an effect, for `millis` milliseconds. */
export const withScope = <A, E, R>(
  millis: number,
  bounds: boolean,
  self: (scope: Scope, clock: Clock.Clock) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  withCallContext(({ clock, scope: parent }) => {
    const scope = new Scope(parent, monotonic(clock) + millis, bounds)
    return withService(self(scope, clock), Current, scope, (exit) => scope.close(exit))
  })
