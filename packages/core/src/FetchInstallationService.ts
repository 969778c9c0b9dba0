/**
 * `InstallationService` over the platform's `fetch`. In Node.js, Bun and Deno, errors tell whether a connection failed.
 * Elsewhere a failed update may have been applied, and a failed refresh loses its token.
 *
 * @since 0.1.0
 * @module
 */
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { BadRequest } from "./InstallationError.ts"
import type { InstallationService } from "./InstallationService.ts"
import * as internal from "./internal/http/fetch.ts"
import type { Transport } from "./Transport.ts"
import * as TransportInstallationService from "./TransportInstallationService.ts"

interface Limits {
  /** The largest body of a 2xx response, in bytes. Default: 1 MiB. */
  readonly maxResponseSize?: number | undefined
}

const transport = ({ maxResponseSize = 1024 * 1024 }: Limits): Either.Either<Transport, BadRequest> =>
  maxResponseSize > 0
    ? Either.right(internal.transport(maxResponseSize))
    : Either.left(
        new BadRequest({
          issues: [{ path: ["maxResponseSize"], message: "expected a number of bytes above 0" }]
        })
      )

/**
 * An `InstallationService` over `fetch`. Fails with `BadRequest` if an option is invalid.
 *
 * @example
 * ```ts
 * FetchInstallationService.make({ credentials: Credentials.bearer(Redacted.make("token")) })
 * ```
 * @since 0.1.0
 * @category constructors
 */
export const make = <E, R>(
  options: TransportInstallationService.Options<E, R> & Limits
): Effect.Effect<InstallationService["Type"], BadRequest | E, R> =>
  Effect.flatMap(transport(options), (transport) => TransportInstallationService.make(transport, options))

/**
 * `make` as a layer.
 *
 * @example
 * ```ts
 * FetchInstallationService.layer({ credentials: Credentials.bearer(Redacted.make("token")), server: "staging" })
 * ```
 * @since 0.1.0
 * @category layers
 */
export const layer = <E, R>(
  options: TransportInstallationService.Options<E, R> & Limits
): Layer.Layer<InstallationService, BadRequest | E, Exclude<R, Scope.Scope>> =>
  TransportInstallationService.layer(transport(options), options)

/**
 * `layer`, configured by `PLEO_SERVER`, and by `PLEO_ACCESS_TOKEN` or `PLEO_API_KEY` unless credentials are given.
 *
 * @example
 * ```ts
 * const program = InstallationService.update({ status: "ACTIVATED" }).pipe(
 *   Effect.provide(FetchInstallationService.layerConfig())
 * )
 * ```
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = <E = never, R = never>(
  options: TransportInstallationService.ConfigOptions<E, R> & Limits = {}
): Layer.Layer<InstallationService, BadRequest | ConfigError | E, Exclude<R, Scope.Scope>> =>
  TransportInstallationService.layerConfig(transport(options), options)
