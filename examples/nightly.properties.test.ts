// Laws of the nightly synchronization under any response of Pleo, with
// generated failures, requests and installations.
import { expect, it } from "@effect/vitest"
import { InstallationService } from "@effect-pleo/core"
import {
  Fault,
  InstallationArbitrary,
  InstallationServiceTest
} from "@effect-pleo/testing"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as TestClock from "effect/TestClock"
import { Accounting } from "./nightly/Accounting.ts"
import { layer as layerNightly, Nightly } from "./nightly/Nightly.ts"
import { describe } from "./support/describe.ts"

const test = InstallationServiceTest.InstallationServiceTest

const given = (options: InstallationServiceTest.Options) =>
  Effect.provide(
    layerNightly({ customers: ["acme", "borealis"] }).pipe(
      Layer.provide(
        Layer.succeed(Accounting, { book: () => Effect.succeed(3) })
      ),
      Layer.provideMerge(InstallationServiceTest.layerTest(options))
    )
  )

/**
 * A night, and the time that it takes: the longest wait is the one that Pleo
 * asks for, and no more than 20 seconds.
 */
const night = Effect.gen(function* () {
  const { night } = yield* Nightly
  const fiber = yield* Effect.fork(
    Effect.withRandom(night, Random.fixed([0]))
  )
  yield* TestClock.adjust("2 minutes")
  return yield* Fiber.join(fiber)
})

it.effect.prop(
  "one customer's failure is never another's",
  [InstallationArbitrary.failure],
  ([failure]) =>
    Effect.gen(function* () {
      expect(yield* night).toEqual([
        { _tag: "Synchronised", customer: "acme", entries: 3 },
        { _tag: "Postponed", customer: "borealis", why: failure.message }
      ])
    }).pipe(
      given({
        faults: [
          Fault.fail(failure, {
            times: Number.POSITIVE_INFINITY,
            when: ({ tenant }) => tenant === "borealis"
          })
        ]
      })
    ),
  { timeout: 60_000, fastCheck: { numRuns: 15 } }
)

it.effect.prop(
  "a synchronized customer is ACTIVATED by an applied update",
  [FastCheck.array(InstallationArbitrary.failure, { maxLength: 4 })],
  ([failures]) =>
    Effect.gen(function* () {
      const outcomes = yield* night
      const updates = yield* (yield* test).updates
      for (const { _tag, customer } of outcomes) {
        const applied = updates.filter(
          ({ isApplied, tenant }) => isApplied && tenant === customer
        )
        expect(applied.at(-1)?.request.status === "ACTIVATED").toBe(
          _tag === "Synchronised"
        )
      }
    }).pipe(
      given({ faults: failures.map((failure) => Fault.fail(failure)) })
    ),
  { timeout: 60_000, fastCheck: { numRuns: 15 } }
)

it.effect.prop(
  "any request applies to any installation, one line a field",
  [
    InstallationArbitrary.updateInstallation,
    InstallationArbitrary.installation
  ],
  ([request, installation]) =>
    Effect.gen(function* () {
      const updated = yield* InstallationService.update(request)
      expect(updated).toMatchObject(request)
      const lines = describe(updated).split(/[\n\r]/)
      expect(lines[0]).toBe(`The installation is ${request.status}`)
      expect(lines.length).toBe(request.errorCode === undefined ? 7 : 8)
    }).pipe(
      Effect.provide(InstallationServiceTest.layerTest({ installation }))
    ),
  { timeout: 60_000, fastCheck: { numRuns: 30 } }
)

it.effect.prop(
  "an invalid request is refused, and leaves nothing in the record",
  [InstallationArbitrary.invalidUpdateInstallation],
  ([request]) =>
    Effect.gen(function* () {
      expect(
        yield* Effect.flip(InstallationService.update(request))
      ).toMatchObject({ _tag: "BadRequest" })
      expect(yield* (yield* test).updates).toEqual([])
    }).pipe(Effect.provide(InstallationServiceTest.layerTest())),
  { timeout: 60_000, fastCheck: { numRuns: 30 } }
)
