import { expect, it } from "@effect/vitest"
import { InstallationError, InstallationServiceTest } from "@effect-pleo/core"
import * as Effect from "effect/Effect"
import { synchronise } from "./synchronise.ts"

it.effect("activates the installation after its work", () =>
  Effect.gen(function* () {
    yield* synchronise(Effect.void)

    const test = yield* InstallationServiceTest.InstallationServiceTest
    expect(yield* test.updates).toEqual([{ status: "PENDING_INTEGRATION" }, { status: "ACTIVATED" }])
  }).pipe(Effect.provide(InstallationServiceTest.layerTest()))
)

it.effect("does no work when Pleo refuses the credential", () =>
  Effect.gen(function* () {
    const test = yield* InstallationServiceTest.InstallationServiceTest
    yield* test.failNext(new InstallationError.Unauthorized({ reason: "Unauthenticated", status: 401 }))

    const error = yield* Effect.flip(synchronise(Effect.dieMessage("must not run")))
    expect(error).toMatchObject({ _tag: "Unauthorized", mayHaveBeenApplied: false })
  }).pipe(Effect.provide(InstallationServiceTest.layerTest({ status: "ACTIVATED" })))
)
