import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { optional } from "../credentials/variables.ts"
import { baseUrl } from "./servers.ts"

/** The base URL of the server in `PLEO_SERVER`: `production` (the default), `staging`, or a URL. */
export const config: Effect.Effect<string, ConfigError> = Effect.suspend(() =>
  Effect.map(
    optional("PLEO_SERVER", (server) => Either.getOrUndefined(Either.flip(baseUrl(server)))),
    (server = "production") => Either.getOrThrow(baseUrl(server))
  )
)
