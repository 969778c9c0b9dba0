/**
 * Retries and timeouts for updates, as combinators: `update(request).pipe(RetryPolicy.retry())`.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { Infrastructure, isInstallationError } from "./InstallationError.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** How many requests in all, the first included. Default: 3. */
  readonly attempts?: number | undefined
  /** How long one attempt may take, to the last byte of the answer. Default: 10 seconds. */
  readonly attemptTimeout?: Duration.DurationInput | undefined
  /** How long all attempts and the waits between them may take together. Default: 30 seconds. */
  readonly deadline?: Duration.DurationInput | undefined
  /** The upper bound of the first wait; it doubles with each further one. Default: 500 milliseconds. */
  readonly baseDelay?: Duration.DurationInput | undefined
  /** No wait is longer. A server that asks for more is not waited for. Default: 20 seconds. */
  readonly maxDelay?: Duration.DurationInput | undefined
}

const defaults = {
  attempts: 3,
  attemptTimeout: Duration.seconds(10),
  deadline: Duration.seconds(30),
  baseDelay: Duration.millis(500),
  maxDelay: Duration.seconds(20)
}

/**
 * Whether the same update may be sent again with some hope.
 *
 * @since 0.1.0
 * @category guards
 */
export const isRetryable = (error: unknown): boolean => isInstallationError(error) && error.isRetryable

const askedToWait = (error: unknown): Duration.Duration =>
  (error instanceof Infrastructure ? error.retryAfter : undefined) ?? Duration.zero

/**
 * When to try again: exponential waits with full jitter (`random(0, 1) * min(maxDelay, baseDelay * 2^n)`),
 * never shorter than the server's `Retry-After`. It ends after `attempts` in all, at an error that is not
 * retryable, and when the server asks for more than `maxDelay`.
 *
 * @since 0.1.0
 * @category schedules
 */
export const schedule = (options: Options = {}): Schedule.Schedule<unknown, unknown> => {
  const maxDelay = Duration.decode(options.maxDelay ?? defaults.maxDelay)
  return Schedule.exponential(options.baseDelay ?? defaults.baseDelay).pipe(
    Schedule.modifyDelay((_, delay) => Duration.min(delay, maxDelay)),
    Schedule.jitteredWith({ min: 0, max: 1 }),
    Schedule.intersect(Schedule.recurs((options.attempts ?? defaults.attempts) - 1)),
    Schedule.intersect(Schedule.identity<unknown>()),
    Schedule.modifyDelay(([, error], delay) => Duration.max(delay, askedToWait(error))),
    Schedule.whileInput(
      (error) => isRetryable(error) && Duration.lessThanOrEqualTo(askedToWait(error), maxDelay)
    )
  )
}

/**
 * Fails with `Infrastructure`, reason `Timeout`, when an effect takes longer. It does not wait for the
 * effect to wind up.
 *
 * @since 0.1.0
 * @category combinators
 */
export const timeout =
  (duration: Duration.DurationInput) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | Infrastructure, R> =>
    Effect.timeoutFail(Effect.disconnect(self), {
      duration,
      onTimeout: () => new Infrastructure({ reason: "Timeout" })
    })

/**
 * An attempt with its own timeout, retried by `schedule`, within a deadline. Errors that are not of an
 * update pass through at once.
 *
 * @since 0.1.0
 * @category combinators
 */
export const retry =
  (options: Options = {}) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | Infrastructure, R> =>
    self.pipe(
      timeout(options.attemptTimeout ?? defaults.attemptTimeout),
      Effect.retry(schedule(options)),
      timeout(options.deadline ?? defaults.deadline)
    )
