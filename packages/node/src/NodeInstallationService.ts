/**
 * `InstallationService` for Node.js, ready to provide: the client of `@effect-pleo/core` on the sockets of
 * `NodeHttpClient`, without an `HttpClient` between them. To put middleware there, provide
 * `NodeHttpClient.layer` to `InstallationClient.layer`.
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

/**
 * What `make` and `layer` take: credentials and server, and the options of `NodeHttpClient`.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Credentials, InstallationService } from "@effect-pleo/core"
 * import { NodeInstallationService } from "@effect-pleo/node"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * const optionsFor = (server: string): NodeInstallationService.Options => ({
 *   server,
 *   credentials: Effect.orDie(Credentials.bearer(Redacted.make("token"))),
 *   connections: 16,
 *   keepAliveTimeout: "1 second"
 * })
 *
 * const program = Effect.gen(function* () {
 *   const { url } = yield* Sandbox.Sandbox
 *   const update = InstallationService.update({ status: "ACTIVATED" })
 *   return yield* Effect.provide(update, NodeInstallationService.layer(optionsFor(url)))
 * })
 * const { status } = await Effect.runPromise(Effect.provide(program, Sandbox.layer()))
 * assert.equal(status, "ACTIVATED")
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<E = never, R = never>
  extends TransportInstallationService.Options<E, R>,
    NodeHttpClient.Options {}

/**
 * What `layerConfig` takes besides the configuration: other credentials, and the options of `NodeHttpClient`.
 *
 * @example
 * ```ts
 * import { NodeInstallationService } from "@effect-pleo/node"
 * import * as ConfigProvider from "effect/ConfigProvider"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 *
 * const options: NodeInstallationService.ConfigOptions = {
 *   connections: 16,
 *   proxy: new URL("http://proxy.example:3128")
 * }
 *
 * const live = NodeInstallationService.layerConfig(options).pipe(
 *   Layer.provide(Layer.setConfigProvider(ConfigProvider.fromJson({ PLEO_API_KEY: "key" })))
 * )
 * // At the start of a program: it fails here when something is missing.
 * await Effect.runPromise(Effect.scoped(Layer.build(live)))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface ConfigOptions<E = never, R = never>
  extends TransportInstallationService.ConfigOptions<E, R>,
    NodeHttpClient.Options {}

const makeTransport = (options: NodeHttpClient.Options) =>
  Effect.map(internalPools.make(options), internalTransport.make)

/**
 * A service with its own sockets, which are closed with the scope: updates under way get a second to end.
 *
 * Fails with `BadRequest` when the server or an option of the transport cannot be used, and with whatever
 * making the credentials fails with.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Credentials } from "@effect-pleo/core"
 * import { NodeInstallationService } from "@effect-pleo/node"
 * import { Fault } from "@effect-pleo/testing"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * const program = Effect.gen(function* () {
 *   const { inject, url } = yield* Sandbox.Sandbox
 *   const { update } = yield* NodeInstallationService.make({
 *     server: url,
 *     credentials: Credentials.apiKey(Redacted.make("key"))
 *   })
 *   yield* inject(Fault.resetConnection())
 *   return yield* Effect.flip(update({ status: "ACTIVATED" }))
 * })
 *
 * const error = await program.pipe(Effect.scoped, Effect.provide(Sandbox.layer()), Effect.runPromise)
 * assert.ok(error._tag === "Infrastructure" && error.reason === "Transport")
 * assert.equal(error.isRetryable, true)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <E, R>(
  options: Options<E, R>
): Effect.Effect<InstallationService["Type"], BadRequest | E, R | Scope.Scope> =>
  Effect.flatMap(makeTransport(options), (transport) => TransportInstallationService.make(transport, options))

/**
 * `make` as a layer.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Credentials, InstallationService, RetryPolicy, UpdateInstallation } from "@effect-pleo/core"
 * import { NodeInstallationService } from "@effect-pleo/node"
 * import { Fault } from "@effect-pleo/testing"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Redacted from "effect/Redacted"
 *
 * const live = Layer.unwrapEffect(
 *   Effect.map(Sandbox.Sandbox, ({ url }) =>
 *     NodeInstallationService.layer({ server: url, credentials: Credentials.bearer(Redacted.make("token")) })
 *   )
 * ).pipe(Layer.provideMerge(Sandbox.layer()))
 *
 * const program = Effect.gen(function* () {
 *   const { inject, requests } = yield* Sandbox.Sandbox
 *   yield* inject(Fault.status(503))
 *   yield* InstallationService.update(UpdateInstallation.activated()).pipe(
 *     RetryPolicy.retry({ baseDelay: 0 })
 *   )
 *   return (yield* requests).map(({ status }) => status)
 * })
 * assert.deepEqual(await Effect.runPromise(Effect.provide(program, live)), [503, 200])
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <E, R>(
  options: Options<E, R>
): Layer.Layer<InstallationService, BadRequest | E, Exclude<R, Scope.Scope>> =>
  TransportInstallationService.layer(makeTransport(options), options)

/**
 * `layer`, configured by `PLEO_SERVER`, and by `PLEO_ACCESS_TOKEN` or `PLEO_API_KEY` unless credentials are
 * given.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { InstallationService } from "@effect-pleo/core"
 * import { NodeInstallationService } from "@effect-pleo/node"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as ConfigProvider from "effect/ConfigProvider"
 * import * as Effect from "effect/Effect"
 *
 * const update = InstallationService.update({ status: "ACTIVATED" }).pipe(
 *   Effect.provide(NodeInstallationService.layerConfig())
 * )
 *
 * // Without a provider of its own, it reads the environment.
 * const program = Effect.flatMap(Sandbox.Sandbox, ({ url }) =>
 *   Effect.withConfigProvider(update, ConfigProvider.fromJson({ PLEO_SERVER: url, PLEO_API_KEY: "key" }))
 * )
 * const { status } = await Effect.runPromise(Effect.provide(program, Sandbox.layer()))
 * assert.equal(status, "ACTIVATED")
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = <E = never, R = never>(
  options: ConfigOptions<E, R> = {}
): Layer.Layer<InstallationService, BadRequest | ConfigError | E, Exclude<R, Scope.Scope>> =>
  TransportInstallationService.layerConfig(makeTransport(options), options)
