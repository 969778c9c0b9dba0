/**
 * `InstallationService` over any `Transport`.
 *
 * @since 0.1.0
 * @module
 */
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { BadRequest } from "./InstallationError.ts"
import { InstallationService } from "./InstallationService.ts"
import type { ConfigOptions, Options } from "./internal/call/service.ts"
import * as internal from "./internal/call/service.ts"
import { fromTransport } from "./internal/http/sender.ts"
import type { Transport } from "./Transport.ts"

export type { ConfigOptions, Options }

/**
 * An `InstallationService` over a transport. Fails with `BadRequest` if an option is invalid.
 *
 * @example
 * ```ts
 * const make = (transport: Transport.Transport) => {
 *   const credentials = Credentials.bearer(Redacted.make("token"))
 *   return TransportInstallationService.make(transport, { credentials, server: "staging" })
 * }
 * ```
 * @since 0.1.0
 * @category constructors
 */
export const make = <E, R>(
  transport: Transport,
  options: Options<E, R>
): Effect.Effect<InstallationService["Type"], BadRequest | E, R> =>
  internal.make(fromTransport(transport), options)

/**
 * `make` as a layer, with a transport scoped to the layer.
 *
 * @example
 * ```ts
 * const live = (transport: Effect.Effect<Transport.Transport>) =>
 *   TransportInstallationService.layer(transport, { credentials: Credentials.apiKey(Redacted.make("key")) })
 * ```
 * @since 0.1.0
 * @category layers
 */
export const layer = <E2, R2, E, R>(
  transport: Effect.Effect<Transport, E2, R2>,
  options: Options<E, R>
): Layer.Layer<InstallationService, BadRequest | E | E2, Exclude<R | R2, Scope.Scope>> =>
  Layer.scoped(
    InstallationService,
    Effect.flatMap(transport, (transport) => make(transport, options))
  )

/**
 * `layer`, configured by `PLEO_SERVER`, and by `PLEO_ACCESS_TOKEN` or `PLEO_API_KEY` unless credentials are given.
 *
 * @example
 * ```ts
 * const live = (transport: Effect.Effect<Transport.Transport>) =>
 *   TransportInstallationService.layerConfig(transport)
 * ```
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = <E2, R2, E = never, R = never>(
  transport: Effect.Effect<Transport, E2, R2>,
  options: ConfigOptions<E, R> = {}
): Layer.Layer<InstallationService, ConfigError | E | E2, Exclude<R | R2, Scope.Scope>> =>
  Layer.scoped(
    InstallationService,
    Effect.flatMap(transport, (transport) => internal.makeConfig(fromTransport(transport), options))
  )
