/**
 * Retries and timeouts for updates, as combinators: `update(request).pipe(RetryPolicy.retry())`.
 *
 * @since 0.1.0
 * @module
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import { Infrastructure, isInstallationError } from "./InstallationError.ts"
import { Call, type Given, run } from "./internal/call.ts"
import { current, RetryRegion } from "./internal/retryRegion.ts"
import { within } from "./internal/timeout.ts"

/**
 * When to try again, and how long to wait before.
 *
 * @since 0.1.0
 * @category models
 */
export interface ScheduleOptions {
  /** How many attempts in all, the first included. Default: 3. With 1 there are no retries. */
  readonly attempts?: number | undefined
  /**
   * The upper bound of the first wait; it doubles with each further one, and is twice as long after a
   * `RateLimited`. Default: 500 milliseconds.
   */
  readonly baseDelay?: Duration.DurationInput | undefined
  /** No wait is longer. A server that asks for more is not waited for. Default: 20 seconds. */
  readonly maxDelay?: Duration.DurationInput | undefined
}

/**
 * When to try again, and how long that may take.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends ScheduleOptions {
  /** How long one attempt may take, to the last byte of the answer. Default: 10 seconds. */
  readonly attemptTimeout?: Duration.DurationInput | undefined
  /** How long all attempts and the waits between them may take together. Default: 30 seconds. */
  readonly deadline?: Duration.DurationInput | undefined
  /**
   * Whether to retry only as the budget allows that all updates of one client share: a retry costs 1, an
   * update earns 0.1, at most 10 are saved. So an outage meets 1.1 requests an update instead of 3.
   * Default: `true`.
   */
  readonly budget?: boolean | undefined
}

const resolve = (options: ScheduleOptions) => ({
  attempts: options.attempts ?? 3,
  baseDelay: Duration.toMillis(options.baseDelay ?? Duration.millis(500)),
  maxDelay: Duration.toMillis(options.maxDelay ?? Duration.seconds(20))
})

type Settings = ReturnType<typeof resolve>

/**
 * Whether the same update may be sent again with some hope.
 *
 * @since 0.1.0
 * @category guards
 */
export const isRetryable = (error: unknown): boolean => isInstallationError(error) && error.isRetryable

const askedToWait = (error: unknown): number =>
  error instanceof Infrastructure && error.retryAfter !== undefined ? Duration.toMillis(error.retryAfter) : 0

const mayRetry = (settings: Settings, error: unknown): boolean =>
  isRetryable(error) && askedToWait(error) <= settings.maxDelay

/** Milliseconds to wait after `retries` retries: full jitter below a doubling bound, or what was asked. */
const nextDelay = (settings: Settings, retries: number, error: unknown): Effect.Effect<number> =>
  Effect.map(Random.next, (random) => {
    const throttled = error instanceof Infrastructure && error.reason === "RateLimited"
    const bound = Math.min(settings.maxDelay, settings.baseDelay * (throttled ? 2 : 1) * 2 ** retries)
    return Math.max(Math.round(random * bound), askedToWait(error))
  })

/**
 * When to try again, for those who compose `Effect.retry` by hand: exponential waits with full jitter
 * (`random(0, 1) * min(maxDelay, baseDelay * 2^n)`), never shorter than the server's `Retry-After`. It ends
 * after `attempts`, at an error that is not retryable, and when the server asks for more than `maxDelay`.
 *
 * @since 0.1.0
 * @category schedules
 */
export const schedule = (options: ScheduleOptions = {}): Schedule.Schedule<number, unknown> => {
  const settings = resolve(options)
  return Schedule.recurs(settings.attempts - 1).pipe(
    Schedule.intersect(Schedule.identity<unknown>()),
    Schedule.whileInput((error) => mayRetry(settings, error)),
    Schedule.addDelayEffect(([retries, error]) => nextDelay(settings, retries, error)),
    Schedule.map(([retries]) => retries + 1)
  )
}

/**
 * Fails with `Infrastructure`, reason `Timeout`, when an effect takes longer. It does not wait for the
 * effect to wind up. An infinite duration is no timeout.
 *
 * @since 0.1.0
 * @category combinators
 */
export const timeout = (duration: Duration.DurationInput) => {
  const millis = Duration.toMillis(duration)
  return <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | Infrastructure, R> =>
    new Call((given) => run(self, { ...given, timeout: Math.min(millis, given.timeout ?? millis) }))
}

/**
 * Attempts with a timeout each, retried as `schedule` has it, within a deadline and within the retry budget
 * of the client. It fails with the error of the last attempt: at once where the next wait would end after
 * the deadline. A retry is given up with the reason `Superseded` when a newer update of the same
 * installation may have been applied meanwhile. Errors that are not of an update pass through.
 *
 * Put it around a single update: what else is inside is done again too.
 *
 * @since 0.1.0
 * @category combinators
 */
export const retry = (options: Options = {}) => {
  const settings = resolve(options)
  const attemptTimeout = Duration.toMillis(options.attemptTimeout ?? Duration.seconds(10))
  const deadline = Duration.toMillis(options.deadline ?? Duration.seconds(30))
  const isBudgeted = options.budget ?? true

  return <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | Infrastructure, R> => {
    type Attempts = Effect.Effect<A, E | Infrastructure, R>

    const attempt = (given: Given, region: RetryRegion, retries: number, end: number): Attempts => {
      const left = Math.max(0, end - given.clock.unsafeCurrentTimeMillis())
      const timeout = Math.min(attemptTimeout, left)
      return Effect.catchAll(run(self, { ...given, region, timeout }), (error) =>
        retries + 1 < settings.attempts && mayRetry(settings, error)
          ? waitAndRetry(given, region, retries, end, error)
          : Effect.fail(error)
      )
    }

    const waitAndRetry = (
      given: Given,
      region: RetryRegion,
      retries: number,
      end: number,
      error: E | Infrastructure
    ): Attempts =>
      Effect.flatMap(nextDelay(settings, retries, error), (delay) =>
        given.clock.unsafeCurrentTimeMillis() + delay < end && (!isBudgeted || region.withdraw())
          ? Effect.flatMap(Effect.sleep(delay), () => attempt(given, region, retries + 1, end))
          : Effect.fail(error)
      )

    const attempts = (given: Given): Attempts =>
      Effect.uninterruptibleMask((restore) => {
        const region = RetryRegion.enter(given.region ?? current(given.context))
        const end = given.clock.unsafeCurrentTimeMillis() + deadline
        return Effect.matchCauseEffect(restore(Effect.suspend(() => attempt(given, region, 0, end))), {
          onFailure: (cause) => {
            region.leave()
            return Effect.failCause(cause)
          },
          onSuccess: (answer) => {
            region.leave()
            return Effect.succeed(answer)
          }
        })
      })

    return new Call(({ timeout, ...given }) => within(attempts(given), timeout))
  }
}
