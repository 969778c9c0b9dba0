/**
 * How requests are sent. Implement `Transport` to send them by something other than an `HttpClient`, and give it to
 * `TransportInstallationService`, as `@effect-pleo/node` does.
 *
 * @since 0.1.0
 * @module
 */
import type * as Either from "effect/Either"

/**
 * A request. `Transport` has its method and URL.
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
 * const request = { headers: { authorization: "Bearer token", accept: "application/json" }, body: "{}", freshConnection: false }
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
  /** Whether to send it over a connection that no other request has used or will use. */
  readonly freshConnection: boolean
}

/**
 * A response, with its whole body.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import type { Transport } from "@effect-pleo/core"
 *
 * const toAnswer = async (response: Response): Promise<Transport.Response> => {
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
export interface Response {
  readonly status: number
  /** By their names in lower case. */
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  /** Of a response that is no success (2xx), the start is enough. */
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
 * import { Credentials, Transport, TransportInstallationService } from "@effect-pleo/core"
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
 *   const { update } = yield* TransportInstallationService.make(transport, { credentials })
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
      readonly headers?: Response["headers"] | undefined
    }

/**
 * Sends one request, without following redirects. `onEnd` is called once, unless the request is canceled before: call
 * the returned function for that. It returns whether the request may have been sent. A throw is a defect of the update.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Credentials, RetryPolicy, Transport, TransportInstallationService } from "@effect-pleo/core"
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
 *   const { update } = yield* TransportInstallationService.make(() => neverAnswers, { credentials })
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
export type Send = (request: Request, onEnd: (end: Either.Either<Response, Failure>) => void) => () => boolean

/**
 * Sends requests to one URL. It is called once for each URL, and does then what need not be done for each request.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Credentials, Transport, TransportInstallationService } from "@effect-pleo/core"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
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
 *   const { update } = yield* TransportInstallationService.make(overFetch, { credentials, server: url })
 *   return yield* update({ status: "ACTIVATED" })
 * })
 * const { status } = await Effect.runPromise(Effect.provide(program, Sandbox.layer()))
 * assert.equal(status, "ACTIVATED")
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export type Transport = (method: "PUT" | "POST", url: URL) => Send
