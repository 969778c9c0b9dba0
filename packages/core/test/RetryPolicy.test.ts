import * as HttpClient from "@effect/platform/HttpClient"
import type { HttpClientError } from "@effect/platform/HttpClientError"
import { describe, expect, it } from "@effect/vitest"
import { fail, stallResponse } from "@effect-pleo/testing/Fault"
import { InstallationServiceTest, layerTest } from "@effect-pleo/testing/InstallationServiceTest"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import { identity } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/TestClock"
import * as Credentials from "../src/Credentials.ts"
import * as InstallationClient from "../src/InstallationClient.ts"
import { BadRequest, Infrastructure, type InstallationError, Unauthorized } from "../src/InstallationError.ts"
import { InstallationService, update } from "../src/InstallationService.ts"
import * as RetryPolicy from "../src/RetryPolicy.ts"
import { activated, answering, authorizationOf, bearer, installation } from "./support/http.ts"

const unavailable = new Infrastructure({ reason: "ServerError", status: 503 })

const rateLimited = (retryAfter: Duration.DurationInput) =>
  new Infrastructure({ reason: "RateLimited", status: 429, retryAfter: Duration.decode(retryAfter) })

const timedOut = new Infrastructure({ reason: "Timeout", server: "external.pleo.io" })

/** How a policy fails with the error of its last attempt. */
const failedAfter = (
  error: InstallationError,
  attempts: number,
  waited: number,
  mayHaveBeenApplied = true
) => {
  if (attempts === 1) return Exit.fail(error)
  const retried = { attempts, waited: Duration.millis(waited), mayHaveBeenApplied }
  switch (error._tag) {
    case "BadRequest":
      return Exit.fail(new BadRequest({ ...error, retried }))
    case "Unauthorized":
      return Exit.fail(new Unauthorized({ ...error, reason: error.reason, retried }))
    case "Infrastructure":
      return Exit.fail(new Infrastructure({ ...error, reason: error.reason, retried }))
  }
}

/** Runs an effect to its end on the test's clock, and tells when its attempts began and when it ended. */
const observe = <E>(
  attempt: (count: number) => Effect.Effect<string, E>,
  options?: RetryPolicy.Options,
  within: Duration.DurationInput = "1 day",
  around: (self: Effect.Effect<string, E>) => Effect.Effect<string, E> = identity
) =>
  Effect.gen(function* () {
    const beganAt: Array<number> = []
    const fiber = yield* Effect.suspend(() =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => attempt(beganAt.push(now)))
    ).pipe(
      RetryPolicy.retry(options),
      around,
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

type Reply = Response | Effect.Effect<Response, HttpClientError>

const ok: Effect.Effect<Response> = Effect.sync(() => installation())

const status = (code: number, headers: Record<string, string> = {}) =>
  new Response(null, { status: code, headers })

/** A client over a server that answers like this. */
const serviceOver = (answer: () => Reply) =>
  InstallationClient.make({ credentials: bearer("token") }).pipe(
    Effect.provideService(HttpClient.HttpClient, answering(answer).client)
  )

/** The same of updates, by when their requests arrive. */
const observeUpdate = (answer: (count: number) => Reply, options?: RetryPolicy.Options) =>
  Effect.gen(function* () {
    const beganAt: Array<number> = []
    const start = yield* Clock.currentTimeMillis
    const clock = yield* Effect.clock
    const service = yield* serviceOver(() =>
      answer(beganAt.push(Math.round(clock.unsafeCurrentTimeMillis() - start)))
    )
    const update = Effect.map(service.update(activated), ({ status }) => status)
    const { endedAt, exit } = yield* observe(() => update, options)
    return { beganAt, endedAt: endedAt - start, exit }
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
        expect(exit).toEqual(failedAfter(unavailable, 3, 1500))
      })
    )

    it.effect.each([1, 2, 3, 7].map((attempts) => ({ attempts })))(
      "makes $attempts attempts in all when asked to",
      ({ attempts }) =>
        Effect.gen(function* () {
          const { beganAt, exit } = yield* observe(() => Effect.fail(unavailable), { ...generous, attempts })
          expect(beganAt).toHaveLength(attempts)
          expect(exit).toEqual(failedAfter(unavailable, attempts, 500 * (2 ** (attempts - 1) - 1)))
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
      new Unauthorized({ reason: "NotConnected" }),
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
        expect(exit).toEqual(failedAfter(refused, 2, 500))
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

    it.effect("takes no time to be interrupted while it waits", () =>
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(RetryPolicy.retry()(Effect.fail(rateLimited("10 seconds"))))
        yield* TestClock.adjust("1 second")
        yield* Fiber.interrupt(fiber)
        expect(yield* Clock.currentTimeMillis).toBe(1000)
      })
    )

    it.effect("leaves alone what an Effect.retry inside of it does with errors of its own", () =>
      Effect.gen(function* () {
        let runs = 0
        const inner = Effect.suspend(() => Effect.fail(`failure ${++runs}`))
        const seen = yield* observe(() => Effect.retry(inner, { times: 4 }))
        expect(seen.exit).toEqual(Exit.fail("failure 5"))
        expect(seen.beganAt).toEqual([0])
        expect(runs).toBe(5)
      })
    )

    it.effect("does again what comes before the update in the same effect", () =>
      Effect.gen(function* () {
        const done: Array<string> = []
        const { exit } = yield* observe((count) =>
          Effect.zipRight(
            Effect.sync(() => done.push("before")),
            count < 3 ? Effect.fail(unavailable) : Effect.succeed("done")
          )
        )
        expect(exit).toEqual(Exit.succeed("done"))
        expect(done).toEqual(["before", "before", "before"])
      })
    )

    it.effect("with everything off, runs the effect once, for as long as it takes", () =>
      Effect.gen(function* () {
        const off = {
          attempts: 1,
          attemptTimeout: Number.POSITIVE_INFINITY,
          deadline: Number.POSITIVE_INFINITY,
          budget: false
        }
        const slow = yield* observe(() => Effect.delay(Effect.succeed("done"), "1000 days"), off, "1001 days")
        expect(slow.exit).toEqual(Exit.succeed("done"))
        expect(slow.endedAt).toBe(Duration.toMillis("1000 days"))

        const failed = yield* observe(() => Effect.fail(unavailable), off)
        expect(failed.exit).toEqual(Exit.fail(unavailable))
        expect(failed.beganAt).toHaveLength(1)

        // It takes no other fiber, with a timeout neither.
        const here = yield* Effect.fiberId
        expect(yield* Effect.fiberId.pipe(RetryPolicy.retry(off))).toEqual(here)
        expect(yield* Effect.fiberId.pipe(RetryPolicy.retry())).toEqual(here)
      })
    )

    const beginnings = (seed: string) =>
      Effect.gen(function* () {
        const beganAt: Array<number> = []
        const fiber = yield* Effect.flatMap(Clock.currentTimeMillis, (now) => {
          beganAt.push(now)
          return Effect.fail(unavailable)
        }).pipe(
          RetryPolicy.retry({ ...generous, attempts: 8 }),
          Effect.exit,
          Effect.withRandom(Random.make(seed)),
          Effect.fork
        )
        const start = yield* Clock.currentTimeMillis
        yield* TestClock.adjust("10 minutes")
        yield* Fiber.join(fiber)
        return beganAt.map((at) => at - start)
      })

    it.effect("waits equally long with the same seed, and otherwise with another", () =>
      Effect.gen(function* () {
        const first = yield* beginnings("one seed")
        expect(first).toHaveLength(8)
        expect(yield* beginnings("one seed")).toEqual(first)
        expect(yield* beginnings("another seed")).not.toEqual(first)
      })
    )

    it.effect("repeats an update of a stub", () =>
      Effect.gen(function* () {
        let updates = 0
        const done = yield* Effect.provide(update(activated), layerTest())
        const stub = Layer.mock(InstallationService, {
          update: () =>
            Effect.suspend(() => (++updates === 1 ? Effect.fail(unavailable) : Effect.succeed(done)))
        })
        const fiber = yield* update(activated).pipe(RetryPolicy.retry(), Effect.provide(stub), Effect.fork)
        yield* TestClock.adjust("1 second")
        expect(yield* Fiber.join(fiber)).toBe(done)
        expect(updates).toBe(2)
      })
    )

    it.effect("works on an update, whose errors it leaves as they are", () =>
      Effect.gen(function* () {
        const test = yield* InstallationServiceTest
        yield* test.inject(fail(rateLimited("2 seconds"), { times: 2 }))
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
        const { beganAt, exit } = yield* observeUpdate((count) => (count === 1 ? Effect.never : ok))
        expect(beganAt).toEqual([0, 10_500])
        expect(exit).toEqual(Exit.succeed("ACTIVATED"))
      })
    )

    it.effect("an attempt ends after attemptTimeout", () =>
      Effect.gen(function* () {
        const { beganAt, endedAt, exit } = yield* observeUpdate(() => Effect.never, {
          attempts: 2,
          attemptTimeout: "3 seconds"
        })
        expect(beganAt).toEqual([0, 3500])
        expect(endedAt).toBe(6500)
        expect(exit).toEqual(failedAfter(timedOut, 2, 500))
      })
    )

    it.effect("all attempts together end after 30 seconds by default", () =>
      Effect.gen(function* () {
        const { beganAt, endedAt, exit } = yield* observeUpdate(() => Effect.never, { attempts: 100 })
        expect(beganAt).toEqual([0, 10_500, 21_500])
        expect(endedAt).toBe(30_000)
        expect(exit).toEqual(failedAfter(timedOut, 3, 1500))
      })
    )

    it.effect("all attempts together end after deadline", () =>
      Effect.gen(function* () {
        const { endedAt, exit } = yield* observeUpdate(() => Effect.never, { deadline: "4 seconds" })
        expect(endedAt).toBe(4000)
        expect(exit).toEqual(Exit.fail(timedOut))
      })
    )

    it.effect("an attempt that begins late is cut off at the deadline", () =>
      Effect.gen(function* () {
        const { beganAt, endedAt, exit } = yield* observeUpdate(
          (count) => (count === 1 ? status(503) : Effect.never),
          {
            attemptTimeout: "10 seconds",
            deadline: "3 seconds"
          }
        )
        expect(beganAt).toEqual([0, 500])
        expect(endedAt).toBe(3000)
        expect(exit).toEqual(failedAfter(timedOut, 2, 500))
      })
    )

    it.effect.each([
      { name: "after the deadline", deadline: 1499 },
      { name: "just at the deadline", deadline: 1500 }
    ])("where the next wait would end $name, the last error comes at once", ({ deadline }) =>
      Effect.gen(function* () {
        const last = new Infrastructure({ reason: "ServerError", status: 502 })
        const { beganAt, endedAt, exit } = yield* observe(
          (count) => Effect.fail(count === 1 ? unavailable : last),
          { deadline }
        )
        expect(beganAt).toEqual([0, 500])
        expect(endedAt).toBe(500)
        expect(exit).toEqual(failedAfter(last, 2, 500))
      })
    )

    it.effect("where the next wait ends just before the deadline, there is one more attempt", () =>
      Effect.gen(function* () {
        const { beganAt, endedAt, exit } = yield* observe(() => Effect.fail(unavailable), { deadline: 1501 })
        expect(beganAt).toEqual([0, 500, 1500])
        expect(endedAt).toBe(1500)
        expect(exit).toEqual(failedAfter(unavailable, 3, 1500))
      })
    )

    it.effect("the deadline counts from when the effect runs, not from when it is described", () =>
      Effect.gen(function* () {
        const service = yield* serviceOver(() => Effect.never)
        const described = service
          .update(activated)
          .pipe(RetryPolicy.retry({ attempts: 1, deadline: "4 seconds" }))
        yield* TestClock.adjust("1 hour")
        const fiber = yield* Effect.fork(Effect.flip(described))
        yield* TestClock.adjust("4 seconds")
        expect(yield* Fiber.join(fiber)).toEqual(timedOut)
        expect(yield* Clock.currentTimeMillis).toBe(3_604_000)
      })
    )

    it.effect("a response just in time is a success", () =>
      Effect.gen(function* () {
        const { endedAt, exit } = yield* observeUpdate(() => Effect.delay(ok, "9999 millis"))
        expect(endedAt).toBe(9999)
        expect(exit).toEqual(Exit.succeed("ACTIVATED"))
      })
    )

    it.effect("an attempt that has timed out is interrupted", () =>
      Effect.gen(function* () {
        let interrupted = 0
        yield* observeUpdate(() => Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++)))
        expect(interrupted).toBe(3)
      })
    )

    it.effect("other effects are not bounded by them, and are repeated all the same", () =>
      Effect.gen(function* () {
        const { beganAt, endedAt, exit } = yield* observe(
          (count) =>
            Effect.delay(count === 1 ? Effect.fail(unavailable) : Effect.succeed("done"), "12 seconds"),
          { attemptTimeout: "1 second", deadline: "20 seconds" }
        )
        expect(beganAt).toEqual([0, 12_500])
        expect(endedAt).toBe(24_500)
        expect(exit).toEqual(Exit.succeed("done"))
      })
    )

    it.effect.each<{ readonly name: string; readonly work: Effect.Effect<Response> }>([
      {
        name: "uninterruptible work",
        work: Effect.uninterruptible(Effect.zipRight(Effect.sleep("1 hour"), ok))
      },
      {
        name: "a slow finalizer",
        work: Effect.onInterrupt(Effect.never, () => Effect.sleep("1 hour"))
      }
    ])("$name stretches neither an attempt nor the deadline", ({ work }) =>
      Effect.gen(function* () {
        const attempt = yield* observeUpdate(() => work, { attempts: 1, attemptTimeout: "1 second" })
        expect(attempt.endedAt).toBe(1000)
        expect(attempt.exit).toEqual(Exit.fail(timedOut))
        const all = yield* observeUpdate(() => work, { attemptTimeout: "2 hours", deadline: "5 seconds" })
        expect(all.endedAt).toBe(5000)
        expect(all.exit).toEqual(Exit.fail(timedOut))
      })
    )

    it.effect(
      "an attempt that is still ending after its timeout keeps its place: the next attempt waits for it",
      () =>
        Effect.gen(function* () {
          const slow = Effect.onInterrupt(Effect.never, () => Effect.sleep("2 seconds"))
          const { beganAt, exit } = yield* observeUpdate((count) => (count === 1 ? slow : ok), {
            attemptTimeout: "3 seconds"
          })
          expect(beganAt).toEqual([0, 5000])
          expect(exit).toEqual(Exit.succeed("ACTIVATED"))
        })
    )

    it.effect(
      "of an attempt that waits for the one before to wind up says so, and that it was not sent",
      () =>
        Effect.gen(function* () {
          const work = Effect.uninterruptible(Effect.zipRight(Effect.sleep("1 hour"), ok))
          const { beganAt, endedAt, exit } = yield* observeUpdate(() => work, {
            attempts: 2,
            attemptTimeout: "1 second"
          })
          expect(beganAt).toEqual([0])
          expect(endedAt).toBe(2500)
          expect(exit).toMatchObject({ cause: { error: { phase: "Queue", retried: { attempts: 2 } } } })
        })
    )

    it.effect("hold in a finalizer too", () =>
      Effect.gen(function* () {
        const service = yield* serviceOver(() => Effect.never)
        for (const policy of [
          RetryPolicy.retry({ attempts: 1, attemptTimeout: "2 seconds" }),
          RetryPolicy.timeout("2 seconds")
        ]) {
          const told: Array<unknown> = []
          const inFinalizer = Effect.flatMap(Effect.flip(policy(service.update(activated))), (error) =>
            Effect.sync(() => told.push(error))
          )
          const fiber = yield* Effect.fork(Effect.ensuring(Effect.void, Effect.ignore(inFinalizer)))
          yield* TestClock.adjust("2 seconds")
          yield* Fiber.join(fiber)
          expect(told).toEqual([timedOut])
        }
      })
    )

    it.effect("hold in a finalizer over the service in memory too", () =>
      Effect.gen(function* () {
        const { inject } = yield* InstallationServiceTest
        yield* inject(stallResponse())
        const told: Array<unknown> = []
        const report = update(activated).pipe(
          RetryPolicy.retry({ attempts: 1, attemptTimeout: "2 seconds" }),
          Effect.flip,
          Effect.map((error) => told.push(error)),
          Effect.ignore
        )
        const fiber = yield* Effect.fork(Effect.ensuring(Effect.void, report))
        yield* TestClock.adjust("2 seconds")
        yield* Fiber.join(fiber)
        expect(told).toEqual([new Infrastructure({ reason: "Timeout" })])
      }).pipe(Effect.provide(layerTest()))
    )

    it.effect("count elapsed time, however the wall clock is set meanwhile", () =>
      Effect.gen(function* () {
        for (const jump of [3_600_000, -3_600_000]) {
          const clock = yield* Effect.clock
          let isSet = false
          const jumping: Clock.Clock = {
            ...clock,
            [Clock.ClockTypeId]: Clock.ClockTypeId,
            unsafeCurrentTimeMillis: () => clock.unsafeCurrentTimeMillis() + (isSet ? jump : 0),
            unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos(),
            currentTimeMillis: Effect.map(clock.currentTimeMillis, (now) => now + (isSet ? jump : 0)),
            currentTimeNanos: clock.currentTimeNanos,
            sleep: (duration) => clock.sleep(duration)
          }
          let requests = 0
          const service = yield* serviceOver(() => {
            isSet = true
            return ++requests === 1 ? status(503) : Effect.never
          })
          const fiber = yield* service
            .update(activated)
            .pipe(
              RetryPolicy.retry({ deadline: "5 seconds" }),
              Effect.flip,
              Effect.withClock(jumping),
              Effect.fork
            )
          yield* TestClock.adjust("5 seconds")
          expect(yield* Fiber.join(fiber)).toMatchObject({ reason: "Timeout", retried: { attempts: 2 } })
        }
      })
    )

    it.effect("are the shortest of those around", () =>
      Effect.gen(function* () {
        const service = yield* serviceOver(() => Effect.never)
        const update = service.update(activated)
        const once = RetryPolicy.retry({ attempts: 1, attemptTimeout: "3 seconds" })
        for (const [bounded, millis] of [
          [update.pipe(once, RetryPolicy.timeout("1 second")), 1000],
          [update.pipe(RetryPolicy.timeout("1 second"), once), 1000],
          [update.pipe(once, RetryPolicy.timeout("5 seconds")), 3000]
        ] as const) {
          const fiber = yield* Effect.fork(Effect.timed(Effect.flip(bounded)))
          yield* TestClock.adjust("10 seconds")
          expect(Duration.toMillis((yield* Fiber.join(fiber))[0])).toBe(millis)
        }
      })
    )

    it.effect("around a policy end it before a wait that they would cut off", () =>
      Effect.gen(function* () {
        const { beganAt, endedAt, exit } = yield* observe(
          () => Effect.fail(unavailable),
          { baseDelay: "2 seconds" },
          "1 day",
          RetryPolicy.timeout("3 seconds")
        )
        expect(beganAt).toEqual([0, 2000])
        expect(endedAt).toBe(2000)
        expect(exit).toEqual(failedAfter(unavailable, 2, 2000))
      })
    )

    it.effect("timeout by itself fails with Infrastructure, reason Timeout, and does not try again", () =>
      Effect.gen(function* () {
        let attempts = 0
        const service = yield* serviceOver(() => {
          attempts++
          return Effect.never
        })
        const fiber = yield* service
          .update(activated)
          .pipe(RetryPolicy.timeout("2 seconds"), Effect.flip, Effect.fork)
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

  describe("after a 429", () => {
    const throttled = new Infrastructure({ reason: "RateLimited", status: 429 })

    it.effect("a wait is twice as long as after another failure", () =>
      Effect.gen(function* () {
        const { beganAt } = yield* observe(() => Effect.fail(throttled), { ...generous, attempts: 4 })
        expect(beganAt).toEqual([0, 1000, 3000, 7000])
      })
    )

    it.effect("only that wait is, not the one after the next failure", () =>
      Effect.gen(function* () {
        const { beganAt } = yield* observe((count) => Effect.fail(count === 1 ? throttled : unavailable))
        expect(beganAt).toEqual([0, 1000, 2000])
      })
    )

    it.effect("no wait is longer than maxDelay", () =>
      Effect.gen(function* () {
        const { beganAt } = yield* observe(() => Effect.fail(throttled), { maxDelay: "700 millis" })
        expect(beganAt).toEqual([0, 700, 1400])
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

  describe("the budget", () => {
    const clientOver = (answer: Parameters<typeof answering>[0]) =>
      Effect.gen(function* () {
        const { client, requests } = answering(answer)
        const service = yield* InstallationClient.make({ credentials: bearer("token") }).pipe(
          Effect.provideService(HttpClient.HttpClient, client)
        )
        const updateOf = (customer: number | string) =>
          service
            .update({ status: "ACTIVATED", metadata: { customer } })
            .pipe(Credentials.use(bearer(`customer-${customer}`)))
        return { requests, updateOf }
      })

    const runAll = <E>(updates: ReadonlyArray<Effect.Effect<unknown, E>>) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(
          Effect.forEach(updates, (update) => Effect.exit(update), { concurrency: "unbounded" })
        )
        yield* TestClock.adjust("5 minutes")
        return yield* Fiber.join(fiber)
      })

    const times = (count: number) => Array.from({ length: count }, (_, index) => index)

    const inTurn = (
      customers: number,
      update: (customer: number) => Effect.Effect<unknown, InstallationError>
    ) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(
          Effect.forEach(times(customers), (customer) => Effect.flip(update(customer)))
        )
        yield* TestClock.adjust("1 day")
        return yield* Fiber.join(fiber)
      })

    // A thousand timers would make it slow.
    const untimed = { attemptTimeout: Number.POSITIVE_INFINITY, deadline: Number.POSITIVE_INFINITY }

    it.effect(
      "keeps 1000 failing updates of 1000 customers to 1.11 requests an update",
      () =>
        Effect.gen(function* () {
          const { requests, updateOf } = yield* clientOver(() => status(503))
          const errors = yield* inTurn(1000, (customer) =>
            updateOf(customer).pipe(RetryPolicy.retry(untimed))
          )
          expect(new Set(errors.map(({ status }) => status))).toEqual(new Set([503]))
          // The first earns nothing, for as much as can be saved is there.
          expect(requests).toHaveLength(1000 + 10 + 99)
        }),
      30_000
    )

    it.effect(
      "keeps 1000 failing updates of one customer to as many",
      () =>
        Effect.gen(function* () {
          const { requests, updateOf } = yield* clientOver(() => status(503))
          yield* inTurn(1000, () => updateOf("one").pipe(RetryPolicy.retry(untimed)))
          expect(requests).toHaveLength(1000 + 10 + 99)
        }),
      30_000
    )

    it.effect(
      "of one who fails for ever is not what the others have: they are tried again as often as they need",
      () =>
        Effect.gen(function* () {
          const codes: Array<number> = []
          const { requests, updateOf } = yield* clientOver((request) =>
            status(authorizationOf(request) === "Bearer customer-broken" ? 503 : (codes.shift() ?? 400))
          )
          const round = Effect.zipRight(
            Effect.forEach(times(5), (customer) => Effect.exit(updateOf(customer))),
            updateOf("broken").pipe(RetryPolicy.retry(untimed))
          )
          yield* inTurn(200, () => round)
          // What was saved at first, and a tenth of its own updates.
          expect(requests.length - 200 * 6).toBe(10 + 19)
          codes.push(503, 503, 400)
          yield* runAll([updateOf("unlucky").pipe(RetryPolicy.retry())])
          expect(codes).toEqual([])
        }),
      30_000
    )

    it.effect(
      "switched off, there are 3.0",
      () =>
        Effect.gen(function* () {
          const { requests, updateOf } = yield* clientOver(() => status(503))
          yield* inTurn(1000, (customer) =>
            updateOf(customer).pipe(RetryPolicy.retry({ ...untimed, baseDelay: 0, budget: false }))
          )
          expect(requests).toHaveLength(3000)
        }),
      30_000
    )

    /** As many updates as are needed to spend what was saved: each is tried three times. */
    const spent = (updateOf: (customer: number) => Effect.Effect<unknown, InstallationError>) =>
      runAll(times(5).map((customer) => updateOf(customer).pipe(RetryPolicy.retry())))

    it.effect("an update without it costs nothing", () =>
      Effect.gen(function* () {
        const { requests, updateOf } = yield* clientOver(() => status(503))
        yield* runAll(
          times(20).map((customer) => updateOf(customer).pipe(RetryPolicy.retry({ budget: false })))
        )
        expect(requests).toHaveLength(60)
        yield* spent(updateOf)
        expect(requests).toHaveLength(75)
      })
    )

    it.effect("is shared by all updates of one client, of whichever customer and region", () =>
      Effect.gen(function* () {
        const { requests, updateOf } = yield* clientOver(() => status(503))
        yield* spent(updateOf)
        expect(requests).toHaveLength(15)
        // What this one has earned is a tenth of a retry.
        yield* runAll([updateOf("new").pipe(RetryPolicy.retry())])
        expect(requests).toHaveLength(16)
      })
    )

    it.effect("is asked by a policy around another one too", () =>
      Effect.gen(function* () {
        const { requests, updateOf } = yield* clientOver(() => status(503))
        yield* spent(updateOf)
        yield* runAll([updateOf("new").pipe(RetryPolicy.retry(), RetryPolicy.retry())])
        expect(requests).toHaveLength(16)
      })
    )

    it.effect("is that of the customer who failed, of several in one policy", () =>
      Effect.gen(function* () {
        const failing = new Set(["Bearer customer-broken"])
        const { requests, updateOf } = yield* clientOver((request) =>
          failing.has(authorizationOf(request) ?? "") ? status(503) : installation()
        )
        const both = Effect.all([updateOf("broken"), updateOf("sound")], { concurrency: 2 })
        for (const _ of times(5)) yield* runAll([both.pipe(RetryPolicy.retry())])
        const requestsOf = (customer: string) =>
          requests.filter((request) => authorizationOf(request) === `Bearer customer-${customer}`).length
        expect(requestsOf("broken")).toBe(15)
        // All together have earned again what was spent.
        yield* Effect.forEach(times(100), () => updateOf("third"))
        yield* runAll([updateOf("broken").pipe(RetryPolicy.retry())])
        expect(requestsOf("broken")).toBe(16)
        failing.add("Bearer customer-sound")
        const before = requestsOf("sound")
        yield* runAll([updateOf("sound").pipe(RetryPolicy.retry())])
        expect(requestsOf("sound") - before).toBe(3)
      })
    )

    it.effect("is asked with a timeout of each attempt inside of the policy, too", () =>
      Effect.gen(function* () {
        const { requests, updateOf } = yield* clientOver(() => status(503))
        yield* spent(updateOf)
        yield* runAll([updateOf("new").pipe(RetryPolicy.timeout("1 second"), RetryPolicy.retry())])
        expect(requests).toHaveLength(16)
      })
    )

    it.effect("is not shared by two clients", () =>
      Effect.gen(function* () {
        const one = yield* clientOver(() => status(503))
        const other = yield* clientOver(() => status(503))
        yield* spent(one.updateOf)
        yield* spent(other.updateOf)
        expect([one.requests.length, other.requests.length]).toEqual([15, 15])
      })
    )

    it.effect("earns a tenth by each first attempt, with or without a policy, and none by a retry", () =>
      Effect.gen(function* () {
        const codes: number[] = []
        const { requests, updateOf } = yield* clientOver(() => status(codes.shift() ?? 503))
        yield* spent(updateOf)
        yield* runAll([updateOf("early").pipe(RetryPolicy.retry())])
        expect(requests).toHaveLength(16)
        // Together with the one before and the one after, these make two retries.
        codes.push(...Array<number>(18).fill(400))
        yield* Effect.forEach(times(18), (customer) => Effect.exit(updateOf(customer)))
        yield* runAll([updateOf("late").pipe(RetryPolicy.retry({ attempts: 5 }))])
        expect(requests).toHaveLength(16 + 18 + 3)
        yield* runAll([updateOf("later").pipe(RetryPolicy.retry())])
        expect(requests).toHaveLength(16 + 18 + 3 + 1)
      })
    )

    it.effect("saves no more than 10", () =>
      Effect.gen(function* () {
        const codes = Array<number>(300).fill(400)
        const { requests, updateOf } = yield* clientOver(() => status(codes.shift() ?? 503))
        yield* Effect.forEach(times(300), (customer) => Effect.exit(updateOf(customer)))
        yield* runAll([updateOf("hungry").pipe(RetryPolicy.retry({ ...generous, attempts: 50 }))])
        expect(requests).toHaveLength(300 + 11)
      })
    )

    it.effect.each<{
      readonly name: string
      readonly answer: () => Response
      readonly options?: RetryPolicy.Options
    }>([
      { name: "attempts have run out", answer: () => status(503), options: { attempts: 1 } },
      { name: "the wait would end after the deadline", answer: () => status(503), options: { deadline: 1 } },
      { name: "the error is not retryable", answer: () => status(501) },
      { name: "the server asks for too long a wait", answer: () => status(429, { "retry-after": "21" }) }
    ])("is not charged where the policy gives up anyway: $name", ({ answer, options }) =>
      Effect.gen(function* () {
        let isFinal = true
        const { requests, updateOf } = yield* clientOver(() => (isFinal ? answer() : status(503)))
        yield* runAll(times(30).map((customer) => updateOf(customer).pipe(RetryPolicy.retry(options)))).pipe(
          // No wait is so short by chance that it would end before the deadline.
          Effect.withRandom(Random.fixed([0.5]))
        )
        expect(requests).toHaveLength(30)
        isFinal = false
        yield* spent(updateOf)
        expect(requests).toHaveLength(30 + 15)
      })
    )

    it.effect("is not charged for an error that is not of an update", () =>
      Effect.gen(function* () {
        const { requests, updateOf } = yield* clientOver(() => status(503))
        const exits = yield* runAll(
          times(30).map((customer) =>
            updateOf(customer).pipe(
              Effect.mapError(() => "foreign" as const),
              RetryPolicy.retry()
            )
          )
        )
        expect(exits).toEqual(times(30).map(() => Exit.fail("foreign")))
        expect(requests).toHaveLength(30)
        yield* spent(updateOf)
        expect(requests).toHaveLength(30 + 15)
      })
    )

    it.effect("does not limit what has no client", () =>
      Effect.gen(function* () {
        const { beganAt } = yield* observe(() => Effect.fail(unavailable), { ...generous, attempts: 25 })
        expect(beganAt).toHaveLength(25)
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
