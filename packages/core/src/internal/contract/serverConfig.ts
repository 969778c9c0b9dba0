import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Either from "effect/Either"
import { baseUrl } from "./servers.ts"

/** The base URL of the server in `PLEO_SERVER`: `production` (the default), `staging`, or a URL. */
export const config: Config.Config<string> = Config.withDefault(
  Config.string("PLEO_SERVER"),
  "production"
).pipe(
  Config.mapOrFail((server) =>
    Either.mapLeft(baseUrl(server), (message) =>
      ConfigError.InvalidData(["PLEO_SERVER"], `PLEO_SERVER: ${message}`)
    )
  )
)
