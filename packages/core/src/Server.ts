/**
 * Where requests, and so credentials, go.
 *
 * @since 0.1.0
 * @module
 */
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Either from "effect/Either"
import { BadRequest } from "./InstallationError.ts"
import { servers } from "./internal/contract.ts"
import { checkUrl } from "./internal/serverUrl.ts"

/**
 * `"production"`, `"staging"`, or the URL of another server: `https`, or `http` to this machine alone. A
 * path is kept as a prefix. User info, a query and a fragment are refused.
 *
 * @since 0.1.0
 * @category models
 */
export type Server = keyof typeof servers | (string & {}) | URL

/** The base URL without a slash at its end, or what is wrong with it. */
const check = (server: Server): Either.Either<string, string> =>
  Either.map(checkUrl(server, servers), (url) => url.origin + url.pathname.replace(/\/+$/, ""))

/**
 * The base URL of a server, without a slash at its end. Fails with `BadRequest` when it cannot be used.
 *
 * @since 0.1.0
 * @category constructors
 */
export const baseUrl = (server: Server): Either.Either<string, BadRequest> =>
  Either.mapLeft(check(server), (message) => new BadRequest({ issues: [{ path: ["server"], message }] }))

/**
 * `PLEO_SERVER`, as its base URL: `production` (the default), `staging`, or a URL.
 *
 * @since 0.1.0
 * @category config
 */
export const config: Config.Config<string> = Config.withDefault(
  Config.string("PLEO_SERVER"),
  "production"
).pipe(
  Config.mapOrFail((server) =>
    Either.mapLeft(check(server), (message) =>
      ConfigError.InvalidData(["PLEO_SERVER"], `PLEO_SERVER: ${message}`)
    )
  )
)
