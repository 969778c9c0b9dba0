// The nightly synchronisation with `InstallationService` in memory: Pleo
// has faults, time is TestClock's, and each update is recorded.
import { describe, expect, it } from "@effect/vitest"
import type { InstallationError } from "@effect-pleo/core"
import { Fault, InstallationServiceTest } from "@effect-pleo/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as TestClock from "effect/TestClock"
import { Accounting, AccountingError } from "./nightly/Accounting.ts"
import {
  layer as layerNightly,
  Nightly,
  Outcome
} from "./nightly/Nightly.ts"

/** The first update is no fault's. */
const success = Fault.delay(0)

/**
 * The application, with these faults of Pleo and the accounting system as
 * given.
 */
const given = (
  book: Accounting["Type"]["book"],
  ...faults: ReadonlyArray<Fault.Fault<InstallationError.InstallationError>>
) =>
  Effect.provide(
    layerNightly({ customers: ["acme", "borealis"] }).pipe(
      Layer.provide(Layer.succeed(Accounting, { book })),
      Layer.provideMerge(InstallationServiceTest.layerTest({ faults }))
    )
  )

const books = () => Effect.succeed(3)

const test = InstallationServiceTest.InstallationServiceTest

/** Lets so much time pass, while a customer's night goes on. */
const during = (duration: `${number} ${"minutes" | "hours"}`) =>
  Effect.gen(function* () {
    const { synchronise } = yield* Nightly
    const fiber = yield* Effect.fork(synchronise("acme"))
    yield* TestClock.adjust(duration)
    return yield* Fiber.join(fiber)
  })

describe("a customer's night", () => {
  it.effect(
    "is PENDING_INTEGRATION while the work goes on, and ACTIVATED after it",
    () =>
      Effect.gen(function* () {
        const { synchronise } = yield* Nightly
        expect(yield* synchronise("acme")).toEqual(
          Outcome.Synchronised({ customer: "acme", entries: 3 })
        )
        expect(yield* (yield* test).requests).toEqual([
          { status: "PENDING_INTEGRATION" },
          { status: "ACTIVATED", metadata: { entries: 3 } }
        ])
      }).pipe(given(books))
  )

  it.effect(
    "that is long says every quarter of an hour that it is alive, whether or not it is heard",
    () =>
      Effect.gen(function* () {
        expect((yield* during("40 minutes"))._tag).toBe("Synchronised")
        const updates = yield* (yield* test).updates
        expect(
          updates.map(({ outcome, receivedAt, request }) => [
            receivedAt.epochMillis / 60_000,
            request.status,
            outcome._tag
          ])
        ).toEqual([
          [0, "PENDING_INTEGRATION", "Succeeded"],
          [15, "PENDING_INTEGRATION", "Failed"],
          [30, "PENDING_INTEGRATION", "Succeeded"],
          [40, "ACTIVATED", "Succeeded"]
        ])
      }).pipe(
        given(
          () => Effect.delay(books(), "40 minutes"),
          success,
          Fault.status(400)
        )
      )
  )

  it.effect(
    "gives up a heartbeat that Pleo has not answered when the work is done",
    () =>
      Effect.gen(function* () {
        yield* during("20 minutes")
        expect(
          (yield* (yield* test).updates).map(({ outcome, request }) => [
            request.status,
            outcome._tag
          ])
        ).toEqual([
          ["PENDING_INTEGRATION", "Succeeded"],
          ["PENDING_INTEGRATION", "Interrupted"],
          ["ACTIVATED", "Succeeded"]
        ])
      }).pipe(
        given(
          () => Effect.delay(books(), "902 seconds"),
          success,
          Fault.stallResponse()
        )
      )
  )

  it.effect(
    "gets through when Pleo is down for a moment, and then slow",
    () =>
      Effect.gen(function* () {
        const outcome = yield* during("1 minutes").pipe(
          Effect.withRandom(Random.fixed([1]))
        )
        expect(outcome._tag).toBe("Synchronised")
        const updates = yield* (yield* test).updates
        // Half a second, then one: the policy's waits, with the jitter at its
        // most.
        expect(
          updates.map(({ receivedAt }) => receivedAt.epochMillis)
        ).toEqual([0, 500, 1500, 4500])
      }).pipe(
        given(
          books,
          Fault.status(503, { times: 2 }),
          Fault.delay("3 seconds")
        )
      )
  )

  it.effect(
    "ends well when the last response is lost: the update was applied, and is sent again",
    () =>
      Effect.gen(function* () {
        expect((yield* during("1 minutes"))._tag).toBe("Synchronised")
        const updates = yield* (yield* test).updates
        expect(
          updates.map(({ isApplied, request }) => [
            request.status,
            isApplied
          ])
        ).toEqual([
          ["PENDING_INTEGRATION", true],
          ["ACTIVATED", true],
          ["ACTIVATED", true]
        ])
      }).pipe(given(books, success, Fault.loseResponse()))
  )

  it.effect.each([
    { reason: "NotEntitled", errorCode: "NOT_ENTITLED" },
    { reason: "LoggedOut", errorCode: "AUTH_ERROR" }
  ] as const)(
    "ends in ERROR $errorCode when the accounting system says $reason",
    ({ errorCode, reason }) =>
      Effect.gen(function* () {
        const { synchronise } = yield* Nightly
        expect(yield* synchronise("acme")).toEqual(
          Outcome.InError({ customer: "acme", code: errorCode })
        )
        const { installation } = yield* test
        expect(yield* installation).toMatchObject({ status: "AUTHORIZED" })
        expect((yield* (yield* test).requests).at(-1)).toEqual({
          status: "ERROR",
          errorCode
        })
      }).pipe(given(() => Effect.fail(new AccountingError({ reason }))))
  )

  it.effect(
    "tries an accounting system that is down four times, and leaves it for tomorrow",
    () => {
      let attempts = 0
      return Effect.gen(function* () {
        expect(yield* during("10 minutes")).toMatchObject({
          _tag: "Postponed"
        })
        expect(attempts).toBe(4)
        expect(yield* (yield* test).requests).toEqual([
          { status: "PENDING_INTEGRATION" }
        ])
      }).pipe(
        given(() =>
          Effect.suspend(() => {
            attempts += 1
            return Effect.fail(
              new AccountingError({ reason: "Unavailable" })
            )
          })
        )
      )
    }
  )

  it.effect("does no work when Pleo refuses the credential", () =>
    Effect.gen(function* () {
      const { synchronise } = yield* Nightly
      expect(yield* synchronise("acme")).toMatchObject({
        _tag: "Postponed",
        why: expect.stringContaining("credential was rejected")
      })
    }).pipe(
      given(() => Effect.dieMessage("must not run"), Fault.status(401))
    )
  )
})

describe("the nights", () => {
  it.effect("begin at two, and go on when one customer's fails", () =>
    Effect.gen(function* () {
      const { nights } = yield* Nightly
      const { awaitUpdates } = yield* test
      yield* Effect.fork(nights)
      yield* TestClock.adjust("119 minutes")
      expect(yield* (yield* test).requests).toEqual([])
      yield* TestClock.adjust("1 minute")
      // The failing customer has one update, the other has two.
      expect(
        new Set((yield* awaitUpdates(3)).map(({ tenant }) => tenant))
      ).toEqual(new Set(["acme", "borealis"]))
      yield* TestClock.adjust("24 hours")
      const updates = yield* awaitUpdates(6)
      expect(
        updates
          .filter(({ tenant }) => tenant === "borealis")
          .map(({ outcome }) => outcome._tag)
      ).toEqual(["Failed", "Failed"])
    }).pipe(
      given(
        books,
        Fault.status(403, {
          times: Number.POSITIVE_INFINITY,
          when: ({ tenant }) => tenant === "borealis"
        })
      )
    )
  )
})
