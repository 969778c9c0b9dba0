import { expect, it } from "@effect/vitest"
import { Fault, InstallationServiceTest } from "@effect-pleo/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { inTheBackground } from "./tuned-retries.ts"

it.effect("waits as long as Pleo asks, and then goes on", () =>
  Effect.gen(function* () {
    const test = yield* InstallationServiceTest.InstallationServiceTest
    yield* test.inject(Fault.status(429, { retryAfter: "40 seconds" }))

    const update = yield* Effect.fork(inTheBackground)
    yield* TestClock.adjust("39 seconds")
    expect((yield* test.updates).length).toBe(1)

    yield* TestClock.adjust("1 minute")
    expect((yield* Fiber.join(update)).status).toBe("ACTIVATED")
  }).pipe(Effect.provide(InstallationServiceTest.layerTest()))
)
