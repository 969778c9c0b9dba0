import { describe, expect, it } from "@effect/vitest"
import * as Credentials from "@effect-pleo/core/Credentials"
import { Installation } from "@effect-pleo/core/Installation"
import {
  BadRequest,
  Infrastructure,
  type InstallationError,
  Unauthorized
} from "@effect-pleo/core/InstallationError"
import { update } from "@effect-pleo/core/InstallationService"
import * as OAuth from "@effect-pleo/core/OAuth"
import * as RetryPolicy from "@effect-pleo/core/RetryPolicy"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import { exampleRequest, statuses } from "../../core/test/support/contract.ts"
import { infrastructureReasons, unauthorizedReasons } from "../../core/test/support/errors.ts"
import { answering, installation, send } from "../../core/test/support/http.ts"
import { hostileKeys } from "../../core/test/support/json.ts"
import * as Fault from "../src/Fault.ts"
import * as InstallationServiceTest from "../src/InstallationServiceTest.ts"

const inside = Effect.flatMap(
  InstallationServiceTest.InstallationServiceTest,
  ({ installation }) => installation
)

const received = Effect.flatMap(InstallationServiceTest.InstallationServiceTest, ({ requests }) => requests)

const updates = Effect.flatMap(InstallationServiceTest.InstallationServiceTest, ({ updates }) => updates)

const inject = (...faults: ReadonlyArray<Fault.Fault<InstallationError>>) =>
  Effect.flatMap(InstallationServiceTest.InstallationServiceTest, (test) => test.inject(...faults))

const awaitUpdates = (count: number) =>
  Effect.flatMap(InstallationServiceTest.InstallationServiceTest, (test) => test.awaitUpdates(count))

const { delay, fail, stallResponse } = Fault

/** The update is applied when its time has passed, with its response. */
const takes = (duration: Duration.DurationInput) => delay(duration, { isApplied: false })

const unavailable = new Infrastructure({ reason: "ServerError", status: 503 })
const timedOut = new Infrastructure({ reason: "Timeout" })
const lost = new Infrastructure({ reason: "Transport", code: "ECONNRESET" })

/** When each update was received, and ended, in milliseconds. */
const times = Effect.map(updates, (updates) =>
  updates.map(({ endedAt, receivedAt }) => [receivedAt.epochMillis, endedAt?.epochMillis])
)

const outcomes = Effect.map(updates, (updates) => updates.map(({ outcome }) => outcome._tag))

const fresh = Effect.provide(InstallationServiceTest.layerTest())

const seeded = (installation: Partial<Installation>) =>
  Effect.provide(InstallationServiceTest.layerTest({ installation }))

const faulty = (options: InstallationServiceTest.Options) =>
  Effect.provide(InstallationServiceTest.layerTest(options))

describe("InstallationServiceTest", () => {
  it.effect("begins with an installation that is AUTHORIZED and has no metadata", () =>
    Effect.gen(function* () {
      const installation = yield* inside
      expect(installation).toMatchObject({ status: "AUTHORIZED", metadata: {} })
      expect(installation).not.toHaveProperty("errorCode")
      expect(Schema.is(Installation)(installation)).toBe(true)
      expect(yield* received).toEqual([])
    }).pipe(fresh)
  )

  it.effect("begins with what it is seeded with", () =>
    Effect.gen(function* () {
      expect(yield* inside).toMatchObject({
        resource: "urn:pleo:company:1",
        status: "SUSPENDED",
        errorCode: "QUOTA_EXCEEDED",
        metadata: { key: "value" }
      })
      expect((yield* update({ status: "ACTIVATED" })).resource).toBe("urn:pleo:company:1")
    }).pipe(
      seeded({
        resource: "urn:pleo:company:1",
        status: "SUSPENDED",
        errorCode: "QUOTA_EXCEEDED",
        metadata: { key: "value" }
      })
    )
  )

  it.effect("two of them do not share their installation", () =>
    Effect.gen(function* () {
      yield* fresh(update({ status: "ACTIVATED" }))
      expect((yield* fresh(inside)).status).toBe("AUTHORIZED")
    })
  )

  it.effect("an update gives the installation as it then is", () =>
    Effect.gen(function* () {
      const before = yield* inside
      for (const status of statuses) {
        const updated = yield* update({ status: status as "ACTIVATED" })
        expect(updated.status).toBe(status)
        expect(updated).toEqual(yield* inside)
        expect(updated).toMatchObject({
          id: before.id,
          applicationId: before.applicationId,
          createdAt: before.createdAt
        })
      }
    }).pipe(fresh)
  )

  it.effect("takes the contract's example", () =>
    Effect.gen(function* () {
      expect(yield* update(exampleRequest as never)).toMatchObject(exampleRequest)
    }).pipe(fresh)
  )

  it.effect("keeps metadata that are left out", () =>
    Effect.gen(function* () {
      expect((yield* update({ status: "ACTIVATED" })).metadata).toEqual({ key: "value" })
      expect((yield* update({ status: "INACTIVE", metadata: undefined })).metadata).toEqual({ key: "value" })
    }).pipe(seeded({ metadata: { key: "value" } }))
  )

  it.effect("replaces metadata that are sent, and merges nothing", () =>
    Effect.gen(function* () {
      expect((yield* update({ status: "ACTIVATED", metadata: { other: 1 } })).metadata).toEqual({ other: 1 })
      expect((yield* update({ status: "ACTIVATED", metadata: {} })).metadata).toEqual({})
    }).pipe(seeded({ metadata: { key: "value" } }))
  )

  it.effect("keeps an error code until the next update", () =>
    Effect.gen(function* () {
      expect((yield* update({ status: "ERROR", errorCode: "AUTH_ERROR" })).errorCode).toBe("AUTH_ERROR")
      expect((yield* inside).errorCode).toBe("AUTH_ERROR")
      expect(yield* update({ status: "ACTIVATED" })).not.toHaveProperty("errorCode")
      expect(yield* inside).not.toHaveProperty("errorCode")
    }).pipe(fresh)
  )

  it.effect("updatedAt is the time of the update, and createdAt stays", () =>
    Effect.gen(function* () {
      const { createdAt } = yield* inside
      yield* TestClock.adjust("90 seconds")
      const first = yield* update({ status: "ACTIVATED" })
      expect(first.updatedAt.epochMillis).toBe(90_000)
      yield* TestClock.adjust("1 hour")
      expect((yield* inside).updatedAt.epochMillis).toBe(90_000)
      const second = yield* update({ status: "INACTIVE" })
      expect(second.updatedAt).toEqual(DateTime.unsafeMake(3_690_000))
      expect(second.createdAt).toEqual(createdAt)
    }).pipe(fresh)
  )

  describe("updates", () => {
    it.effect("are recorded as they were sent, oldest first", () =>
      Effect.gen(function* () {
        yield* update({ status: "PENDING_INTEGRATION" })
        yield* update({ status: "ERROR", errorCode: "NOT_ENTITLED" })
        yield* update({ status: "ACTIVATED", metadata: { list: [1, null] }, errorCode: undefined })
        expect(yield* received).toEqual([
          { status: "PENDING_INTEGRATION" },
          { status: "ERROR", errorCode: "NOT_ENTITLED" },
          { status: "ACTIVATED", metadata: { list: [1, null] } }
        ])
        expect(Object.keys((yield* received)[2] ?? {})).toEqual(["status", "metadata"])
      }).pipe(fresh)
    )

    it.effect("are copies: what the caller changes later does not show", () =>
      Effect.gen(function* () {
        const metadata = { key: "value" }
        const updated = yield* update({ status: "ACTIVATED", metadata })
        metadata.key = "changed"
        expect(updated.metadata).toEqual({ key: "value" })
        expect((yield* received)[0]?.metadata).toEqual({ key: "value" })
        expect((yield* inside).metadata).toEqual({ key: "value" })
      }).pipe(fresh)
    )

    it.effect("keep keys such as __proto__", () =>
      Effect.gen(function* () {
        const { metadata } = yield* update({ status: "ACTIVATED", metadata: JSON.parse(hostileKeys) })
        expect(JSON.stringify(metadata)).toBe(hostileKeys)
        expect({}).not.toHaveProperty("polluted")
      }).pipe(fresh)
    )

    it.effect("sent at the same time are all recorded", () =>
      Effect.gen(function* () {
        yield* Effect.forEach(
          Array.from({ length: 100 }, (_, index) => index),
          (index) => update({ status: "ACTIVATED", metadata: { index } }),
          { concurrency: "unbounded" }
        )
        expect((yield* received).map(({ metadata }) => metadata?.["index"])).toHaveLength(100)
        expect(new Set((yield* received).map(({ metadata }) => metadata?.["index"])).size).toBe(100)
      }).pipe(fresh)
    )
  })

  const invalid: ReadonlyArray<{ readonly name: string; readonly request: unknown }> = [
    { name: "no status", request: {} },
    { name: "an unknown status", request: { status: "SUSPENDED" } },
    { name: "an unknown errorCode", request: { status: "ERROR", errorCode: "QUOTA_EXCEEDED" } },
    { name: "a field too many", request: { status: "ACTIVATED", id: "1" } },
    { name: "NaN in its metadata", request: { status: "ACTIVATED", metadata: { rate: Number.NaN } } },
    { name: "no object at all", request: null }
  ]

  it.effect.each(invalid)("a request with $name is refused as the client refuses it", ({ request }) =>
    Effect.gen(function* () {
      const { client, requests } = answering(() => installation())
      const byClient = yield* Effect.flip(send(client, { request: request as never }))
      const byTest = yield* Effect.flip(update(request as never))
      expect(byTest._tag).toBe("BadRequest")
      // In memory, there is no server to name.
      const { server, ...others } = byClient as BadRequest
      expect(server).toBe("external.pleo.io")
      expect(new BadRequest(others)).toEqual(byTest)
      expect(requests).toEqual([])
      expect(yield* received).toEqual([])
      expect((yield* inside).status).toBe("AUTHORIZED")
    }).pipe(fresh)
  )

  describe("faults", () => {
    const errors: ReadonlyArray<{ readonly name: string; readonly error: InstallationError }> = [
      new BadRequest({ status: 400, body: "no" }),
      ...unauthorizedReasons.map((reason) => new Unauthorized({ reason })),
      ...infrastructureReasons.map((reason) => new Infrastructure({ reason })),
      new Infrastructure({ reason: "RateLimited", status: 429, retryAfter: Duration.seconds(2) })
    ].map((error) => ({ name: `${error._tag}: ${error.message}`, error }))

    it.effect.each(errors)("make the next update fail, and only that one, with $name", ({ error }) =>
      Effect.gen(function* () {
        yield* inject(fail(error))
        expect(yield* Effect.flip(update({ status: "ACTIVATED" }))).toBe(error)
        expect((yield* inside).status).toBe("AUTHORIZED")
        expect((yield* update({ status: "ACTIVATED" })).status).toBe("ACTIVATED")
        expect(yield* received).toHaveLength(2)
      }).pipe(fresh)
    )

    it.effect.each([0, -1, 1, 3].map((times) => ({ times })))(
      "make that many updates fail: $times",
      ({ times }) =>
        Effect.gen(function* () {
          yield* inject(fail(timedOut, { times }))
          const failures = Math.max(0, times)
          for (let count = 0; count < failures; count++) {
            expect(yield* Effect.flip(update({ status: "ACTIVATED" }))).toBe(timedOut)
          }
          expect((yield* update({ status: "ACTIVATED" })).status).toBe("ACTIVATED")
          expect(yield* received).toHaveLength(failures + 1)
        }).pipe(fresh)
    )

    it.effect("of the layer come first, and then those that are injected, in this order", () =>
      Effect.gen(function* () {
        const forbidden = new Unauthorized({ reason: "Forbidden" })
        yield* inject(delay(0), fail(forbidden))
        const seen = yield* Effect.replicateEffect(Effect.either(update({ status: "ACTIVATED" })), 5)
        expect(seen).toMatchObject([
          { left: timedOut },
          { left: timedOut },
          { right: { status: "ACTIVATED" } },
          { left: forbidden },
          { right: { status: "ACTIVATED" } }
        ])
      }).pipe(faulty({ faults: [fail(timedOut, { times: 2 })] }))
    )

    it.effect("are not used up by an invalid request", () =>
      Effect.gen(function* () {
        yield* inject(fail(timedOut))
        expect((yield* Effect.flip(update({} as never)))._tag).toBe("BadRequest")
        expect(yield* Effect.flip(update({ status: "ACTIVATED" }))).toBe(timedOut)
      }).pipe(fresh)
    )

    it.effect("can be for some updates only: the others do not count, and meet what comes later", () =>
      Effect.gen(function* () {
        const ofErrors = {
          when: ({ update }) => update?.status === "ERROR"
        } satisfies Fault.Options
        yield* inject(fail(timedOut, ofErrors), fail(unavailable))
        expect(yield* Effect.flip(update({ status: "ACTIVATED" }))).toBe(unavailable)
        expect((yield* update({ status: "ACTIVATED" })).status).toBe("ACTIVATED")
        expect(yield* Effect.flip(update({ status: "ERROR" }))).toBe(timedOut)
        expect((yield* update({ status: "ERROR" })).status).toBe("ERROR")
      }).pipe(fresh)
    )

    it.effect("can go on for ever", () =>
      Effect.gen(function* () {
        yield* inject(fail(unavailable, { times: Number.POSITIVE_INFINITY }))
        const failed = yield* Effect.replicateEffect(Effect.flip(update({ status: "ACTIVATED" })), 50)
        expect(new Set(failed)).toEqual(new Set([unavailable]))
      }).pipe(fresh)
    )

    it.effect("are those of each layer", () =>
      Effect.gen(function* () {
        const layer = InstallationServiceTest.layerTest({ faults: [fail(timedOut)] })
        for (const _ of [1, 2])
          expect(yield* Effect.flip(Effect.provide(update({ status: "ACTIVATED" }), layer))).toBe(timedOut)
      })
    )
  })

  describe("an error after the update was applied", () => {
    it.effect("is what the caller sees, and the installation has changed", () =>
      Effect.gen(function* () {
        yield* inject(fail(lost, { isApplied: true }))
        expect(yield* Effect.flip(update({ status: "ACTIVATED", metadata: { a: 1 } }))).toBe(lost)
        expect(yield* inside).toMatchObject({ status: "ACTIVATED", metadata: { a: 1 } })
        expect(yield* updates).toMatchObject([{ isApplied: true, outcome: { _tag: "Failed", error: lost } }])
      }).pipe(fresh)
    )

    it.each([
      new BadRequest({ status: 400 }),
      new Unauthorized({ reason: "Forbidden", status: 403 }),
      new Infrastructure({ reason: "Transport", phase: "Connection", code: "ECONNREFUSED" })
    ])("cannot be one that was not applied: $message", (error) => {
      expect(() => fail(error, { isApplied: true })).toThrow(error.message)
    })
  })

  describe("delays", () => {
    it.effect("pass on the clock, and with isApplied: false the update is applied at the end", () =>
      Effect.gen(function* () {
        yield* inject(takes("3 seconds"))
        const fiber = yield* Effect.fork(update({ status: "ACTIVATED" }))
        yield* TestClock.adjust("2999 millis")
        expect((yield* inside).status).toBe("AUTHORIZED")
        expect(yield* updates).toMatchObject([{ isApplied: false, outcome: { _tag: "Pending" } }])
        expect((yield* updates)[0]).not.toHaveProperty("endedAt")
        yield* TestClock.adjust("1 millis")
        expect((yield* Fiber.join(fiber)).updatedAt.epochMillis).toBe(3000)
        expect(yield* times).toEqual([[0, 3000]])
      }).pipe(fresh)
    )

    it.effect("are of the response by default: the update is applied at once", () =>
      Effect.gen(function* () {
        yield* inject(delay("3 seconds", { times: 2 }))
        const fiber = yield* Effect.fork(update({ status: "ACTIVATED" }))
        yield* awaitUpdates(1)
        expect((yield* inside).status).toBe("ACTIVATED")
        expect(yield* updates).toMatchObject([{ isApplied: true, outcome: { _tag: "Pending" } }])
        yield* TestClock.adjust("3 seconds")
        expect((yield* Fiber.join(fiber)).updatedAt.epochMillis).toBe(0)
        const late = yield* update({ status: "INACTIVE" }).pipe(
          RetryPolicy.timeout("2 seconds"),
          Effect.flip,
          Effect.fork
        )
        yield* TestClock.adjust("2 seconds")
        expect(yield* Fiber.join(late)).toMatchObject({ reason: "Timeout", mayHaveBeenApplied: true })
        expect((yield* inside).status).toBe("INACTIVE")
        expect(yield* times).toEqual([
          [0, 3000],
          [3000, 5000]
        ])
      }).pipe(fresh)
    )

    it.effect("can come before any fault, and be that of every update", () =>
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(
          Effect.replicateEffect(Effect.either(update({ status: "ACTIVATED" })), 4)
        )
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(fiber)
        expect(yield* times).toEqual([
          [0, 200],
          [200, 5200],
          [5200, 5200],
          [5200, 5400]
        ])
      }).pipe(
        faulty({
          faults: [
            fail(unavailable, { after: "200 millis" }),
            takes("5 seconds"),
            delay(0),
            delay("200 millis", { times: Number.POSITIVE_INFINITY })
          ]
        })
      )
    )

    it.effect("an update that is interrupted before its time has passed changes nothing", () =>
      Effect.gen(function* () {
        yield* inject(takes("3 seconds"), fail(lost, { after: "3 seconds", isApplied: true }))
        for (const _ of [1, 2]) {
          const fiber = yield* Effect.fork(update({ status: "ACTIVATED" }))
          yield* TestClock.adjust("2 seconds")
          yield* Fiber.interrupt(fiber)
        }
        yield* TestClock.adjust("10 seconds")
        expect((yield* inside).status).toBe("AUTHORIZED")
        expect(yield* updates).toMatchObject([
          { isApplied: false, outcome: { _tag: "Interrupted" } },
          { isApplied: false, outcome: { _tag: "Interrupted" } }
        ])
        expect(yield* times).toEqual([
          [0, 2000],
          [2000, 4000]
        ])
      }).pipe(fresh)
    )

    it.effect("without one, an update that is received is applied, whenever it is interrupted", () =>
      Effect.gen(function* () {
        const seen = new Set<string>()
        for (let steps = 0; steps < 20; steps++) {
          const before = (yield* updates).length
          const metadata = { steps }
          const fiber = yield* update({ status: "ACTIVATED", metadata }).pipe(
            Effect.withMaxOpsBeforeYield(12),
            Effect.fork
          )
          for (let step = 0; step < steps; step++) yield* Effect.yieldNow()
          yield* Fiber.interrupt(fiber)
          const [received] = (yield* updates).slice(before)
          const isApplied = (yield* inside).metadata["steps"] === steps
          expect(received?.isApplied ?? false).toBe(isApplied)
          seen.add(received?.outcome._tag ?? "nothing")
        }
        expect(seen).toEqual(new Set(["nothing", "Succeeded"]))
      }).pipe(fresh)
    )
  })

  describe("a stalled response", () => {
    it.effect("is waited for until a timeout ends the update", () =>
      Effect.gen(function* () {
        yield* inject(stallResponse())
        const fiber = yield* update({ status: "ACTIVATED" }).pipe(
          RetryPolicy.timeout("10 seconds"),
          Effect.flip,
          Effect.fork
        )
        yield* TestClock.adjust("1 hour")
        expect(yield* Fiber.join(fiber)).toMatchObject({ reason: "Timeout" })
        expect(yield* times).toEqual([[0, 10_000]])
        expect(yield* outcomes).toEqual(["Interrupted"])
        expect((yield* inside).status).toBe("AUTHORIZED")
      }).pipe(fresh)
    )

    it.effect("may be of an update that was applied", () =>
      Effect.gen(function* () {
        yield* inject(stallResponse({ isApplied: true, after: "1 second" }))
        const fiber = yield* Effect.fork(update({ status: "ACTIVATED" }))
        yield* TestClock.adjust("999 millis")
        expect((yield* inside).status).toBe("AUTHORIZED")
        yield* TestClock.adjust("1 millis")
        expect((yield* inside).status).toBe("ACTIVATED")
        expect(yield* updates).toMatchObject([{ isApplied: true, outcome: { _tag: "Pending" } }])
        yield* Fiber.interrupt(fiber)
        expect(yield* updates).toMatchObject([{ isApplied: true, outcome: { _tag: "Interrupted" } }])
      }).pipe(fresh)
    )
  })

  describe("under the retry policy", () => {
    it.effect("the record shows how long it waited, and how long each attempt took", () =>
      Effect.gen(function* () {
        yield* inject(fail(unavailable), stallResponse(), takes("1 second"))
        const fiber = yield* update({ status: "ACTIVATED" }).pipe(
          RetryPolicy.retry(),
          // Full jitter at its longest: half a second, then one.
          Effect.withRandom(Random.fixed([1])),
          Effect.fork
        )
        yield* TestClock.adjust("1 minute")
        expect((yield* Fiber.join(fiber)).status).toBe("ACTIVATED")
        expect(yield* times).toEqual([
          [0, 0],
          [500, 10_500],
          [11_500, 12_500]
        ])
        expect(yield* outcomes).toEqual(["Failed", "Interrupted", "Succeeded"])
      }).pipe(fresh)
    )

    it.effect("a retry is superseded by a newer update, as it is with the client", () =>
      Effect.gen(function* () {
        yield* inject(fail(unavailable))
        const fiber = yield* update({ status: "PENDING_INTEGRATION" }).pipe(
          RetryPolicy.retry(),
          Effect.flip,
          Effect.withRandom(Random.fixed([1])),
          Effect.fork
        )
        yield* awaitUpdates(1)
        yield* update({ status: "ACTIVATED" })
        yield* TestClock.adjust("1 minute")
        expect(yield* Fiber.join(fiber)).toMatchObject({ reason: "Superseded" })
        expect((yield* inside).status).toBe("ACTIVATED")
        expect(yield* received).toHaveLength(2)
      }).pipe(fresh)
    )

    it.effect("retries have a budget, as they have with the client", () =>
      Effect.gen(function* () {
        yield* inject(fail(unavailable, { times: Number.POSITIVE_INFINITY }))
        yield* update({ status: "ACTIVATED" }).pipe(
          RetryPolicy.retry({ attempts: 3 }),
          Effect.exit,
          Effect.replicateEffect(100),
          // Full jitter at its shortest: no waits.
          Effect.withRandom(Random.fixed([0]))
        )
        expect((yield* received).length).toBeLessThan(125)
      }).pipe(fresh)
    )
  })

  describe("updates of one customer", () => {
    it.effect("take turns, in the order of their calls, however long they take", () =>
      Effect.gen(function* () {
        yield* inject(takes("3 seconds"), takes("1 second"))
        const fiber = yield* Effect.fork(
          Effect.all([update({ status: "PENDING_INTEGRATION" }), update({ status: "ACTIVATED" })], {
            concurrency: "unbounded"
          })
        )
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(fiber)
        expect(yield* times).toEqual([
          [0, 3000],
          [3000, 4000]
        ])
        expect((yield* inside).status).toBe("ACTIVATED")
      }).pipe(fresh)
    )

    it.effect("that give up before it is their turn are not received", () =>
      Effect.gen(function* () {
        yield* inject(stallResponse())
        const first = yield* Effect.fork(update({ status: "ACTIVATED" }))
        yield* awaitUpdates(1)
        const second = yield* update({ status: "INACTIVE" }).pipe(
          RetryPolicy.timeout("1 second"),
          Effect.flip,
          Effect.fork
        )
        yield* TestClock.adjust("1 second")
        expect(yield* Fiber.join(second)).toMatchObject({ reason: "Timeout" })
        yield* Fiber.interrupt(first)
        expect(yield* received).toEqual([{ status: "ACTIVATED" }])
        expect((yield* update({ status: "ACTIVATED" })).status).toBe("ACTIVATED")
      }).pipe(fresh)
    )
  })

  describe("customers", () => {
    const of = (tenant: string) => Credentials.use(OAuth.tenant(tenant))

    it.effect("each have an installation, and are named in the record and to faults", () =>
      Effect.gen(function* () {
        yield* inject(fail(unavailable, { when: ({ tenant }) => tenant === "borealis" }))
        const acme = yield* of("acme")(update({ status: "ACTIVATED" }))
        expect(yield* Effect.flip(of("borealis")(update({ status: "ACTIVATED" })))).toBe(unavailable)
        const borealis = yield* of("borealis")(update({ status: "INACTIVE" }))
        expect(yield* of("acme")(inside)).toEqual(acme)
        expect(yield* of("borealis")(inside)).toEqual(borealis)
        expect((yield* inside).status).toBe("AUTHORIZED")
        expect(new Set([acme, borealis, yield* inside].map(({ id }) => id)).size).toBe(3)
        expect(Schema.is(Installation)(borealis)).toBe(true)
        expect((yield* updates).map(({ tenant }) => tenant)).toEqual(["acme", "borealis", "borealis"])
      }).pipe(fresh)
    )

    it.effect("have none of the installation of updates that choose no customer", () =>
      Effect.gen(function* () {
        yield* update({ status: "ACTIVATED" })
        expect((yield* inside).status).toBe("ACTIVATED")
        expect((yield* of("default")(inside)).status).toBe("AUTHORIZED")
        expect((yield* updates)[0]).not.toHaveProperty("tenant")
      }).pipe(fresh)
    )

    it.effect("have to be chosen inside of Credentials.perCall, as with the client", () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(
          Credentials.use(update({ status: "ACTIVATED" }), Credentials.perCall)
        )
        expect(error._tag).toBe("BadRequest")
        expect(error.message).toContain("Credentials.use")
        expect(yield* updates).toEqual([])
      }).pipe(fresh)
    )

    it.effect("are told apart by fixed credentials too, and no secret is in the record", () =>
      Effect.gen(function* () {
        const withToken = (token: string) => Credentials.use(Credentials.bearer(Redacted.make(token)))
        yield* withToken("canary-1")(update({ status: "ACTIVATED" }))
        expect((yield* withToken("canary-1")(inside)).status).toBe("ACTIVATED")
        expect((yield* withToken("canary-2")(inside)).status).toBe("AUTHORIZED")
        expect(JSON.stringify(yield* updates)).not.toContain("canary")
      }).pipe(fresh)
    )

    it.effect("do not wait for each other", () =>
      Effect.gen(function* () {
        yield* inject(stallResponse({ when: ({ tenant }) => tenant === "acme" }))
        yield* Effect.fork(of("acme")(update({ status: "ACTIVATED" })))
        yield* awaitUpdates(1)
        expect((yield* of("borealis")(update({ status: "ACTIVATED" }))).status).toBe("ACTIVATED")
      }).pipe(fresh)
    )
  })

  describe("awaitUpdates", () => {
    it.effect("waits until so many were received, whatever became of them", () =>
      Effect.gen(function* () {
        yield* inject(stallResponse({ times: 2 }))
        const waiting = yield* Effect.fork(awaitUpdates(2))
        const first = yield* Effect.fork(update({ status: "PENDING_INTEGRATION" }))
        yield* awaitUpdates(1)
        yield* Effect.yieldNow()
        expect(waiting.unsafePoll()).toBeNull()
        yield* Fiber.interrupt(first)
        yield* Effect.fork(update({ status: "ACTIVATED" }))
        expect(yield* Fiber.join(waiting)).toMatchObject([
          { request: { status: "PENDING_INTEGRATION" }, outcome: { _tag: "Interrupted" } },
          { request: { status: "ACTIVATED" }, outcome: { _tag: "Pending" } }
        ])
      }).pipe(fresh)
    )

    it.effect("goes on at once when they were received before, and can be interrupted", () =>
      Effect.gen(function* () {
        expect(yield* awaitUpdates(0)).toEqual([])
        yield* update({ status: "ACTIVATED" })
        expect(yield* awaitUpdates(1)).toHaveLength(1)
        yield* Fiber.interrupt(yield* Effect.fork(awaitUpdates(2)))
        yield* update({ status: "ACTIVATED" })
        expect(yield* received).toHaveLength(2)
      }).pipe(fresh)
    )
  })
})
