/**
 * `InstallationService` over the platform's own `fetch`: Bun, Deno, workers, browsers, and Node.js. A redirect is not
 * followed, and a response is read up to a limit. `fetch` does not say how far a request got: a failure counts as
 * possibly applied, unless its code says otherwise.
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

/**
 * Credentials and server, and the limit of a response.
 *
 * @example
 * ```ts
 * import { Credentials, FetchInstallationService } from "@effect-pleo/core"
 * import * as Redacted from "effect/Redacted"
 *
 * FetchInstallationService.layer({
 *   credentials: Credentials.bearer(Redacted.make("token")),
 *   server: "staging",
 *   maxResponseSize: 64 * 1024
 * })
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<E = never, R = never> extends TransportInstallationService.Options<E, R> {
  /** The largest body, in bytes, that a success may have. Default: 1 MiB. */
  readonly maxResponseSize?: number | undefined
}

/**
 * What `layerConfig` takes besides the configuration.
 *
 * @example
 * ```ts
 * import { FetchInstallationService } from "@effect-pleo/core"
 *
 * // Reads PLEO_SERVER, and PLEO_ACCESS_TOKEN or PLEO_API_KEY.
 * FetchInstallationService.layerConfig({ maxResponseSize: 64 * 1024 })
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface ConfigOptions<E = never, R = never>
  extends TransportInstallationService.ConfigOptions<E, R> {
  /** The largest body, in bytes, that a success may have. Default: 1 MiB. */
  readonly maxResponseSize?: number | undefined
}

const transport = ({
  maxResponseSize = 1024 * 1024
}: {
  readonly maxResponseSize?: number | undefined
}): Either.Either<Transport, BadRequest> =>
  maxResponseSize > 0
    ? Either.right(internal.transport(maxResponseSize))
    : Either.left(
        new BadRequest({
          issues: [{ path: ["maxResponseSize"], message: "expected a number of bytes above 0" }]
        })
      )

/**
 * A service over `fetch`. Fails with `BadRequest` when the server or the limit cannot be used.
 *
 * @example
 * ```ts
 * import { Credentials, FetchInstallationService } from "@effect-pleo/core"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * const program = Effect.gen(function* () {
 *   const credentials = Credentials.bearer(Redacted.make("token"))
 *   const { url } = yield* Sandbox.Sandbox
 *   const { update } = yield* FetchInstallationService.make({ credentials, server: url })
 *   yield* update({ status: "ACTIVATED" })
 * })
 * await Effect.runPromise(Effect.provide(program, Sandbox.layer()))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <E, R>(
  options: Options<E, R>
): Effect.Effect<InstallationService["Type"], BadRequest | E, R> =>
  Effect.flatMap(transport(options), (transport) => TransportInstallationService.make(transport, options))

/**
 * `make` as a layer.
 *
 * @example
 * ```ts
 * import { Credentials, FetchInstallationService, InstallationService } from "@effect-pleo/core"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * const credentials = Credentials.bearer(Redacted.make("token"))
 * const program = Effect.flatMap(Sandbox.Sandbox, ({ url }) =>
 *   Effect.provide(
 *     InstallationService.update({ status: "ACTIVATED" }),
 *     FetchInstallationService.layer({ credentials, server: url })
 *   )
 * )
 * await Effect.runPromise(Effect.provide(program, Sandbox.layer()))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <E, R>(
  options: Options<E, R>
): Layer.Layer<InstallationService, BadRequest | E, Exclude<R, Scope.Scope>> =>
  TransportInstallationService.layer(transport(options), options)

/**
 * `layer`, configured by `PLEO_SERVER`, and by `PLEO_ACCESS_TOKEN` or `PLEO_API_KEY` unless credentials are given.
 *
 * @example
 * ```ts
 * import { FetchInstallationService, InstallationService } from "@effect-pleo/core"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as ConfigProvider from "effect/ConfigProvider"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.flatMap(Sandbox.Sandbox, ({ url }) =>
 *   InstallationService.update({ status: "ACTIVATED" }).pipe(
 *     Effect.provide(FetchInstallationService.layerConfig()),
 *     Effect.withConfigProvider(ConfigProvider.fromJson({ PLEO_API_KEY: "key", PLEO_SERVER: url }))
 *   )
 * )
 * await Effect.runPromise(Effect.provide(program, Sandbox.layer()))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = <E = never, R = never>(
  options: ConfigOptions<E, R> = {}
): Layer.Layer<InstallationService, BadRequest | ConfigError | E, Exclude<R, Scope.Scope>> =>
  TransportInstallationService.layerConfig(transport(options), options)
