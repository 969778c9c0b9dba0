import { NodeInstallationService } from "@effect-pleo/node"
import * as Effect from "effect/Effect"

export const live = NodeInstallationService.layerConfig({
  onDrift: ({ kind, name }) =>
    Effect.logWarning(`Drift in a response of Pleo: ${kind} ${name}`)
})
