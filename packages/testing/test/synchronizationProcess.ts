// A synchronization that does not end by itself, see synchronization.test.ts.
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as FetchInstallationService from "@effect-pleo/core/FetchInstallationService"
import * as Synchronization from "@effect-pleo/core/Synchronization"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"

const work = Effect.zipRight(Console.log("working"), Effect.never)

NodeRuntime.runMain(
  work.pipe(
    Synchronization.report({ onFailure: () => "AUTH_ERROR" }),
    Effect.provide(FetchInstallationService.layerConfig())
  )
)
