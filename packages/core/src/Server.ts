/**
 * Where requests, and so credentials, go.
 *
 * @since 0.1.0
 * @module
 */
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Either from "effect/Either"
import { baseUrl, type servers } from "./internal/contract/servers.ts"

/**
 * `"production"`, `"staging"`, or the URL of another server: `https`, or `http` to this machine alone. A
 * path is kept as a prefix. User info, a query and a fragment are refused.
 *
 * @example
 * ```ts
 * import type { Server } from "@effect-pleo/core"
 *
 * export const server: Server.Server = new URL("http://127.0.0.1:8080/pleo")
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export type Server = keyof typeof servers | (string & {}) | URL

/**
 * `PLEO_SERVER`, as its base URL: `production` (the default), `staging`, or a URL.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Server } from "@effect-pleo/core"
 * import * as ConfigProvider from "effect/ConfigProvider"
 * import * as Effect from "effect/Effect"
 *
 * const baseUrl = Server.config.pipe(
 *   Effect.withConfigProvider(
 *     ConfigProvider.fromMap(new Map([["PLEO_SERVER", "https://proxy.example/pleo/"]]))
 *   ),
 *   Effect.runSync
 * )
 * assert.equal(baseUrl, "https://proxy.example/pleo")
 * ```
 *
 * @since 0.1.0
 * @category config
 */
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
