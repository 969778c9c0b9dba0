// The layer of production, without the accounting system: the installations
// by OAuth, configured from outside. The tests use it too. In production,
// put SqlTokenStore.layer in the place of the memory.
import { OAuth, TokenStore } from "@effect-pleo/core"
import { NodeInstallationService } from "@effect-pleo/node"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

export const installations = NodeInstallationService.layerConfig({
  credentials: OAuth.config
}).pipe(Layer.provideMerge(TokenStore.layerMemory))

/** Stores the tokens of a customer that has authorized the app. */
export const connect = (tenant: string, tokens: OAuth.Tokens) =>
  Effect.flatMap(OAuth.clientConfig, (client) =>
    OAuth.storeTokens({ ...client, tenant }, tokens)
  )
