import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/TestClock"
import { BadRequest, Infrastructure, Unauthorized } from "../src/InstallationError.ts"
import { update } from "../src/InstallationService.ts"
import { InstallationServiceTest, layerTest } from "../src/InstallationServiceTest.ts"
import * as RetryPolicy from "../src/RetryPolicy.ts"
import { activated } from "./support/http.ts"

const unavailable = new Infrastructure({ reason: "ServerError", status: 503 })

const rateLimited = (retryAfter: Duration.DurationInput) =>
  new Infrastructure({ reason: "RateLimited", status: 429, retryAfter: Duration.decode(retryAfter) })

const timedOut = new Infrastructure({ reason: "Timeout" })

/** Runs an effect to its end on the test's clock, and tells when its attempts began and when it ended. */
const observe = <E>(
  attempt: (count: number) => Effect.Effect<string, E>,
  options?: RetryPolicy.Options,
  within: Duration.DurationInput = "1 day"
) =>
  Effect.gen(function* () {
    const beganAt: Array<number> = []
    const fiber = yield* Effect.suspend(() =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => attempt(beganAt.push(now)))
    ).pipe(
      RetryPolicy.retry(options),
      Effect.exit,
      Effect.zip(Clock.currentTimeMillis),
      // No wait is shortened by chance.
      Effect.withRandom(Random.fixed([0.999_999_999])),
      Effect.fork
    )
    yield* TestClock.adjust(within)
    const [exit, endedAt] = yield* Fiber.join(fiber)
    return { beganAt: beganAt.map(Math.round), endedAt: Math.round(endedAt), exit }
  })

const generous = { attemptTimeout: "1 hour", deadline: "20 hours" } as const

describe("RetryPolicy", () => {
  describe("retry", () => {
    it.effect("sends a success once", () =>
      Effect.gen(function* () {
        const { beganAt, endedAt, exit } = yield* observe(() => Effect.succeed("done"))
        expect(exit).toEqual(Exit.succeed("done"))
        expect(beganAt).toEqual([0])
        expect(endedAt).toBe(0)
      })
    )

    it.effect("makes 3 attempts in all by default, after up to 500 ms and 1 s", () =>
      Effect.gen(function* () {
        const { beganAt, exit } = yield* observe(() => Effect.fail(unavailable))
        expect(beganAt).toEqual([0, 500, 1500])
        expect(exit).toEqual(Exit.fail(unavailable))
      })
    )

    it.effect.each([1, 2, 3, 7].map((attempts) => ({ attempts })))(
      "makes $attempts attempts in all when asked to",
      ({ attempts }) =>
        Effect.gen(function* () {
          const { beganAt, exit } = yield* observe(() => Effect.fail(unavailable), { ...generous, attempts })
          expect(beganAt).toHaveLength(attempts)
          expect(exit).toEqual(Exit.fail(unavailable))
        })
    )

    it.effect("stops at the first success", () =>
      Effect.gen(function* () {
        const { beganAt, exit } = yield* observe(
          (count) => (count < 3 ? Effect.fail(unavailable) : Effect.succeed("done")),
          { attempts: 5 }
        )
        expect(exit).toEqual(Exit.succeed("done"))
        expect(beganAt).toHaveLength(3)
      })
    )

    it.effect("doubles the wait up to maxDelay", () =>
      Effect.gen(function* () {
        const { beganAt } = yield* observe(() => Effect.fail(unavailable), {
          ...generous,
          attempts: 6,
          baseDelay: "1 second",
          maxDelay: "5 seconds"
        })
        expect(beganAt).toEqual([0, 1000, 3000, 7000, 12_000, 17_000])
      })
    )

    const final = [
      new BadRequest({}),
      new BadRequest({ status: 400 }),
      new Unauthorized({ reason: "Unauthenticated", status: 401 }),
      new Unauthorized({ reason: "Forbidden", status: 403 }),
      new Unauthorized({ reason: "ReauthorizationRequired" }),
      new Infrastructure({ reason: "ServerError", status: 501 }),
      new Infrastructure({ reason: "InvalidResponse", status: 200 }),
      new Infrastructure({ reason: "Redirect", status: 307 }),
      new Infrastructure({ reason: "Transport", code: "CERT_HAS_EXPIRED" })
    ]

    it.effect.each(final.map((error) => ({ name: error.message, error })))(
      "gives up at once: $name",
      ({ error }) =>
        Effect.gen(function* () {
          const { beganAt, endedAt, exit } = yield* observe(() => Effect.fail(error))
          expect(beganAt).toEqual([0])
          expect(endedAt).toBe(0)
          expect(exit).toEqual(Exit.fail(error))
        })
    )

    it.effect("gives up when an attempt fails with something that is not retryable", () =>
      Effect.gen(function* () {
        const refused = new Unauthorized({ reason: "Unauthenticated", status: 401 })
        const { beganAt, exit } = yield* observe((count) => Effect.fail(count === 1 ? unavailable : refused))
        expect(beganAt).toHaveLength(2)
        expect(exit).toEqual(Exit.fail(refused))
      })
    )

    const retried = [
      unavailable,
      new Infrastructure({ reason: "ServerError", status: 500 }),
      new Infrastructure({ reason: "RateLimited", status: 429 }),
      new Infrastructure({ reason: "Timeout", status: 408 }),
      new Infrastructure({ reason: "Transport", code: "ECONNRESET" }),
      new Infrastructure({ reason: "Transport" })
    ]

    it.effect.each(retried.map((error) => ({ name: error.message, error })))(
      "tries again: $name",
      ({ error }) =>
        Effect.gen(function* () {
          const { beganAt } = yield* observe(() => Effect.fail(error))
          expect(beganAt).toHaveLength(3)
        })
    )

    it.effect.each<{ readonly name: string; readonly exit: Exit.Exit<string, unknown> }>([
      { name: "a string", exit: Exit.fail("foreign") },
      {
        name: "an object that looks like ours",
        exit: Exit.fail({ _tag: "Infrastructure", isRetryable: true })
      },
      { name: "an Error", exit: Exit.fail(new Error("foreign")) },
      { name: "a defect", exit: Exit.die("defect") },
      { name: "a defect made of our error", exit: Exit.die(unavailable) }
    ])("lets a foreign failure pass at once: $name", ({ exit }) =>
      Effect.gen(function* () {
        const seen = yield* observe(() => exit)
        expect(seen.beganAt).toEqual([0])
        expect(seen.endedAt).toBe(0)
        expect(seen.exit).toEqual(exit)
      })
    )

    it.effect("is interrupted while it waits", () =>
      Effect.gen(function* () {
        let attempts = 0
        const fiber = yield* Effect.suspend(() => {
          attempts++
          return Effect.fail(rateLimited("10 seconds"))
        }).pipe(RetryPolicy.retry(), Effect.fork)
        yield* TestClock.adjust("1 second")
        expect(Exit.isInterrupted(yield* Fiber.interrupt(fiber))).toBe(true)
        yield* TestClock.adjust("1 minute")
        expect(attempts).toBe(1)
      })
    )

    it.effect("works on an update, whose errors it leaves as they are", () =>
      Effect.gen(function* () {
        const test = yield* InstallationServiceTest
        yield* test.failNext(rateLimited("2 seconds"), 2)
        const fiber = yield* update(activated).pipe(RetryPolicy.retry(), Effect.fork)
        yield* TestClock.adjust("4 seconds")
        expect((yield* Fiber.join(fiber)).status).toBe("ACTIVATED")
        expect(yield* test.updates).toHaveLength(3)
      }).pipe(Effect.provide(layerTest()))
    )
  })

  describe("timeouts", () => {
    it.effect("an attempt ends after 10 seconds by default, and is tried again", () =>
      Effect.gen(function* () {
        const { beganAt, exit } = yield* observe((count) =>
          count === 1 ? Effect.never : Effect.succeed("done")
        )
        expect(beganAt).toEqual([0, 10_500])
        expect(exit).toEqual(Exit.succeed("done"))
      })
    )

    it.effect("an attempt ends after attemptTimeout", () =>
      Effect.gen(function* () {
        const { beganAt, endedAt, exit } = yield* observe(() => Effect.never, {
          attempts: 2,
          attemptTimeout: "3 seconds"
        })
        expect(beganAt).toEqual([0, 3500])
        expect(endedAt).toBe(6500)
        expect(exit).toEqual(Exit.fail(timedOut))
      })
    )

    it.effect("all attempts together end after 30 seconds by default", () =>
      Effect.gen(function* () {
        const { beganAt, endedAt, exit } = yield* observe(() => Effect.never, { attempts: 100 })
        expect(beganAt).toEqual([0, 10_500, 21_500])
        expect(endedAt).toBe(30_000)
        expect(exit).toEqual(Exit.fail(timedOut))
      })
    )

    it.effect("all attempts together end after deadline", () =>
      Effect.gen(function* () {
        const { endedAt, exit } = yield* observe(() => Effect.never, { deadline: "4 seconds" })
        expect(endedAt).toBe(4000)
        expect(exit).toEqual(Exit.fail(timedOut))
      })
    )

    it.effect("what ends just in time is a success", () =>
      Effect.gen(function* () {
        const { endedAt, exit } = yield* observe(() => Effect.delay(Effect.succeed("done"), "9999 millis"))
        expect(endedAt).toBe(9999)
        expect(exit).toEqual(Exit.succeed("done"))
      })
    )

    it.effect("an attempt that has timed out is interrupted", () =>
      Effect.gen(function* () {
        let interrupted = 0
        yield* observe(() => Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++)))
        expect(interrupted).toBe(3)
      })
    )

    it.effect.each<{ readonly name: string; readonly work: Effect.Effect<string> }>([
      {
        name: "uninterruptible work",
        work: Effect.uninterruptible(Effect.as(Effect.sleep("1 hour"), "late"))
      },
      {
        name: "a slow finalizer",
        work: Effect.onInterrupt(Effect.never, () => Effect.sleep("1 hour"))
      }
    ])("$name stretches neither an attempt nor the deadline", ({ work }) =>
      Effect.gen(function* () {
        const attempt = yield* observe(() => work, { attempts: 2, attemptTimeout: "1 second" })
        expect(attempt.beganAt).toEqual([0, 1500])
        expect(attempt.endedAt).toBe(2500)
        expect(attempt.exit).toEqual(Exit.fail(timedOut))
      })
    )

    it.effect("uninterruptible work does not stretch the deadline", () =>
      Effect.gen(function* () {
        const work = Effect.uninterruptible(Effect.as(Effect.sleep("1 hour"), "late"))
        const { endedAt, exit } = yield* observe(() => work, {
          attemptTimeout: "2 hours",
          deadline: "5 seconds"
        })
        expect(endedAt).toBe(5000)
        expect(exit).toEqual(Exit.fail(timedOut))
      })
    )

    it.effect("timeout by itself fails with Infrastructure, reason Timeout, and does not try again", () =>
      Effect.gen(function* () {
        let attempts = 0
        const fiber = yield* Effect.suspend(() => {
          attempts++
          return Effect.never
        }).pipe(RetryPolicy.timeout("2 seconds"), Effect.flip, Effect.fork)
        yield* TestClock.adjust("2 seconds")
        const error = yield* Fiber.join(fiber)
        expect(error.toJSON()).toMatchObject({
          reason: "Timeout",
          mayHaveBeenApplied: true,
          isRetryable: true
        })
        expect(attempts).toBe(1)
      })
    )
  })

  describe("Retry-After", () => {
    it.effect("is waited for at least", () =>
      Effect.gen(function* () {
        const { beganAt } = yield* observe(() => Effect.fail(rateLimited("2 seconds")))
        expect(beganAt).toEqual([0, 2000, 4000])
      })
    )

    it.effect("does not shorten a longer wait", () =>
      Effect.gen(function* () {
        const { beganAt } = yield* observe(() => Effect.fail(rateLimited("100 millis")))
        // Twice as long as after another failure, since the server is throttling.
        expect(beganAt).toEqual([0, 1000, 3000])
      })
    )

    it.effect("is honoured with a 503 too", () =>
      Effect.gen(function* () {
        const error = new Infrastructure({
          reason: "ServerError",
          status: 503,
          retryAfter: Duration.seconds(3)
        })
        const { beganAt } = yield* observe(() => Effect.fail(error), { attempts: 2 })
        expect(beganAt).toEqual([0, 3000])
      })
    )

    it.effect("is waited for when it is just maxDelay", () =>
      Effect.gen(function* () {
        const { beganAt } = yield* observe(() => Effect.fail(rateLimited("20 seconds")), { attempts: 2 })
        expect(beganAt).toEqual([0, 20_000])
      })
    )

    it.effect.each([
      { name: "the default of 20 seconds", options: {}, wait: "20001 millis" as const },
      { name: "maxDelay", options: { maxDelay: "5 seconds" as const }, wait: "6 seconds" as const },
      { name: "any bound", options: generous, wait: "365 days" as const }
    ])("beyond $name, it is not waited for: the failure comes now", ({ options, wait }) =>
      Effect.gen(function* () {
        const error = rateLimited(wait)
        const { beganAt, endedAt, exit } = yield* observe(() => Effect.fail(error), options)
        expect(beganAt).toEqual([0])
        expect(endedAt).toBe(0)
        expect(exit).toEqual(Exit.fail(error))
      })
    )

    it.effect("beyond what is left of the deadline, it is not waited for: the failure comes now", () =>
      Effect.gen(function* () {
        const error = rateLimited("10 seconds")
        const { beganAt, endedAt, exit } = yield* observe(() => Effect.fail(error), { deadline: "5 seconds" })
        expect(beganAt).toEqual([0])
        expect(endedAt).toBe(0)
        expect(exit).toEqual(Exit.fail(error))
      })
    )
  })

  describe("schedule", () => {
    const delays = (options: RetryPolicy.Options, errors: ReadonlyArray<unknown>) =>
      Effect.map(Schedule.run(Schedule.delays(RetryPolicy.schedule(options)), 0, errors), (chunk) =>
        Chunk.toReadonlyArray(chunk).map(Duration.toMillis)
      )

    const attempts = 12

    const bounds = (baseDelay: number, maxDelay: number) =>
      Array.from({ length: attempts - 1 }, (_, index) => Math.min(maxDelay, baseDelay * 2 ** index))

    const bases = FastCheck.integer({ min: 1, max: 10_000 })
    const maxima = FastCheck.integer({ min: 1, max: 60_000 })

    it.effect.prop(
      "a wait is the chance times its bound, which doubles up to maxDelay",
      [bases, maxima, FastCheck.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })],
      ([baseDelay, maxDelay, chance]) =>
        Effect.gen(function* () {
          const waits = yield* Effect.withRandom(
            delays({ attempts, baseDelay, maxDelay }, Array(attempts - 1).fill(unavailable)),
            Random.fixed([chance])
          )
          expect(waits).toHaveLength(attempts - 1)
          for (const [index, bound] of bounds(baseDelay, maxDelay).entries()) {
            expect(waits[index]).toBe(Math.round(chance * bound))
          }
        }),
      { fastCheck: { numRuns: 50 } }
    )

    it.effect.prop(
      "a wait is never longer than its bound, whatever the chance",
      [bases, maxima, FastCheck.string()],
      ([baseDelay, maxDelay, seed]) =>
        Effect.gen(function* () {
          const waits = yield* Effect.withRandom(
            delays({ attempts, baseDelay, maxDelay }, Array(attempts - 1).fill(unavailable)),
            Random.make(seed)
          )
          for (const [index, bound] of bounds(baseDelay, maxDelay).entries()) {
            expect(waits[index]).toBeGreaterThanOrEqual(0)
            expect(waits[index]).toBeLessThanOrEqual(bound)
          }
        }),
      { fastCheck: { numRuns: 50 } }
    )

    it.effect("the whole range between nothing and the bound is used", () =>
      Effect.gen(function* () {
        const options = { attempts: 2, baseDelay: 1000 }
        const waits = yield* Effect.all(
          Array.from({ length: 400 }, () => delays(options, [unavailable]))
        ).pipe(Effect.withRandom(Random.make("fixed seed")))
        const tenths = new Set(waits.flat().map((wait) => Math.floor(wait / 100)))
        expect([...tenths].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
      })
    )

    it.effect.prop(
      "a wait is never shorter than Retry-After",
      [bases, FastCheck.integer({ min: 0, max: 20_000 }), FastCheck.string()],
      ([baseDelay, retryAfter, seed]) =>
        Effect.gen(function* () {
          const [wait = -1] = yield* Effect.withRandom(
            delays({ baseDelay }, [rateLimited(retryAfter)]),
            Random.make(seed)
          )
          expect(wait).toBeGreaterThanOrEqual(retryAfter)
          expect(wait).toBeLessThanOrEqual(Math.max(2 * baseDelay, retryAfter))
        }),
      { fastCheck: { numRuns: 50 } }
    )

    it.effect("composes with Effect.retry by itself", () =>
      Effect.gen(function* () {
        let attempts = 0
        const fiber = yield* Effect.suspend(() => {
          attempts++
          return Effect.fail(unavailable)
        }).pipe(Effect.retry(RetryPolicy.schedule({ attempts: 4 })), Effect.exit, Effect.fork)
        yield* TestClock.adjust("1 minute")
        expect(yield* Fiber.join(fiber)).toEqual(Exit.fail(unavailable))
        expect(attempts).toBe(4)
      })
    )
  })

  it("isRetryable is what our errors say, and false for anything else", () => {
    expect(RetryPolicy.isRetryable(unavailable)).toBe(true)
    expect(RetryPolicy.isRetryable(new BadRequest({}))).toBe(false)
    for (const foreign of [undefined, null, "x", new Error("x"), { isRetryable: true }]) {
      expect(RetryPolicy.isRetryable(foreign)).toBe(false)
    }
  })
})
