/**
 * What carries the requests of a client. `InstallationClient` puts any `HttpClient` underneath; who brings
 * something else implements `Transport`, as `@effect-pleo/node` does.
 *
 * @since 0.1.0
 * @module
 */
import type { ConfigError } from "effect/ConfigError"
import type * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import type { Credentials } from "./Credentials.ts"
import type { BadRequest } from "./InstallationError.ts"
import type { InstallationService } from "./InstallationService.ts"
import * as internal from "./internal/call/client.ts"
import { fromTransport } from "./internal/http/sender.ts"
import type { OnDrift } from "./SchemaDrift.ts"
import type * as Server from "./Server.ts"

/**
 * What is sent. Its method and URL are told beforehand: see `Transport`.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import type { Transport } from "@effect-pleo/core"
 *
 * // For a log: which headers there are, and not what they say.
 * const describe = ({ body, headers }: Transport.Request) =>
 *   `${body.length} characters, ${Object.keys(headers).join(", ")}`
 *
 * const request = { headers: { authorization: "Bearer token", accept: "application/json" }, body: "{}" }
 * assert.equal(describe(request), "2 characters, authorization, accept")
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Request {
  /** By their names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/**
 * An answer, whole.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import type { Transport } from "@effect-pleo/core"
 *
 * const toAnswer = async (response: Response): Promise<Transport.Answer> => {
 *   const headers: Record<string, string> = {}
 *   response.headers.forEach((value, name) => {
 *     headers[name] = value
 *   })
 *   return { status: response.status, headers, body: new Uint8Array(await response.arrayBuffer()) }
 * }
 *
 * const answer = await toAnswer(new Response("slow down", { status: 429, headers: { "Retry-After": "7" } }))
 * assert.equal(answer.headers["retry-after"], "7")
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Answer {
  readonly status: number
  /** By their names in lower case. */
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  /** Of an answer that is no success (2xx), the start is enough. */
  readonly body: Uint8Array
}

/**
 * Why there is no response.
 *
 * - `Unwritable`: the request cannot be written as HTTP. Nothing was sent.
 * - `Unsent`: no connection came about: dialing, TLS or the tunnel of a proxy failed. Nothing was sent. `proxyStatus`
 *   is the status with which a proxy refused.
 * - `Broken`: anything else. The request may have been sent; `headers` are those of a response that broke off.
 *
 * The `code` along the chain of causes is shown, and tells refused certificates from what may pass.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Credentials, Transport } from "@effect-pleo/core"
 * import * as Effect from "effect/Effect"
 * import * as Either from "effect/Either"
 * import * as Redacted from "effect/Redacted"
 *
 * const failure: Transport.Failure = { _tag: "Unsent", cause: { code: "ECONNREFUSED" } }
 *
 * const transport: Transport.Transport = () => (_request, onEnd) => {
 *   onEnd(Either.left(failure))
 *   return () => false
 * }
 *
 * const program = Effect.gen(function* () {
 *   const credentials = Credentials.bearer(Redacted.make("token"))
 *   const { update } = yield* Transport.makeService(transport, { credentials })
 *   return yield* Effect.flip(update({ status: "ACTIVATED" }))
 * })
 * const error = await Effect.runPromise(program)
 * assert.ok(error._tag === "Infrastructure" && error.code === "ECONNREFUSED")
 * assert.equal(error.mayHaveBeenApplied, false)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export type Failure =
  | { readonly _tag: "Unwritable" }
  | {
      readonly _tag: "Unsent"
      readonly cause: unknown
      readonly proxyStatus?: number | undefined
    }
  | {
      readonly _tag: "Broken"
      readonly cause: unknown
      readonly headers?: Answer["headers"] | undefined
    }

/**
 * Sends one request, without following redirects. `onEnd` is called once, unless the request is canceled before: call
 * the returned function for that. It returns whether the request may have been sent. A throw is a defect of the update.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Credentials, RetryPolicy, Transport } from "@effect-pleo/core"
 * import * as Effect from "effect/Effect"
 * import * as Fiber from "effect/Fiber"
 * import * as Redacted from "effect/Redacted"
 * import * as TestClock from "effect/TestClock"
 * import * as TestContext from "effect/TestContext"
 *
 * let canceled = 0
 * const neverAnswers: Transport.Send = () => () => {
 *   canceled += 1
 *   return true
 * }
 *
 * const program = Effect.gen(function* () {
 *   const credentials = Credentials.bearer(Redacted.make("token"))
 *   const { update } = yield* Transport.makeService(() => neverAnswers, { credentials })
 *   const late = update({ status: "ACTIVATED" }).pipe(RetryPolicy.timeout("5 seconds"))
 *   const fiber = yield* Effect.fork(Effect.flip(late))
 *   yield* TestClock.adjust("5 seconds")
 *   return yield* Fiber.join(fiber)
 * })
 * const error = await Effect.runPromise(Effect.provide(program, TestContext.TestContext))
 * assert.equal(error._tag, "Infrastructure")
 * assert.equal(canceled, 1)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export type Send = (request: Request, onEnd: (end: Either.Either<Answer, Failure>) => void) => () => boolean

/**
 * `PUT` updates an installation, `POST` refreshes tokens.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import type { Transport } from "@effect-pleo/core"
 *
 * // A broken connection is opened anew for the one, and not for the other.
 * const mayBeSentAgain = (method: Transport.Method) => method === "PUT"
 * assert.deepEqual((["PUT", "POST"] as const).map(mayBeSentAgain), [true, false])
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export type Method = "PUT" | "POST"

/**
 * What sends requests to one URL: what need not be done for each of them is done once. A `POST` cannot be sent
 * again when it broke off: a connection that was idle, and may be closed by now, is not for it.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Credentials, Transport } from "@effect-pleo/core"
 * import { Sandbox } from "@effect-pleo/sandbox"
 * import * as Effect from "effect/Effect"
 * import * as Either from "effect/Either"
 * import * as Redacted from "effect/Redacted"
 *
 * const overFetch: Transport.Transport = (method, url) => (request, onEnd) => {
 *   const controller = new AbortController()
 *   const { signal } = controller
 *   fetch(url, { ...request, method, redirect: "manual", signal })
 *     .then(async (response) => ({
 *       status: response.status,
 *       headers: { "retry-after": response.headers.get("retry-after") ?? undefined },
 *       body: new Uint8Array(await response.arrayBuffer())
 *     }))
 *     .then(Either.right, (cause) => Either.left({ _tag: "Broken", cause } as const))
 *     .then((end) => signal.aborted || onEnd(end))
 *   return () => {
 *     controller.abort()
 *     // fetch does not say how far it got.
 *     return true
 *   }
 * }
 *
 * const program = Effect.gen(function* () {
 *   const { url } = yield* Sandbox.Sandbox
 *   const credentials = Credentials.bearer(Redacted.make("token"))
 *   const { update } = yield* Transport.makeService(overFetch, { credentials, server: url })
 *   return yield* update({ status: "ACTIVATED" })
 * })
 * const { status } = await Effect.runPromise(Effect.provide(program, Sandbox.layer()))
 * assert.equal(status, "ACTIVATED")
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export type Transport = (method: Method, url: URL) => Send

/**
 * What `makeService` takes: the credentials, and where to send the updates.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Credentials, Transport } from "@effect-pleo/core"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * const options: Transport.Options = {
 *   credentials: Effect.orDie(Credentials.bearer(Redacted.make("token"))),
 *   server: "https://pleo.example?token=1"
 * }
 *
 * const error = Effect.runSync(Effect.flip(Transport.makeService(() => () => () => false, options)))
 * assert.deepEqual(error.issues?.[0]?.path, ["server"])
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<E = never, R = never> {
  /** Run once, when the layer is built. `Credentials.use` replaces it for a single call or a region. */
  readonly credentials: Effect.Effect<Credentials, E, R>
  /** Default: `"production"`. */
  readonly server?: Server.Server | undefined
  /** Is told when an answer holds what this version does not know. */
  readonly onDrift?: OnDrift | undefined
}

/**
 * What `makeServiceConfig` takes: other credentials than those of the configuration.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Credentials, Transport } from "@effect-pleo/core"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * const options: Transport.ConfigOptions = {
 *   credentials: Effect.orDie(Credentials.bearer(Redacted.make("token")))
 * }
 *
 * // With them, PLEO_ACCESS_TOKEN and PLEO_API_KEY need not be set.
 * const service = Effect.runSync(Transport.makeServiceConfig(() => () => () => false, options))
 * assert.equal(typeof service.update, "function")
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface ConfigOptions<E = never, R = never> {
  /** Default: `Credentials.config`. `Credentials.oauthConfig` is the other. */
  readonly credentials?: Effect.Effect<Credentials, E, R> | undefined
  /** Is told when an answer holds what this version does not know. */
  readonly onDrift?: OnDrift | undefined
}

/**
 * An `InstallationService` over a transport. Fails with `BadRequest` when the server cannot be used.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Credentials, Transport } from "@effect-pleo/core"
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
 *   const { update } = yield* Transport.makeService(busy, { credentials, server: "staging" })
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
export const makeService = <E, R>(
  transport: Transport,
  options: Options<E, R>
): Effect.Effect<InstallationService["Type"], BadRequest | E, R> =>
  internal.makeService(fromTransport(transport), options)

/**
 * `makeService`, configured by `PLEO_SERVER`, and by `PLEO_ACCESS_TOKEN` or `PLEO_API_KEY` unless credentials are
 * given.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { InstallationService, Transport } from "@effect-pleo/core"
 * import * as ConfigProvider from "effect/ConfigProvider"
 * import * as Effect from "effect/Effect"
 * import * as Either from "effect/Either"
 * import * as Layer from "effect/Layer"
 *
 * const offline: Transport.Transport = () => (_request, onEnd) => {
 *   onEnd(Either.left({ _tag: "Broken", cause: { code: "ENOTFOUND" } }))
 *   return () => false
 * }
 *
 * const live = Layer.effect(
 *   InstallationService.InstallationService,
 *   Transport.makeServiceConfig(offline)
 * ).pipe(Layer.provide(Layer.setConfigProvider(ConfigProvider.fromMap(new Map([["PLEO_API_KEY", "key"]])))))
 *
 * const error = await InstallationService.update({ status: "ACTIVATED" }).pipe(
 *   Effect.flip,
 *   Effect.provide(live),
 *   Effect.runPromise
 * )
 * assert.equal(error._tag, "Infrastructure")
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeServiceConfig = <E = never, R = never>(
  transport: Transport,
  options: ConfigOptions<E, R> = {}
): Effect.Effect<InstallationService["Type"], ConfigError | E, R> =>
  internal.makeServiceConfig(fromTransport(transport), options)
