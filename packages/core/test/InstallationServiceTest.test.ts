import { describe, expect, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import { Installation } from "../src/Installation.ts"
import { BadRequest, Infrastructure, type InstallationError, Unauthorized } from "../src/InstallationError.ts"
import { update } from "../src/InstallationService.ts"
import * as InstallationServiceTest from "../src/InstallationServiceTest.ts"
import { exampleRequest, statuses } from "./support/contract.ts"
import { infrastructureReasons, unauthorizedReasons } from "./support/errors.ts"
import { answering, installation, send } from "./support/http.ts"
import { hostileKeys } from "./support/json.ts"

const inside = Effect.flatMap(
  InstallationServiceTest.InstallationServiceTest,
  ({ installation }) => installation
)

const received = Effect.flatMap(InstallationServiceTest.InstallationServiceTest, ({ updates }) => updates)

const failNext = (error: InstallationError, times?: number) =>
  Effect.flatMap(InstallationServiceTest.InstallationServiceTest, (test) => test.failNext(error, times))

const fresh = Effect.provide(InstallationServiceTest.layerTest())

const seeded = (seed: Partial<Installation>) => Effect.provide(InstallationServiceTest.layerTest(seed))

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
      expect(byTest.toJSON()).toEqual(byClient.toJSON())
      expect(requests).toEqual([])
      expect(yield* received).toEqual([])
      expect((yield* inside).status).toBe("AUTHORIZED")
    }).pipe(fresh)
  )

  describe("failNext", () => {
    const errors: ReadonlyArray<{ readonly name: string; readonly error: InstallationError }> = [
      new BadRequest({ status: 400, body: "no" }),
      ...unauthorizedReasons.map((reason) => new Unauthorized({ reason })),
      ...infrastructureReasons.map((reason) => new Infrastructure({ reason })),
      new Infrastructure({ reason: "RateLimited", status: 429, retryAfter: Duration.seconds(2) })
    ].map((error) => ({ name: `${error._tag}: ${error.message}`, error }))

    it.effect.each(errors)("makes the next update fail, and only that one, with $name", ({ error }) =>
      Effect.gen(function* () {
        yield* failNext(error)
        expect(yield* Effect.flip(update({ status: "ACTIVATED" }))).toBe(error)
        expect((yield* inside).status).toBe("AUTHORIZED")
        expect((yield* update({ status: "ACTIVATED" })).status).toBe("ACTIVATED")
        expect(yield* received).toHaveLength(2)
      }).pipe(fresh)
    )

    it.effect.each([0, -1, 1, 3].map((times) => ({ times })))(
      "makes that many updates fail: $times",
      ({ times }) =>
        Effect.gen(function* () {
          const error = new Infrastructure({ reason: "Timeout" })
          yield* failNext(error, times)
          const failures = Math.max(0, times)
          for (let count = 0; count < failures; count++) {
            expect(yield* Effect.flip(update({ status: "ACTIVATED" }))).toBe(error)
          }
          expect((yield* update({ status: "ACTIVATED" })).status).toBe("ACTIVATED")
          expect(yield* received).toHaveLength(failures + 1)
        }).pipe(fresh)
    )

    it.effect("fails in the order in which failures were asked for", () =>
      Effect.gen(function* () {
        const first = new Infrastructure({ reason: "Timeout" })
        const second = new Unauthorized({ reason: "Forbidden" })
        yield* failNext(first, 2)
        yield* failNext(second)
        const seen: Array<InstallationError> = []
        for (let count = 0; count < 3; count++) seen.push(yield* Effect.flip(update({ status: "ACTIVATED" })))
        expect(seen).toEqual([first, first, second])
        expect((yield* update({ status: "ACTIVATED" })).status).toBe("ACTIVATED")
      }).pipe(fresh)
    )

    it.effect("an invalid request does not use up a failure", () =>
      Effect.gen(function* () {
        const error = new Infrastructure({ reason: "Timeout" })
        yield* failNext(error)
        expect((yield* Effect.flip(update({} as never)))._tag).toBe("BadRequest")
        expect(yield* Effect.flip(update({ status: "ACTIVATED" }))).toBe(error)
      }).pipe(fresh)
    )
  })
})
