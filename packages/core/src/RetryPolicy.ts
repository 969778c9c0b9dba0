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
import { type History, nextHistory, noHistory, withHistory } from "./internal/call/history.ts"
import { withScope } from "./internal/call/scope.ts"
import { monotonic } from "./internal/http/deadline.ts"

/**
 * When to try again, and how long to wait before.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { InstallationError, RetryPolicy } from "@effect-pleo/core"
 * import * as Effect from "effect/Effect"
 *
 * // For a test: as many attempts, and no waits.
 * const hasty: RetryPolicy.ScheduleOptions = { attempts: 5, baseDelay: 0 }
 *
 * let attempts = 0
 * const update = Effect.suspend(() => {
 *   attempts += 1
 *   return Effect.fail(new InstallationError.Infrastructure({ reason: "Timeout" }))
 * })
 * await Effect.runPromise(Effect.flip(Effect.retry(update, RetryPolicy.schedule(hasty))))
 * assert.equal(attempts, 5)
 * ```
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
 * What `retry` takes: that of `schedule`, how long it may take, and whether there is a budget.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { InstallationService, RetryPolicy } from "@effect-pleo/core"
 * import { InstallationServiceTest } from "@effect-pleo/testing"
 * import * as Effect from "effect/Effect"
 *
 * // For a job at night, which has time.
 * const patient: RetryPolicy.Options = {
 *   attempts: 10,
 *   attemptTimeout: "30 seconds",
 *   maxDelay: "2 minutes",
 *   deadline: "15 minutes",
 *   budget: false
 * }
 *
 * const { status } = await InstallationService.update({ status: "ACTIVATED" }).pipe(
 *   RetryPolicy.retry(patient),
 *   Effect.provide(InstallationServiceTest.layerTest()),
 *   Effect.runPromise
 * )
 * assert.equal(status, "ACTIVATED")
 * ```
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
 * Whether the same update may be sent again with some hope. Of what is no error of an update: `false`.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { InstallationError, RetryPolicy } from "@effect-pleo/core"
 * import * as Effect from "effect/Effect"
 *
 * const unavailable = new InstallationError.Infrastructure({ reason: "ServerError", status: 503 })
 * const refused = new InstallationError.Unauthorized({ reason: "Unauthenticated", status: 401 })
 *
 * let attempts = 0
 * const update = Effect.suspend(() => Effect.fail(attempts++ === 0 ? unavailable : refused))
 *
 * const error = Effect.runSync(
 *   Effect.flip(Effect.retry(update, { times: 5, while: RetryPolicy.isRetryable }))
 * )
 * assert.equal(error, refused)
 * assert.equal(attempts, 2)
 * ```
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
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { InstallationService, RetryPolicy } from "@effect-pleo/core"
 * import { InstallationServiceTest } from "@effect-pleo/testing"
 * import * as Effect from "effect/Effect"
 * import * as Schedule from "effect/Schedule"
 *
 * // The same waits, and a line in the log before each.
 * const logged = RetryPolicy.schedule({ attempts: 4 }).pipe(
 *   Schedule.tapInput((error) => Effect.logWarning("the update is tried again", error))
 * )
 *
 * const { status } = await InstallationService.update({ status: "ACTIVATED" }).pipe(
 *   Effect.timeout("5 seconds"),
 *   Effect.retry(logged),
 *   Effect.provide(InstallationServiceTest.layerTest()),
 *   Effect.runPromise
 * )
 * assert.equal(status, "ACTIVATED")
 * ```
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
 * Bounds each update inside of an effect, finalizers included: what has no response by then fails with
 * `Infrastructure`, reason `Timeout`, and is canceled. It bounds nothing else: use `Effect.timeout` for other effects.
 * An infinite duration is no timeout.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { InstallationService, RetryPolicy } from "@effect-pleo/core"
 * import { Fault, InstallationServiceTest } from "@effect-pleo/testing"
 * import * as Effect from "effect/Effect"
 *
 * const slow = InstallationServiceTest.layerTest({ faults: [Fault.delay("1 second")] })
 *
 * const error = await InstallationService.update({ status: "ACTIVATED" }).pipe(
 *   RetryPolicy.timeout("10 millis"),
 *   Effect.flip,
 *   Effect.provide(slow),
 *   Effect.runPromise
 * )
 * assert.ok(error._tag === "Infrastructure" && error.reason === "Timeout")
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const timeout = (duration: Duration.DurationInput) => {
  const millis = Duration.toMillis(duration)
  return <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    withScope(millis, true, () => self)
}

/**
 * Repeats an effect as `schedule` has it while it fails with a retryable error, and bounds the updates inside: each
 * attempt's by `attemptTimeout`, all by `deadline`. It works over any `InstallationService`, a stub included; other
 * effects inside are repeated too, and bounded by nothing but `Effect.timeout`. It fails with the error of the last
 * attempt: at once where the next wait would end after the deadline.
 *
 * Around one update, that update is kept in hand: each attempt continues it, within the retry budget of its client, and
 * fails with the reason `Superseded` when a newer update of the same installation may have been applied meanwhile.
 * Around several of one installation, each attempt's updates are new.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import * as HttpClient from "@effect/platform/HttpClient"
 * import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
 * import { Credentials, InstallationClient, InstallationService, RetryPolicy } from "@effect-pleo/core"
 * import * as Effect from "effect/Effect"
 * import * as Fiber from "effect/Fiber"
 * import * as Layer from "effect/Layer"
 * import * as Redacted from "effect/Redacted"
 * import * as TestClock from "effect/TestClock"
 * import * as TestContext from "effect/TestContext"
 *
 * let requests = 0
 * const failing = HttpClient.make((request) => {
 *   requests += 1
 *   return Effect.succeed(HttpClientResponse.fromWeb(request, new Response("", { status: 503 })))
 * })
 * const credentials = Credentials.apiKey(Redacted.make("key"))
 * const live = Layer.provide(
 *   InstallationClient.layer({ credentials }),
 *   Layer.succeed(HttpClient.HttpClient, failing)
 * )
 *
 * const program = Effect.gen(function* () {
 *   const update = InstallationService.update({ status: "ACTIVATED" }).pipe(
 *     RetryPolicy.retry({ attempts: 3 })
 *   )
 *   const failed = yield* Effect.fork(Effect.flip(update))
 *   yield* TestClock.adjust("30 seconds")
 *   return yield* Fiber.join(failed)
 * })
 * const error = await Effect.runPromise(Effect.provide(program, [live, TestContext.TestContext]))
 * assert.equal(error._tag, "Infrastructure")
 * assert.equal(requests, 3)
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const retry = (options: Options = {}) => {
  const settings = resolve(options)
  const attemptTimeout = Duration.toMillis(options.attemptTimeout ?? Duration.seconds(10))
  const deadline = Duration.toMillis(options.deadline ?? Duration.seconds(30))
  const isBudgeted = options.budget ?? true

  return <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    withScope(deadline, false, (scope, clock) => {
      const attempt = (history: History): Effect.Effect<A, E, R> => {
        scope.beginAttempt(monotonic(clock) + attemptTimeout)
        return Effect.catchAll(self, (error) => {
          const giveUp = () => Effect.fail(scope.fail(withHistory(error, history), error))
          if (history.retries + 1 >= settings.attempts || !mayRetry(settings, error)) return giveUp()
          return Effect.flatMap(nextDelay(settings, history.retries, error), (delay) => {
            if (monotonic(clock) + delay >= scope.endsAt) return giveUp()
            if (isBudgeted && !scope.withdraw(error)) return giveUp()
            return Effect.logDebug(`Trying again in ${delay} ms`).pipe(
              Effect.zipRight(Effect.sleep(delay)),
              Effect.flatMap(() => attempt(nextHistory(history, error, delay)))
            )
          })
        })
      }
      return Effect.suspend(() => attempt(noHistory))
    })
}
