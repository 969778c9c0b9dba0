import { OAuth } from "@effect-pleo/core"
import * as Effect from "effect/Effect"

export const adopt = (tenant: string, tokens: OAuth.Tokens) =>
  Effect.flatMap(OAuth.clientConfig, (client) =>
    OAuth.storeTokens({ ...client, tenant }, tokens)
  )
