/**
 * Retries and timeouts for updates.
 *
 * @since 0.1.0
 * @module
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import { isInstallationError } from "./InstallationError.ts"
import { type History, nextHistory, noHistory, withHistory } from "./internal/call/history.ts"
import { withScope } from "./internal/call/scope.ts"
import { monotonic } from "./internal/http/deadline.ts"
import { log } from "./internal/telemetry/quietly.ts"

/**
 * How often and how long to retry, and the time limits of `retry`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The most attempts, including the first. Default: 3. */
  readonly attempts?: number | undefined
  /** The upper bound of the first wait. It doubles with each retry, and after `RateLimited`. Default: 500 milliseconds. */
  readonly baseDelay?: Duration.DurationInput | undefined
  /** The longest wait. If the server asks for a longer one, there is no retry. Default: 20 seconds. */
  readonly maxDelay?: Duration.DurationInput | undefined
  /** Limits one attempt, including the body of its response. Default: 10 seconds. */
  readonly attemptTimeout?: Duration.DurationInput | undefined
  /** Limits all attempts and waits together. Default: 30 seconds. */
  readonly deadline?: Duration.DurationInput | undefined
  /** Limits retries, per installation and per client, to 10% of updates plus a reserve of 10. Default: `true`. */
  readonly budget?: boolean | undefined
}

const resolve = (options: Pick<Options, "attempts" | "baseDelay" | "maxDelay">) => ({
  attempts: options.attempts ?? 3,
  baseDelay: Duration.toMillis(options.baseDelay ?? Duration.millis(500)),
  maxDelay: Duration.toMillis(options.maxDelay ?? Duration.seconds(20))
})

type Resolved = ReturnType<typeof resolve>

/**
 * Whether a retry of the same update could succeed. `false` for errors other than an update's.
 *
 * @example
 * ```ts
 * const update = InstallationService.update({ status: "ACTIVATED" })
 * const retried = Effect.retry(update, { times: 2, while: RetryPolicy.isRetryable })
 * ```
 * @since 0.1.0
 * @category guards
 */
export const isRetryable = (error: unknown): boolean => isInstallationError(error) && error.isRetryable

/** Milliseconds. */
const askedToWait = (error: unknown): number =>
  isInstallationError(error) && error._tag === "Infrastructure" && error.retryAfter !== undefined
    ? Duration.toMillis(error.retryAfter)
    : 0

const mayRetry = (resolved: Resolved, error: unknown): boolean =>
  isRetryable(error) && askedToWait(error) <= resolved.maxDelay

/** Milliseconds to wait after `retries` retries. */
const nextDelay = (resolved: Resolved, retries: number, error: unknown): Effect.Effect<number> =>
  Effect.map(Random.next, (random) => {
    const throttled = isInstallationError(error) && "reason" in error && error.reason === "RateLimited"
    const bound = Math.min(resolved.maxDelay, resolved.baseDelay * (throttled ? 2 : 1) * 2 ** retries)
    return Math.max(Math.round(random * bound), askedToWait(error))
  })

/**
 * The schedule of `retry`, for `Effect.retry`: exponential backoff with full jitter, at least the server's `Retry-After`.
 *
 * @example
 * ```ts
 * const update = InstallationService.update({ status: "ACTIVATED" })
 * const retried = Effect.retry(update, RetryPolicy.schedule({ attempts: 4 }))
 * ```
 * @since 0.1.0
 * @category schedules
 */
export const schedule = (
  options: Pick<Options, "attempts" | "baseDelay" | "maxDelay"> = {}
): Schedule.Schedule<number, unknown> => {
  const resolved = resolve(options)
  return Schedule.recurs(resolved.attempts - 1).pipe(
    Schedule.intersect(Schedule.identity<unknown>()),
    Schedule.whileInput((error) => mayRetry(resolved, error)),
    Schedule.addDelayEffect(([retries, error]) => nextDelay(resolved, retries, error)),
    Schedule.map(([retries]) => retries + 1)
  )
}

/**
 * Limits each update in an effect, even in finalizers: it is canceled, and fails with `Infrastructure`, reason `Timeout`.
 *
 * @example
 * ```ts
 * InstallationService.update({ status: "ACTIVATED" }).pipe(RetryPolicy.timeout("5 seconds"))
 * ```
 * @since 0.1.0
 * @category combinators
 */
export const timeout = (duration: Duration.DurationInput) => {
  const millis = Duration.toMillis(duration)
  return <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    withScope(millis, true, () => self)
}

/**
 * Retries an effect while it fails with a retryable error, and limits the time of the updates in it. One update in it is
 * continued across attempts: it fails with the reason `Superseded` if a newer one may have been applied meanwhile.
 *
 * @example
 * ```ts
 * InstallationService.update({ status: "ACTIVATED" }).pipe(RetryPolicy.retry({ attempts: 5 }))
 * ```
 * @since 0.1.0
 * @category combinators
 */
export const retry = (options: Options = {}) => {
  const resolved = resolve(options)
  const attemptTimeout = Duration.toMillis(options.attemptTimeout ?? Duration.seconds(10))
  const deadline = Duration.toMillis(options.deadline ?? Duration.seconds(30))
  const isBudgeted = options.budget ?? true

  return <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    withScope(deadline, false, (scope, clock) => {
      const attempt = (history: History): Effect.Effect<A, E, R> => {
        scope.beginAttempt(monotonic(clock) + attemptTimeout)
        return Effect.catchAll(self, (error) => {
          const giveUp = () => Effect.fail(scope.fail(withHistory(error, history), error))
          if (history.retries + 1 >= resolved.attempts || !mayRetry(resolved, error)) return giveUp()
          return Effect.flatMap(nextDelay(resolved, history.retries, error), (delay) => {
            if (monotonic(clock) + delay >= scope.endsAt) return giveUp()
            if (isBudgeted && !scope.withdraw(error)) return giveUp()
            return log(Effect.logDebug(`Trying again in ${delay} ms`)).pipe(
              Effect.zipRight(Effect.sleep(delay)),
              Effect.flatMap(() => attempt(nextHistory(history, error, delay)))
            )
          })
        })
      }
      return attempt(noHistory)
    })
}
