/**
 * `InstallationService` over any `Transport`: what `FetchInstallationService` and `NodeInstallationService` are made of.
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
import * as internal from "./internal/call/service.ts"
import { fromTransport } from "./internal/http/sender.ts"
import type { Transport } from "./Transport.ts"

/**
 * Credentials and server.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Credentials, TransportInstallationService } from "@effect-pleo/core"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * const options: TransportInstallationService.Options = {
 *   credentials: Effect.orDie(Credentials.bearer(Redacted.make("token"))),
 *   server: "https://pleo.example?token=1"
 * }
 *
 * const error = Effect.runSync(
 *   Effect.flip(TransportInstallationService.make(() => () => () => false, options))
 * )
 * assert.deepEqual(error.issues?.[0]?.path, ["server"])
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<E = never, R = never> extends internal.Options<E, R> {}

/**
 * Credentials other than those of the configuration.
 *
 * @example
 * ```ts
 * import { Credentials, type TransportInstallationService } from "@effect-pleo/core"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * // With them, PLEO_ACCESS_TOKEN and PLEO_API_KEY need not be set.
 * export const options: TransportInstallationService.ConfigOptions = {
 *   credentials: Effect.orDie(Credentials.bearer(Redacted.make("token")))
 * }
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface ConfigOptions<E = never, R = never> extends internal.ConfigOptions<E, R> {}

/**
 * A service over a transport. Fails with `BadRequest` when the server cannot be used.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Credentials, type Transport, TransportInstallationService } from "@effect-pleo/core"
 * import * as Effect from "effect/Effect"
 * import * as Either from "effect/Either"
 * import * as Redacted from "effect/Redacted"
 *
 * const sent: Array<string> = []
 * const busy: Transport.Transport = (method, url) => (request, onEnd) => {
 *   sent.push(`${method} ${url} ${request.body}`)
 *   onEnd(Either.right({ status: 429, headers: { "retry-after": "7" }, body: new Uint8Array() }))
 *   return () => false
 * }
 *
 * const program = Effect.gen(function* () {
 *   const credentials = Credentials.apiKey(Redacted.make("key"))
 *   const { update } = yield* TransportInstallationService.make(busy, { credentials, server: "staging" })
 *   return yield* Effect.flip(update({ status: "ACTIVATED" }))
 * })
 * const error = await Effect.runPromise(program)
 * assert.ok(error._tag === "Infrastructure" && error.reason === "RateLimited")
 * assert.deepEqual(sent, ['PUT https://external.staging.pleo.io/v1/installations/me {"status":"ACTIVATED"}'])
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <E, R>(
  transport: Transport,
  options: Options<E, R>
): Effect.Effect<InstallationService["Type"], BadRequest | E, R> =>
  internal.make(fromTransport(transport), options)

/**
 * `make` as a layer, over a transport that lives as long as the layer.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Credentials, InstallationService, type Transport, TransportInstallationService } from "@effect-pleo/core"
 * import * as Effect from "effect/Effect"
 * import * as Either from "effect/Either"
 * import * as Redacted from "effect/Redacted"
 *
 * const offline: Transport.Transport = () => (_request, onEnd) => {
 *   onEnd(Either.left({ _tag: "Unsent", cause: { code: "ENOTFOUND" } }))
 *   return () => false
 * }
 *
 * const live = TransportInstallationService.layer(Effect.succeed(offline), {
 *   credentials: Credentials.apiKey(Redacted.make("key"))
 * })
 * const error = await InstallationService.update({ status: "ACTIVATED" }).pipe(
 *   Effect.flip,
 *   Effect.provide(live),
 *   Effect.runPromise
 * )
 * assert.equal(error._tag, "Infrastructure")
 * ```
 *
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
 * import * as assert from "node:assert/strict"
 * import { InstallationService, type Transport, TransportInstallationService } from "@effect-pleo/core"
 * import * as ConfigProvider from "effect/ConfigProvider"
 * import * as Effect from "effect/Effect"
 * import * as Either from "effect/Either"
 * import * as Layer from "effect/Layer"
 *
 * const offline: Transport.Transport = () => (_request, onEnd) => {
 *   onEnd(Either.left({ _tag: "Unsent", cause: { code: "ENOTFOUND" } }))
 *   return () => false
 * }
 *
 * const live = Layer.provide(
 *   TransportInstallationService.layerConfig(Effect.succeed(offline)),
 *   Layer.setConfigProvider(ConfigProvider.fromMap(new Map([["PLEO_API_KEY", "key"]])))
 * )
 * const error = await InstallationService.update({ status: "ACTIVATED" }).pipe(
 *   Effect.flip,
 *   Effect.provide(live),
 *   Effect.runPromise
 * )
 * assert.equal(error._tag, "Infrastructure")
 * ```
 *
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
