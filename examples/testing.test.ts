import { expect, it } from "@effect/vitest"
import { InstallationService, RetryPolicy } from "@effect-pleo/core"
import { NodeInstallationService } from "@effect-pleo/node"
import { Fault, InstallationServiceTest } from "@effect-pleo/testing"
import * as Sandbox from "@effect-pleo/testing/Sandbox"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as TestClock from "effect/TestClock"

const application = InstallationService.update({
  status: "ACTIVATED"
}).pipe(RetryPolicy.retry())

it.effect("tries again when Pleo does not respond in time", () =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(application)
    yield* TestClock.adjust("1 minute")
    yield* Fiber.join(fiber)

    const test = yield* InstallationServiceTest.InstallationServiceTest
    const [first, second] = yield* test.updates
    expect(first).toMatchObject({
      isApplied: false,
      outcome: { _tag: "Interrupted" }
    })
    expect(second).toMatchObject({
      request: { status: "ACTIVATED" },
      outcome: { _tag: "Succeeded" }
    })
  }).pipe(
    Effect.provide(
      InstallationServiceTest.layerTest({ faults: [Fault.stallResponse()] })
    )
  )
)

it.scoped("retries after a lost connection", () =>
  Effect.gen(function* () {
    const sandbox = yield* Sandbox.Sandbox
    yield* sandbox.inject(Fault.resetConnection())
    // The jitter at its least: no waits.
    yield* application.pipe(Effect.withRandom(Random.fixed([0])))
    expect(yield* sandbox.requests).toMatchObject([
      { status: null },
      { status: 200 }
    ])
  }).pipe(
    Effect.provide(Sandbox.layerTest(NodeInstallationService.layerConfig()))
  )
)
