import { expect, it } from "@effect/vitest"
import {
  InstallationError,
  InstallationService,
  RetryPolicy
} from "@effect-pleo/core"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"

const busy = new InstallationError.Infrastructure({
  reason: "ServerError",
  status: 503
})

it.effect("a stub is retried like the client", () =>
  Effect.gen(function* () {
    let updates = 0
    const stub = Layer.mock(InstallationService.InstallationService, {
      update: ({ metadata = {}, status }) => {
        updates += 1
        return updates === 1
          ? Effect.fail(busy)
          : Effect.succeed({
              id: "9c5b94b1-35ad-49bb-b118-8e8fc24abf80",
              applicationId: "6e2f0e5c-0b0f-4a0e-8f0a-1d2c3b4a5f60",
              resource:
                "urn:pleo:company:123e4567-e89b-12d3-a456-426614174000",
              status,
              metadata,
              createdAt: DateTime.unsafeMake(0),
              updatedAt: DateTime.unsafeMake(0)
            })
      }
    })

    const fiber = yield* InstallationService.update({
      status: "ACTIVATED"
    }).pipe(RetryPolicy.retry(), Effect.provide(stub), Effect.fork)
    yield* TestClock.adjust("1 second")

    expect((yield* Fiber.join(fiber)).status).toBe("ACTIVATED")
    expect(updates).toBe(2)
  })
)
