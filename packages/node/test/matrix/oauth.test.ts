import { describe, expect, it } from "@effect/vitest"
import { type InstallationError, Unauthorized } from "@effect-pleo/core/InstallationError"
import * as Fault from "@effect-pleo/sandbox/Fault"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as OAuth from "../support/oauth.ts"
import * as RawServer from "../support/rawServer.ts"

const newTokens = JSON.stringify({
  access_token: "new-access-token",
  refresh_token: "new-refresh-token",
  expires_in: 3600
})

const tokenEndpoint = { path: "/oauth/token" }
const request = { status: "ACTIVATED" } as const

const turnOfTheEventLoop = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

const untilFirst = (seen: Effect.Effect<ReadonlyArray<unknown>>) =>
  Effect.repeat(Effect.zipRight(turnOfTheEventLoop, seen), { until: ({ length }) => length > 0 })

const reasonOf = (error: InstallationError) => ("reason" in error ? error.reason : error._tag)

for (const transport of ["node", "fetch"] as const)
  describe(`over ${transport}`, () => {
    const setUp = (options: OAuth.Options = {}) => OAuth.setUp({ transport, ...options })

    describe("a 401", () => {
      it.scopedLive("22 leads to one refresh, and the update is sent again", () =>
        Effect.gen(function* () {
          const { grantId, refreshes, sandbox, update, updates } = yield* setUp()
          yield* sandbox.expire(grantId)
          expect(yield* update(request)).toMatchObject({ status: "ACTIVATED" })
          expect(yield* refreshes).toEqual(["1 rotated"])
          expect(yield* updates).toEqual(["1 401", "2 200"])
        })
      )

      it.scopedLive("22 to a new token too is the last word, and refreshes no more", () =>
        Effect.gen(function* () {
          const { refreshes, sandbox, update, updates } = yield* setUp()
          yield* sandbox.order(Fault.status(401), 4, { path: "/v1/installations/me" })
          const errors = yield* Effect.replicateEffect(Effect.flip(update(request)), 3)
          for (const error of errors)
            expect(error).toMatchObject({ _tag: "Unauthorized", reason: "Unauthenticated", status: 401 })
          expect(yield* refreshes).toEqual(["1 rotated"])
          expect(yield* updates).toEqual(["1 401", "2 401", "2 401", "2 401"])
          expect(yield* update(request)).toMatchObject({ status: "ACTIVATED" })
          yield* sandbox.order(Fault.status(401), 1, { path: "/v1/installations/me" })
          yield* update(request)
          expect(yield* refreshes).toEqual(["1 rotated", "2 rotated"])
        })
      )
    })

    describe("an expired token", () => {
      it.scopedLive("64 is refreshed once for 1000 fibers", () =>
        Effect.gen(function* () {
          const server = yield* RawServer.make((request, socket) => {
            const isRefresh = request.requestLine.startsWith("POST ")
            socket.write(isRefresh ? RawServer.respond(200, {}, newTokens) : RawServer.updated)
          })
          const store = yield* OAuth.makeMemoryStore
          yield* OAuth.storeTokens(server.url, store, {
            accessToken: Redacted.make("old-access-token"),
            refreshToken: Redacted.make("old-refresh-token"),
            expiresIn: 0
          })
          const update = yield* OAuth.open(transport, server.url, store)
          yield* Effect.replicateEffect(update(request), 1000, { concurrency: "unbounded", discard: true })
          const lines = server.requests.map(({ requestLine }) => requestLine.split(" ")[0])
          expect(lines).toEqual(["POST", ...Array.from({ length: 1000 }, () => "PUT")])
          expect(new Set(server.requests.flatMap(RawServer.authorizationsOf))).toEqual(
            new Set(["Bearer new-access-token"])
          )
        })
      )

      it.scopedLive("66 is refreshed once, though the fiber that asked first is interrupted", () =>
        Effect.gen(function* () {
          const { refreshes, sandbox, update, updates } = yield* setUp({ storedFor: 0 })
          yield* sandbox.order(Fault.delay("100 millis"), 1, tokenEndpoint)
          const leader = yield* Effect.fork(update(request))
          const others = yield* Effect.fork(Effect.replicateEffect(update(request), 10, { concurrency: 10 }))
          yield* untilFirst(refreshes)
          yield* Fiber.interrupt(leader)
          yield* Fiber.join(others)
          expect(yield* refreshes).toEqual(["1 rotated"])
          expect(yield* updates).toEqual(Array.from({ length: 10 }, () => "2 200"))
        })
      )
    })

    it.scopedLive(
      "65 a late 401 to a token already replaced leads to no refresh, and the update is sent again",
      () =>
        Effect.gen(function* () {
          const { another, refreshes, sandbox, update, updates } = yield* setUp()
          yield* update(request)
          // Another process replaces the token that this one goes on with.
          const other = yield* another()
          yield* sandbox.order(Fault.status(401), 1, { path: "/v1/installations/me" })
          yield* other(request)
          yield* update(request)
          expect(yield* refreshes).toEqual(["1 rotated"])
          expect(yield* updates).toEqual(["1 200", "1 401", "2 200", "1 401", "2 200"])
        })
    )

    describe("a refresh whose answer is lost", () => {
      const faults = {
        "is reset": Fault.lose,
        "stalls until it is late": Fault.stall,
        "is a 502": Fault.status(502),
        "is a 504": Fault.status(504),
        "is a page": Fault.garbage
      }
      for (const [name, fault] of Object.entries(faults))
        it.scopedLive(
          `67 is not sent again when it ${name}: the customer has to authorise the app anew`,
          () =>
            Effect.gen(function* () {
              const { another, authorizeAgain, refreshes, sandbox, updates } = yield* setUp({ storedFor: 0 })
              const update = yield* another({ timeout: "200 millis" })
              yield* sandbox.order(fault, 1, tokenEndpoint)
              for (let time = 0; time < 3; time++) {
                const error = yield* Effect.flip(update(request))
                expect(error).toBeInstanceOf(Unauthorized)
                expect(reasonOf(error)).toBe("ReauthorizationRequired")
                expect(error.message).toContain("the refresh token was sent and no answer came")
              }
              expect(yield* Effect.flip((yield* another())(request))).toBeInstanceOf(Unauthorized)
              expect((yield* refreshes).length).toBe(1)
              expect(yield* updates).toEqual([])
              yield* authorizeAgain
              yield* update(request)
              expect((yield* refreshes).length).toBe(2)
            })
        )

      it.scopedLive("67 is found in the store, when another process has stored new tokens meanwhile", () =>
        Effect.gen(function* () {
          const { another, authorizeAgain, refreshes, sandbox, updates } = yield* setUp()
          const update = yield* another({ timeout: "1 second" })
          yield* sandbox.order(Fault.status(401), 1, { path: "/v1/installations/me" })
          yield* sandbox.order(Fault.stall, 1, tokenEndpoint)
          const fiber = yield* Effect.fork(update(request))
          yield* untilFirst(refreshes)
          yield* authorizeAgain
          expect(yield* Fiber.join(fiber)).toMatchObject({ status: "ACTIVATED" })
          expect((yield* refreshes).length).toBe(1)
          expect(yield* updates).toEqual(["1 401", "1 200"])
        })
      )
    })

    it.scopedLive.each([-1, 1])("68 a clock that is %i hours off changes nothing about the expiry", (hours) =>
      Effect.gen(function* () {
        const { refreshes, update } = yield* setUp({ expiresIn: "30 minutes" })
        yield* update(request)
        const live = yield* Effect.clock
        const off: Clock.Clock = {
          ...live,
          [Clock.ClockTypeId]: Clock.ClockTypeId,
          currentTimeMillis: Effect.map(live.currentTimeMillis, (now) => now + hours * 3_600_000),
          unsafeCurrentTimeMillis: () => live.unsafeCurrentTimeMillis() + hours * 3_600_000,
          unsafeCurrentTimeNanos: () => live.unsafeCurrentTimeNanos(),
          sleep: (duration) => live.sleep(duration)
        }
        yield* Effect.withClock(update(request), off)
        expect(yield* refreshes).toEqual([])
      })
    )
  })
