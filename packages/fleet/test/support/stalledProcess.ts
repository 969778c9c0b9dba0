// A fleet whose update is in flight for ever. It says so, and waits to be killed.
import { InstallationService } from "@effect-pleo/core/InstallationService"
import * as InstallationServiceTest from "@effect-pleo/testing/InstallationServiceTest"
import * as Effect from "effect/Effect"
import { change, start } from "./fixtures.ts"

const program = Effect.gen(function* () {
  const service = yield* InstallationService
  const fleet = yield* start(process.env["FILE"] ?? "").pipe(
    Effect.provideService(InstallationService, {
      ...service,
      update: () =>
        Effect.zipRight(
          Effect.sync(() => console.log("in flight")),
          Effect.never
        )
    })
  )
  yield* fleet.set([change("acme", 1)])
  return yield* Effect.never
})

await Effect.runPromise(Effect.scoped(Effect.provide(program, InstallationServiceTest.layerTest())))
