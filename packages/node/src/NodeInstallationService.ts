/**
 * `InstallationService` for Node.js, ready to provide: the client of `@effect-pleo/core` on the transport
 * of this package.
 *
 * @since 0.1.0
 */
import * as InstallationClient from "@effect-pleo/core/InstallationClient"
import type { BadRequest } from "@effect-pleo/core/InstallationError"
import type { InstallationService } from "@effect-pleo/core/InstallationService"
import type { ConfigError } from "effect/ConfigError"
import * as Layer from "effect/Layer"
import * as NodeHttpClient from "./NodeHttpClient.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface Options<E = never, R = never>
  extends InstallationClient.Options<E, R>,
    NodeHttpClient.Options {}

/**
 * Fails with `BadRequest` when the server or an option of the transport cannot be used, and with whatever
 * making the credentials fails with.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <E, R>(options: Options<E, R>): Layer.Layer<InstallationService, BadRequest | E, R> =>
  Layer.provide(InstallationClient.layer(options), NodeHttpClient.layer(options))

/**
 * Configured by `PLEO_ACCESS_TOKEN` or `PLEO_API_KEY`, and `PLEO_SERVER`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options?: NodeHttpClient.Options
): Layer.Layer<InstallationService, BadRequest | ConfigError> =>
  Layer.provide(InstallationClient.layerConfig(), NodeHttpClient.layer(options))
