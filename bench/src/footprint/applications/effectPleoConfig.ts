import * as InstallationService from "@effect-pleo/core/InstallationService"
import * as NodeInstallationService from "@effect-pleo/node/NodeInstallationService"
import * as Effect from "effect/Effect"
import { answered } from "./answered.ts"

const program = InstallationService.update({
  status: "ACTIVATED",
  metadata: { externalApplicationId: "123456789" }
}).pipe(
  Effect.tap(() => Effect.sync(answered)),
  Effect.provide(NodeInstallationService.layerConfig())
)

await Effect.runPromise(program)
