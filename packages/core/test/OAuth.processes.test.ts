import { describe, expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as Credentials from "../src/Credentials.ts"
import * as OAuth from "../src/OAuth.ts"
import * as RetryPolicy from "../src/RetryPolicy.ts"
import * as FakeOAuth from "./support/fakeOAuth.ts"
import { activated } from "./support/http.ts"

const reauthorize = { _tag: "Unauthorized", reason: "ReauthorizationRequired" }

/** Stores what a process leaves behind that dies while it refreshes. */
const leaveLease = (shelf: FakeOAuth.Shelf, key: string, duration: Duration.DurationInput = "20 seconds") => {
  const stored = shelf.stored.get(key)
  if (stored?.authorization._tag !== "Active") throw new Error("no tokens are stored")
  return shelf.store.save(key, stored.generation, {
    _tag: "Refreshing",
    tokens: stored.authorization.tokens,
    lease: "of a process that died",
    duration: Duration.decode(duration)
  })
}

const onlyKey = (shelf: FakeOAuth.Shelf): string => [...shelf.stored.keys()].join()

/** The test's clock, as a process has it whose wall clock is off. */
const off = (hours: number) =>
  Effect.map(Effect.clock, (clock): Clock.Clock => {
    const shift = hours * 3_600_000
    return {
      [Clock.ClockTypeId]: Clock.ClockTypeId,
      currentTimeMillis: Effect.map(clock.currentTimeMillis, (now) => now + shift),
      currentTimeNanos: clock.currentTimeNanos,
      unsafeCurrentTimeMillis: () => clock.unsafeCurrentTimeMillis() + shift,
      unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos(),
      sleep: (duration) => clock.sleep(duration)
    }
  })

describe("processes that share a store", () => {
  it.scoped("refresh once together, and both go on with what came of it", () =>
    Effect.gen(function* () {
      const { server, shelf, update } = yield* FakeOAuth.setUp(0)
      const other = yield* FakeOAuth.startProcess(server, shelf.store)
      server.tokenFaults.push(FakeOAuth.slow("3 seconds"))
      const fiber = yield* Effect.fork(
        Effect.all([update(activated), other(activated)], { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(fiber)
      expect(server.presented).toEqual(["refresh-canary-1"])
      expect(server.updates).toEqual(["access-canary-2 200", "access-canary-2 200"])
    })
  )

  it.scoped("send nothing with a token that came while they were frozen past the deadline", () =>
    Effect.gen(function* () {
      const { server, update } = yield* FakeOAuth.setUp(0)
      const clock = yield* off(0)
      let frozen = 0n
      server.tokenFaults.push((answer) =>
        Effect.sync(() => {
          frozen = 10_000_000_000n
          return answer()
        })
      )
      const error = yield* update(activated).pipe(
        RetryPolicy.timeout("5 seconds"),
        Effect.withClock({
          ...clock,
          currentTimeNanos: Effect.map(clock.currentTimeNanos, (now) => now + frozen),
          unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos() + frozen
        }),
        Effect.flip
      )
      expect(error).toMatchObject({ reason: "Timeout", mayHaveBeenApplied: false })
      expect(server.updates).toEqual([])
    })
  )

  it.scoped(
    "use tokens that are stored anew while a refresh is under way, and not what that one brings",
    () =>
      Effect.gen(function* () {
        const { server, shelf, update } = yield* FakeOAuth.setUp(0)
        server.tokenFaults.push(FakeOAuth.slow("1 second"))
        const fiber = yield* Effect.fork(update(activated))
        yield* TestClock.adjust("500 millis")
        const anew = server.authorize()
        yield* FakeOAuth.storeTokens(shelf.store, anew)
        yield* TestClock.adjust("500 millis")
        yield* Fiber.join(fiber)
        expect(server.updates).toEqual([`${anew.accessToken} 200`])
        expect(shelf.only).toMatchObject({ _tag: "Active" })
      })
  )

  describe("a lease", () => {
    it.scoped.each([-1, 0, 1])(
      "whose owner died is declared lost after its duration, not earlier and not refreshed, with a clock that is %i hours off",
      (hours) =>
        Effect.gen(function* () {
          const { server, shelf, update } = yield* FakeOAuth.setUp(0)
          yield* leaveLease(shelf, onlyKey(shelf))
          const fiber = yield* Effect.fork(
            Effect.withClock(Effect.flip(update(activated)), yield* off(hours))
          )
          yield* TestClock.adjust("19 seconds")
          expect(shelf.only._tag).toBe("Refreshing")
          expect(fiber.unsafePoll()).toBeNull()
          yield* TestClock.adjust("1 second")
          expect(yield* Fiber.join(fiber)).toMatchObject(reauthorize)
          expect(shelf.only).toMatchObject({ _tag: "Ended", reason: "Lost" })
          expect(server.tokenRequests).toEqual([])
          yield* FakeOAuth.storeTokens(shelf.store, server.authorize())
          expect(yield* update(activated)).toMatchObject({ status: "ACTIVATED" })
        })
    )

    it.scoped("of another customer delays no update, however many there are", () =>
      Effect.gen(function* () {
        const server = new FakeOAuth.Server()
        const shelf = new FakeOAuth.Shelf()
        const leased = Array.from({ length: 16 }, (_, index) => `leased-${index}`)
        for (const tenant of leased) {
          yield* FakeOAuth.storeTokens(shelf.store, server.authorize(tenant), 0)
          const key = [...shelf.stored.keys()].at(-1)
          if (key !== undefined) yield* leaveLease(shelf, key, "2 seconds")
        }
        yield* FakeOAuth.storeTokens(shelf.store, server.authorize("free"), 0)
        const update = yield* FakeOAuth.startProcess(server, shelf.store)
        const updateOf = (tenant: string) => Credentials.use(update(activated), OAuth.tenant(tenant))
        const waiting = yield* Effect.fork(
          Effect.forEach(leased, (tenant) => Effect.flip(updateOf(tenant)), { concurrency: "unbounded" })
        )
        yield* FakeOAuth.settled
        const free = yield* Effect.fork(updateOf("free"))
        yield* FakeOAuth.settled
        expect(server.updates).toEqual(["access-canary-18 200"])
        yield* Fiber.join(free)
        yield* TestClock.adjust("3 seconds")
        for (const error of yield* Fiber.join(waiting)) expect(error).toMatchObject(reauthorize)
      })
    )

    it.scoped(
      "that was stored, though the store said it was not, is given back before it counts as lost",
      () =>
        Effect.gen(function* () {
          const { server, shelf, update } = yield* FakeOAuth.setUp(0)
          shelf.next.push("works", "stores, and fails")
          expect(yield* Effect.flip(update(activated))).toMatchObject({
            reason: "TokenStore",
            code: "ENOSPC",
            isRetryable: true
          })
          expect(server.tokenRequests).toEqual([])
          const other = yield* FakeOAuth.startProcess(server, shelf.store)
          const fiber = yield* Effect.fork(other(activated))
          yield* TestClock.adjust("1 second")
          expect(yield* Fiber.join(fiber)).toMatchObject({ status: "ACTIVATED" })
          expect(server.replayed).toEqual([])
        })
    )

    it.scoped("of the same kind is taken up at once by the process whose own it is", () =>
      Effect.gen(function* () {
        const { server, shelf, update } = yield* FakeOAuth.setUp(0)
        // Nor can it be given back at first.
        shelf.next.push("works", "stores, and fails", "fails")
        yield* Effect.flip(update(activated))
        expect(shelf.only._tag).toBe("Refreshing")
        expect(yield* update(activated)).toMatchObject({ status: "ACTIVATED" })
        expect(server.presented).toEqual(["refresh-canary-1"])
        yield* TestClock.adjust("1 minute")
        expect(shelf.only._tag).toBe("Active")
      })
    )

    it.scoped("of the same kind is given back once, however often the store fails", () =>
      Effect.gen(function* () {
        const { server, shelf, update } = yield* FakeOAuth.setUp(0)
        shelf.isReadOnly = true
        yield* Effect.replicateEffect(Effect.flip(update(activated)), 20, { discard: true })
        const { loads } = shelf
        yield* TestClock.adjust("1 minute")
        // The exponential waits, and then one look every 5 seconds.
        expect(shelf.loads - loads).toBeLessThan(25)
        shelf.isReadOnly = false
        expect(yield* update(activated)).toMatchObject({ status: "ACTIVATED" })
        yield* TestClock.adjust("5 seconds")
        expect(server.presented).toEqual(["refresh-canary-1"])
        expect(shelf.only._tag).toBe("Active")
      })
    )

    it.scoped("under which nothing was sent is not lost, though another process has said so", () =>
      Effect.gen(function* () {
        const { server, shelf, update } = yield* FakeOAuth.setUp(0)
        server.tokenFaults.push((answer, request) => {
          shelf.isDown = true
          return FakeOAuth.status(503)(answer, request)
        })
        const fiber = yield* Effect.fork(Effect.flip(update(activated)))
        yield* TestClock.adjust("25 seconds")
        expect(yield* Fiber.join(fiber)).toMatchObject({ reason: "TokenEndpoint", status: 503 })
        shelf.isDown = false
        const [key = "", stored] = [...shelf.stored][0] ?? []
        if (stored?.authorization._tag !== "Refreshing") throw new Error("no lease is stored")
        const { lease } = stored.authorization
        yield* shelf.store.save(key, stored.generation, { _tag: "Ended", reason: "Lost", lease })
        yield* TestClock.adjust("5 seconds")
        expect(shelf.only._tag).toBe("Active")
        const other = yield* FakeOAuth.startProcess(server, shelf.store)
        expect(yield* other(activated)).toMatchObject({ status: "ACTIVATED" })
        expect(server.replayed).toEqual([])
      })
    )
  })

  it.scoped("a refresh whose response is lost is not sent again by any process", () =>
    Effect.gen(function* () {
      const { server, shelf, update } = yield* FakeOAuth.setUp(0)
      const other = yield* FakeOAuth.startProcess(server, shelf.store)
      server.tokenFaults.push(FakeOAuth.lost)
      for (const each of [update, other, update])
        expect(yield* Effect.flip(each(activated))).toMatchObject(reauthorize)
      expect(server.presented).toEqual(["refresh-canary-1"])
    })
  )

  describe("new tokens that cannot be stored", () => {
    const receiveWhileDown = Effect.gen(function* () {
      const { server, shelf, update } = yield* FakeOAuth.setUp(0)
      server.tokenFaults.push((answer) =>
        Effect.sync(() => {
          shelf.isDown = true
          return answer()
        })
      )
      const fiber = yield* Effect.fork(update(activated))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(fiber)
      return { server, shelf, update }
    })

    it.scoped("are used meanwhile, and stored when the store is back", () =>
      Effect.gen(function* () {
        const { server, shelf, update } = yield* receiveWhileDown
        yield* update(activated)
        expect(server.updates).toEqual(["access-canary-2 200", "access-canary-2 200"])
        yield* TestClock.adjust("5 minutes")
        shelf.isDown = false
        expect(shelf.only._tag).toBe("Refreshing")
        yield* TestClock.adjust("5 seconds")
        expect(shelf.only._tag).toBe("Active")
        const other = yield* FakeOAuth.startProcess(server, shelf.store)
        yield* other(activated)
        expect(server.replayed).toEqual([])
      })
    )

    it.scoped("overrule a process that has declared them lost meanwhile", () =>
      Effect.gen(function* () {
        const { server, shelf } = yield* receiveWhileDown
        const [key = "", stored] = [...shelf.stored][0] ?? []
        if (stored?.authorization._tag !== "Refreshing") throw new Error("no lease is stored")
        const { lease } = stored.authorization
        shelf.isDown = false
        yield* shelf.store.save(key, stored.generation, { _tag: "Ended", reason: "Lost", lease })
        const other = yield* FakeOAuth.startProcess(server, shelf.store)
        expect(yield* Effect.flip(other(activated))).toMatchObject(reauthorize)
        yield* TestClock.adjust("5 seconds")
        yield* other(activated)
        expect(server.updates.at(-1)).toBe("access-canary-2 200")
      })
    )

    it.scoped("do not replace newer tokens", () =>
      Effect.gen(function* () {
        const { server, shelf } = yield* receiveWhileDown
        shelf.isDown = false
        const anew = server.authorize()
        yield* FakeOAuth.storeTokens(shelf.store, anew)
        yield* TestClock.adjust("1 minute")
        const other = yield* FakeOAuth.startProcess(server, shelf.store)
        yield* other(activated)
        expect(server.updates.at(-1)).toBe(`${anew.accessToken} 200`)
      })
    )

    it.scoped("are the ones that are renewed when they are refused before they are stored", () =>
      Effect.gen(function* () {
        const { server, shelf, update } = yield* receiveWhileDown
        shelf.isDown = false
        server.updateFaults.push(FakeOAuth.status(401))
        yield* update(activated)
        expect(server.presented).toEqual(["refresh-canary-1", "refresh-canary-2"])
        yield* TestClock.adjust("1 minute")
        const other = yield* FakeOAuth.startProcess(server, shelf.store)
        yield* other(activated)
        expect(server.replayed).toEqual([])
        expect(server.updates.at(-1)).toBe("access-canary-3 200")
      })
    )
  })
})
