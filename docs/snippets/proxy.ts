import { NodeInstallationService } from "@effect-pleo/node"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

export const live = Layer.unwrapEffect(
  Effect.map(Config.url("HTTPS_PROXY"), (proxy) =>
    NodeInstallationService.layerConfig({ proxy })
  )
)
