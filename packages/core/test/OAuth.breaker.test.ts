import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/TestClock"
import * as Credentials from "../src/Credentials.ts"
import * as OAuth from "../src/OAuth.ts"
import * as RetryPolicy from "../src/RetryPolicy.ts"
import * as FakeOAuth from "./support/fakeOAuth.ts"
import { activated } from "./support/http.ts"

/** An app with customers whose access tokens live for `expiresIn`. */
const setUp = (count: number, expiresIn: Duration.DurationInput = 0) =>
  Effect.gen(function* () {
    const server = new FakeOAuth.Server()
    const shelf = new FakeOAuth.Shelf()
    const tenants = Array.from({ length: count }, (_, index) => `tenant-${index}`)
    for (const tenant of tenants)
      yield* FakeOAuth.storeTokens(shelf.store, server.authorize(tenant), expiresIn)
    const update = yield* FakeOAuth.startProcess(server, shelf.store, { tenant: undefined })
    const updateOf = (tenant: string) => Credentials.use(update(activated), OAuth.tenant(tenant))
    const lost = () =>
      [...shelf.stored.values()].filter(
        ({ authorization }) => authorization._tag === "Ended" && authorization.reason === "Lost"
      ).length
    /** Meets the next token requests with a fault. */
    const respondWith = (fault: FakeOAuth.Fault, times = 1000) => {
      server.tokenFaults.length = 0
      for (let time = 0; time < times; time++) server.tokenFaults.push(fault)
    }
    /** Updates all customers at once. */
    const updateAll = Effect.forEach(tenants, (tenant) => Effect.either(updateOf(tenant)), {
      concurrency: "unbounded"
    })
    return { server, shelf, tenants, updateOf, updateAll, lost, respondWith }
  })

/** Runs an effect while the clock goes on, second by second until it ends. */
const within = <A, E, R>(duration: Duration.DurationInput, self: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(self)
    let left = Duration.toSeconds(duration)
    for (; left > 0 && fiber.unsafePoll() === null; left--) yield* TestClock.adjust("1 second")
    yield* TestClock.adjust(Duration.seconds(left))
    return yield* Fiber.join(fiber)
  })

const refused = { _tag: "Infrastructure", reason: "TokenEndpoint", isRetryable: true }

const retryAfterOf = (error: unknown) => (error as { readonly retryAfter: Duration.Duration }).retryAfter

/** Loses the tokens of the first three customers. */
const stalled = (count: number) =>
  Effect.gen(function* () {
    const app = yield* setUp(count)
    app.respondWith(FakeOAuth.hang)
    yield* within("10 seconds", app.updateAll)
    expect(app.lost()).toBe(3)
    return app
  })

describe("79 a token endpoint that stalls", () => {
  it.scoped("costs three of a hundred customers, and the others keep their refresh tokens", () =>
    Effect.gen(function* () {
      const { lost, respondWith, server, updateAll } = yield* setUp(100)
      respondWith(FakeOAuth.hang)
      const updating = yield* Effect.fork(updateAll)
      yield* TestClock.adjust("10 seconds")
      expect(lost()).toBe(3)
      yield* TestClock.adjust("10 seconds")
      expect(lost()).toBe(3)
      const outcomes = yield* Fiber.join(updating)
      expect(server.tokenRequests).toHaveLength(3)
      const errors = outcomes.flatMap((outcome) => (Either.isLeft(outcome) ? [outcome.left] : []))
      const others = errors.filter(({ _tag }) => _tag === "Infrastructure")
      expect(others).toHaveLength(97)
      for (const error of others) {
        expect(error).toMatchObject({ ...refused, mayHaveBeenApplied: false })
        expect(Duration.toSeconds(retryAfterOf(error))).toBe(30)
      }
      respondWith(FakeOAuth.hang, 0)
      yield* TestClock.adjust("1 minute")
      // The first to come shows that the endpoint responds again.
      yield* updateAll
      const again = yield* updateAll
      expect(again.filter(Either.isRight)).toHaveLength(97)
      expect(server.replayed).toEqual([])
    })
  )

  it.scoped("costs no more than the exchanges under way when it begins to", () =>
    Effect.gen(function* () {
      const { lost, respondWith, server, updateAll, updateOf } = yield* setUp(100)
      respondWith(FakeOAuth.hang)
      server.tokenFaults.fill(FakeOAuth.slow("1 second"), 0, 20)
      yield* within("30 seconds", updateAll)
      expect(server.mostExchanging).toBe(16)
      expect(lost()).toBe(16)
      expect(server.tokenRequests).toHaveLength(36)
      // One stall makes one pause, however many tokens it cost.
      respondWith(FakeOAuth.hang, 0)
      yield* TestClock.adjust("20 seconds")
      expect(yield* updateOf("tenant-99")).toMatchObject({ status: "ACTIVATED" })
    })
  )

  it.scoped("is tried again with one customer at a time, and ever more rarely", () =>
    Effect.gen(function* () {
      const { lost, server, updateAll } = yield* stalled(15)
      let requests = 3
      for (const pause of [30, 60, 120, 240, 480, 960, 1800, 1800]) {
        yield* TestClock.adjust(Duration.millis(1000 * pause - 1))
        yield* updateAll
        expect(server.tokenRequests).toHaveLength(requests)
        yield* TestClock.adjust("1 millis")
        yield* within("10 seconds", updateAll)
        expect(server.tokenRequests).toHaveLength(++requests)
        expect(lost()).toBe(requests)
      }
      expect(server.mostExchanging).toBe(3)
    })
  )

  it.scoped("refuses others at once while one customer's refresh token is tried", () =>
    Effect.gen(function* () {
      const { server, updateOf } = yield* stalled(10)
      yield* TestClock.adjust("30 seconds")
      const probe = yield* Effect.fork(Effect.flip(updateOf("tenant-5")))
      yield* FakeOAuth.settled
      const error = yield* Effect.flip(updateOf("tenant-6"))
      expect(error).toMatchObject(refused)
      expect(Duration.toSeconds(retryAfterOf(error))).toBe(1)
      expect(server.tokenRequests).toHaveLength(4)
      yield* TestClock.adjust("10 seconds")
      expect(yield* Fiber.join(probe)).toMatchObject({ reason: "ReauthorizationRequired" })
    })
  )

  it.scoped("is used on by a retry after the pause, once it responds", () =>
    Effect.gen(function* () {
      const { respondWith, updateOf } = yield* stalled(10)
      respondWith(FakeOAuth.hang, 0)
      yield* TestClock.adjust("15 seconds")
      const fiber = yield* Effect.fork(updateOf("tenant-5").pipe(RetryPolicy.retry()))
      yield* TestClock.adjust("20 seconds")
      expect(yield* Fiber.join(fiber)).toMatchObject({ status: "ACTIVATED" })
    })
  )

  it.scoped.each([
    ["Refused", FakeOAuth.oauthError("invalid_grant")],
    ["503", FakeOAuth.status(503)],
    ["invalid_client", FakeOAuth.oauthError("invalid_client", 401)]
  ] as const)("is trusted again after any response: %s", ([, response]) =>
    Effect.gen(function* () {
      const { respondWith, server, updateAll, updateOf } = yield* stalled(10)
      respondWith(response, 1)
      yield* TestClock.adjust("30 seconds")
      yield* Effect.flip(updateOf("tenant-5"))
      const outcomes = yield* updateAll
      expect(outcomes.filter(Either.isRight).length).toBeGreaterThanOrEqual(6)
      expect(server.tokenRequests.length).toBeGreaterThanOrEqual(10)
    })
  )

  it.scoped("puts no token at risk, and stays suspect, while connections to it fail", () =>
    Effect.gen(function* () {
      const { lost, respondWith, server, updateAll, updateOf } = yield* stalled(10)
      yield* TestClock.adjust("30 seconds")
      respondWith(FakeOAuth.unsent)
      expect(yield* Effect.flip(updateOf("tenant-5"))).toMatchObject({ ...refused, code: "ECONNREFUSED" })
      respondWith(FakeOAuth.hang)
      yield* within("10 seconds", updateAll)
      expect(lost()).toBe(4)
      expect(server.mostExchanging).toBe(3)
    })
  )

  it.scoped.each([
    ["502", FakeOAuth.status(502)],
    ["a page", FakeOAuth.answered(() => "<!doctype html>")],
    ["a reset", FakeOAuth.lost]
  ] as const)("is like one that loses tokens otherwise: %s", ([, fault]) =>
    Effect.gen(function* () {
      const { lost, respondWith, updateAll } = yield* setUp(100)
      respondWith(fault)
      yield* updateAll
      expect(lost()).toBe(3)
    })
  )

  it.scoped("is no reason to wait for customers whose access tokens are good", () =>
    Effect.gen(function* () {
      const { lost, respondWith, server, shelf, updateAll, updateOf } = yield* setUp(10, "1 hour")
      yield* updateAll
      for (const tenant of ["a", "b", "c"])
        yield* FakeOAuth.storeTokens(shelf.store, server.authorize(tenant), 0)
      respondWith(FakeOAuth.hang)
      yield* TestClock.adjust("3540 seconds")
      yield* within(
        "10 seconds",
        Effect.forEach(["a", "b", "c"], (tenant) => Effect.flip(updateOf(tenant)), { concurrency: 3 })
      )
      expect(lost()).toBe(3)
      for (let time = 0; time < 3; time++) {
        // No time passes: they neither wait for the endpoint nor try it, even after the pause.
        expect((yield* updateAll).every(Either.isRight)).toBe(true)
        yield* TestClock.adjust("16 seconds")
      }
      expect(server.tokenRequests).toHaveLength(3)
      expect(lost()).toBe(3)
    })
  )

  it.scoped("is logged once, on one line, without a secret", () => {
    const logged: Array<string> = []
    const logger = Logger.map(Logger.logfmtLogger, (line) => logged.push(line))
    return Effect.gen(function* () {
      const { updateAll } = yield* stalled(20)
      for (let time = 0; time < 5; time++) yield* within("5 minutes", updateAll)
      const warnings = logged.filter((line) => line.includes("level=WARN"))
      expect(warnings).toHaveLength(1)
      expect(warnings.join()).toContain("The token endpoint did not respond to several refreshes in a row")
      expect(warnings.join()).not.toMatch(/canary|\n/)
    }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
  })
})

describe("80 a token endpoint that asks for a pause", () => {
  it.scoped.each([429, 503])("is left alone by all customers until then: %i", (status) =>
    Effect.gen(function* () {
      const { respondWith, server, shelf, updateAll, updateOf } = yield* setUp(30)
      respondWith(FakeOAuth.status(status, "", { "retry-after": "40" }), 1)
      expect(yield* Effect.flip(updateOf("tenant-0"))).toMatchObject({ ...refused, status })
      yield* TestClock.adjust("30 seconds")
      for (const outcome of yield* updateAll) {
        const error = Either.isLeft(outcome) ? outcome.left : undefined
        expect(error).toMatchObject({ ...refused, status })
        expect(Duration.toSeconds(retryAfterOf(error))).toBe(10)
      }
      expect(server.tokenRequests).toHaveLength(1)
      const good = server.authorize("good")
      yield* FakeOAuth.storeTokens(shelf.store, good)
      yield* updateOf("good")
      yield* TestClock.adjust("10 seconds")
      expect((yield* updateAll).every(Either.isRight)).toBe(true)
    })
  )

  it.scoped.each([
    ["after its pause", FakeOAuth.status(429, "", { "retry-after": "40" })],
    ["after a stall", FakeOAuth.hang]
  ] as const)("is met by no more than 16 customers at once %s, and serves all", ([, fault]) =>
    Effect.gen(function* () {
      const { respondWith, server, tenants, updateOf } = yield* setUp(100)
      respondWith(fault, 3)
      yield* within(
        "10 seconds",
        Effect.forEach(tenants.slice(0, 3), (tenant) => Effect.either(updateOf(tenant)), { concurrency: 3 })
      )
      yield* TestClock.adjust("1 minute")
      respondWith(FakeOAuth.slow("1 second"))
      yield* within("1 second", updateOf("tenant-3"))
      server.mostExchanging = 0
      const outcomes = yield* within(
        "1 minute",
        Effect.forEach(tenants.slice(4), (tenant) => Effect.either(updateOf(tenant)), {
          concurrency: "unbounded"
        })
      )
      expect(outcomes.every(Either.isRight)).toBe(true)
      expect(server.mostExchanging).toBe(16)
    })
  )

  it.scoped("of no time is not met by all that wait at once", () =>
    Effect.gen(function* () {
      const { respondWith, server, updateAll } = yield* setUp(100)
      const asks = FakeOAuth.status(429, "", { "retry-after": "0" })
      respondWith(FakeOAuth.slow("1 second"))
      server.tokenFaults.fill((...request) => Effect.delay(asks(...request), "1 second"), 0, 3)
      const outcomes = yield* within("1 minute", updateAll)
      expect(server.mostExchanging).toBe(16)
      expect(outcomes.filter(Either.isRight)).toHaveLength(97)
    })
  )

  it.scoped("is not met earlier because another exchange succeeds meanwhile", () =>
    Effect.gen(function* () {
      const { server, updateOf } = yield* setUp(3)
      server.tokenFaults.push(FakeOAuth.slow("2 seconds"), FakeOAuth.status(429, "", { "retry-after": "40" }))
      const slow = yield* Effect.fork(updateOf("tenant-0"))
      yield* FakeOAuth.settled
      yield* Effect.flip(updateOf("tenant-1"))
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(slow)
      expect(yield* Effect.flip(updateOf("tenant-2"))).toMatchObject({ ...refused, status: 429 })
      expect(server.tokenRequests).toHaveLength(2)
    })
  )

  it.scoped("is heard behind a gateway that loses a token", () =>
    Effect.gen(function* () {
      const { lost, respondWith, server, updateAll, updateOf } = yield* setUp(10)
      respondWith(FakeOAuth.status(504, "", { "retry-after": "40" }), 1)
      yield* Effect.flip(updateOf("tenant-0"))
      expect(lost()).toBe(1)
      yield* TestClock.adjust("30 seconds")
      const outcomes = yield* updateAll
      expect(outcomes[5]).toMatchObject({ left: refused })
      expect(server.tokenRequests).toHaveLength(1)
    })
  )
})
