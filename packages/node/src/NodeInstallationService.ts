/**
 * `InstallationService` for Node.js, on the sockets of `NodeHttpClient`. To add `HttpClient` middleware, provide
 * `NodeHttpClient.layer` to `InstallationClient.layer` instead.
 *
 * @since 0.1.0
 * @module
 */
import type { BadRequest } from "@effect-pleo/core/InstallationError"
import type { InstallationService } from "@effect-pleo/core/InstallationService"
import * as TransportInstallationService from "@effect-pleo/core/TransportInstallationService"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as internalPools from "./internal/connectionPools.ts"
import * as internalTransport from "./internal/transport.ts"
import type * as NodeHttpClient from "./NodeHttpClient.ts"

const makeTransport = (options: NodeHttpClient.Options) =>
  Effect.map(internalPools.make(options), internalTransport.make)

/**
 * An `InstallationService` with its own sockets, closed with the scope. Fails with `BadRequest` if an option is invalid.
 *
 * @example
 * ```ts
 * NodeInstallationService.make({ credentials: Credentials.bearer(Redacted.make("token")) })
 * ```
 * @since 0.1.0
 * @category constructors
 */
export const make = <E, R>(
  options: TransportInstallationService.Options<E, R> & NodeHttpClient.Options
): Effect.Effect<InstallationService["Type"], BadRequest | E, R | Scope.Scope> =>
  Effect.flatMap(makeTransport(options), (transport) => TransportInstallationService.make(transport, options))

/**
 * `make` as a layer.
 *
 * @example
 * ```ts
 * NodeInstallationService.layer({ credentials: Credentials.bearer(Redacted.make("token")), connections: 8 })
 * ```
 * @since 0.1.0
 * @category layers
 */
export const layer = <E, R>(
  options: TransportInstallationService.Options<E, R> & NodeHttpClient.Options
): Layer.Layer<InstallationService, BadRequest | E, Exclude<R, Scope.Scope>> =>
  TransportInstallationService.layer(makeTransport(options), options)

/**
 * `layer`, configured by `PLEO_SERVER`, and by `PLEO_ACCESS_TOKEN` or `PLEO_API_KEY` unless credentials are given.
 *
 * @example
 * ```ts
 * const program = InstallationService.update({ status: "ACTIVATED" }).pipe(
 *   Effect.provide(NodeInstallationService.layerConfig())
 * )
 * ```
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = <E = never, R = never>(
  options: TransportInstallationService.ConfigOptions<E, R> & NodeHttpClient.Options = {}
): Layer.Layer<InstallationService, BadRequest | ConfigError | E, Exclude<R, Scope.Scope>> =>
  TransportInstallationService.layerConfig(makeTransport(options), options)
