import { NodeInstallationService } from "@effect-pleo/node"
import * as Effect from "effect/Effect"

export const live = NodeInstallationService.layerConfig({
  onDrift: ({ kind, name }) => Effect.logWarning(`Pleo's API has a new ${kind}: ${name}`)
})
