/**
 * `InstallationService` over any `HttpClient`.
 *
 * @since 0.1.0
 * @module
 */
import * as HttpClient from "@effect/platform/HttpClient"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { BadRequest } from "./InstallationError.ts"
import { InstallationService } from "./InstallationService.ts"
import * as internal from "./internal/call/service.ts"
import { senderOver } from "./internal/httpClient.ts"
import type { ConfigOptions, Options } from "./TransportInstallationService.ts"

/**
 * An `InstallationService` over the `HttpClient` in the context. Updates with the same credential are sent in order, one
 * at a time. No redirect is followed, and no trace header is sent.
 *
 * @example
 * ```ts
 * const client = InstallationClient.make({ credentials: Credentials.bearer(Redacted.make("token")) })
 * ```
 * @since 0.1.0
 * @category constructors
 */
export const make = <E, R>(
  options: Options<E, R>
): Effect.Effect<InstallationService["Type"], BadRequest | E, HttpClient.HttpClient | R> =>
  Effect.flatMap(HttpClient.HttpClient, (client) => internal.make(senderOver(client), options))

/**
 * `make` as a layer.
 *
 * @example
 * ```ts
 * const live = InstallationClient.layer({ credentials: Credentials.bearer(Redacted.make("token")) }).pipe(
 *   Layer.provide(FetchHttpClient.layer)
 * )
 * ```
 * @since 0.1.0
 * @category layers
 */
export const layer = <E, R>(
  options: Options<E, R>
): Layer.Layer<InstallationService, BadRequest | E, HttpClient.HttpClient | Exclude<R, Scope.Scope>> =>
  Layer.scoped(InstallationService, make(options))

/**
 * `layer`, configured by `PLEO_SERVER`, and by `PLEO_ACCESS_TOKEN` or `PLEO_API_KEY` unless credentials are given.
 *
 * @example
 * ```ts
 * const live = Layer.provide(InstallationClient.layerConfig(), NodeHttpClient.layer())
 * ```
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = <E = never, R = never>(
  options: ConfigOptions<E, R> = {}
): Layer.Layer<InstallationService, ConfigError | E, HttpClient.HttpClient | Exclude<R, Scope.Scope>> =>
  Layer.scoped(
    InstallationService,
    Effect.flatMap(HttpClient.HttpClient, (client) => internal.makeConfig(senderOver(client), options))
  )
