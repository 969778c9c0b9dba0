/**
 * `InstallationService` for Node.js, ready to provide: the client of `@effect-pleo/core` on the sockets of
 * `NodeHttpClient`, without an `HttpClient` between them. To put middleware there, provide
 * `NodeHttpClient.layer` to `InstallationClient.layer`.
 *
 * @since 0.1.0
 * @module
 */
import type { BadRequest } from "@effect-pleo/core/InstallationError"
import { InstallationService } from "@effect-pleo/core/InstallationService"
import * as Transport from "@effect-pleo/core/Transport"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as internalOrigins from "./internal/origins.ts"
import * as internalTransport from "./internal/transport.ts"
import type * as NodeHttpClient from "./NodeHttpClient.ts"

/**
 * Where to send updates, with which credentials, and within which limits.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<E = never, R = never> extends Transport.Options<E, R>, NodeHttpClient.Options {}

/**
 * What is not read from the configuration.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConfigOptions<E = never, R = never>
  extends Transport.ConfigOptions<E, R>,
    NodeHttpClient.Options {}

const makeTransport = (options: NodeHttpClient.Options) =>
  Effect.map(internalOrigins.make(options), internalTransport.make)

/**
 * A service with its own sockets, which are closed with the scope: updates under way get a second to end.
 *
 * Fails with `BadRequest` when the server or an option of the transport cannot be used, and with whatever
 * making the credentials fails with.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <E, R>(
  options: Options<E, R>
): Effect.Effect<InstallationService["Type"], BadRequest | E, R | Scope.Scope> =>
  Effect.flatMap(makeTransport(options), (transport) => Transport.makeService(transport, options))

/**
 * `make`, as a layer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <E, R>(
  options: Options<E, R>
): Layer.Layer<InstallationService, BadRequest | E, Exclude<R, Scope.Scope>> =>
  Layer.scoped(InstallationService, make(options))

/**
 * Configured by `PLEO_SERVER`, and by `PLEO_ACCESS_TOKEN` or `PLEO_API_KEY` unless credentials are given.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = <E = never, R = never>(
  options: ConfigOptions<E, R> = {}
): Layer.Layer<InstallationService, BadRequest | ConfigError | E, Exclude<R, Scope.Scope>> =>
  Layer.scoped(
    InstallationService,
    Effect.flatMap(makeTransport(options), (transport) => Transport.makeServiceConfig(transport, options))
  )
