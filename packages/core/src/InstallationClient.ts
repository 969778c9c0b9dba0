/**
 * `InstallationService` over any `HttpClient`.
 *
 * @since 0.1.0
 * @module
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import type { HttpClientError } from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type { HttpClientResponse } from "@effect/platform/HttpClientResponse"
import type { ConfigError } from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import type { BadRequest } from "./InstallationError.ts"
import { InstallationService } from "./InstallationService.ts"
import * as internal from "./internal/call/service.ts"
import { fromCause } from "./internal/http/failure.ts"
import { isSuccess } from "./internal/http/response.ts"
import { fromEffects, type Sender } from "./internal/http/sender.ts"
import type * as Transport from "./Transport.ts"
import type { ConfigOptions, Options } from "./TransportInstallationService.ts"

/** What the platform's clients find in the context: the span of the update, and what fetch is told. */
const withContext =
  (span: Tracer.Span | undefined) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.mapInputContext(self, (context: Context.Context<R>) => {
      // fetch follows redirects by default, and would carry the request elsewhere.
      const withoutRedirects = Context.add(context, FetchHttpClient.RequestInit, {
        ...Option.getOrUndefined(Context.getOption(context, FetchHttpClient.RequestInit)),
        redirect: "manual"
      })
      return span === undefined ? withoutRedirects : Context.add(withoutRedirects, Tracer.ParentSpan, span)
    })

const toFailure = (error: HttpClientError): Transport.Failure =>
  error._tag === "RequestError" && error.reason !== "Transport"
    ? { _tag: "Unwritable" }
    : fromCause(error.cause, error._tag === "ResponseError" ? error.response.headers : undefined)

const toResponse = (response: HttpClientResponse): Effect.Effect<Transport.Response, Transport.Failure> => {
  const { headers, status } = response
  return Effect.matchEffect(response.arrayBuffer, {
    onFailure: (error) =>
      isSuccess(response)
        ? Effect.fail(toFailure(error))
        : // The status has said what happened, whatever became of the rest.
          Effect.succeed({ status, headers, body: new Uint8Array() }),
    onSuccess: (buffer) => Effect.succeed({ status, headers, body: new Uint8Array(buffer) })
  })
}

const senderOver = (platformClient: HttpClient.HttpClient): Sender => {
  // The platform's span would carry every header, and send trace headers along: ours replaces it.
  const client = HttpClient.withTracerDisabledWhen(platformClient, () => true)
  return fromEffects((method, url) => {
    const blank = HttpClientRequest.make(method)(url.href)
    return ({ body, headers }, span) =>
      blank.pipe(
        HttpClientRequest.setHeaders(headers),
        HttpClientRequest.bodyText(body, headers["content-type"]),
        client.execute,
        Effect.matchEffect({
          // A client that was told to fail upon a status has the answer all the same.
          onFailure: (error) =>
            error._tag === "ResponseError" && error.reason === "StatusCode"
              ? toResponse(error.response)
              : Effect.fail(toFailure(error)),
          onSuccess: toResponse
        }),
        withContext(span)
      )
  })
}

/**
 * An `InstallationService` that sends its updates through the `HttpClient` of the environment, with one
 * span `InstallationService.update` an update. No trace header goes to Pleo, and no redirect is followed.
 *
 * Updates with the same credential are sent one at a time, in the order of their calls; updates with
 * different credentials do not wait for each other. All share one retry budget.
 *
 * Fails with `BadRequest` when the server cannot be used.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import * as HttpClient from "@effect/platform/HttpClient"
 * import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
 * import { Credentials, InstallationClient } from "@effect-pleo/core"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * const refusing = HttpClient.make((request) =>
 *   Effect.succeed(HttpClientResponse.fromWeb(request, new Response("no such scope", { status: 403 })))
 * )
 *
 * const program = Effect.gen(function* () {
 *   const credentials = Credentials.bearer(Redacted.make("token"))
 *   const service = yield* InstallationClient.make({ credentials, server: "staging" })
 *   return yield* Effect.flip(service.update({ status: "ACTIVATED" }))
 * })
 * const error = await Effect.runPromise(Effect.provideService(program, HttpClient.HttpClient, refusing))
 * assert.ok(error._tag === "Unauthorized" && error.reason === "Forbidden")
 * assert.equal(error.body, "no such scope")
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <E, R>(
  options: Options<E, R>
): Effect.Effect<InstallationService["Type"], BadRequest | E, HttpClient.HttpClient | R> =>
  Effect.flatMap(HttpClient.HttpClient, (client) => internal.make(senderOver(client), options))

/**
 * `make` as a layer. The client lives as long as the layer.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
 * import { Credentials, InstallationClient, InstallationService } from "@effect-pleo/core"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Redacted from "effect/Redacted"
 *
 * const live = Layer.unwrapEffect(
 *   Effect.map(Sandbox.Sandbox, ({ url }) =>
 *     InstallationClient.layer({ credentials: Credentials.bearer(Redacted.make("token")), server: url })
 *   )
 * ).pipe(Layer.provide([FetchHttpClient.layer, Sandbox.layer()]))
 *
 * const { status } = await InstallationService.update({ status: "INACTIVE" }).pipe(
 *   Effect.provide(live),
 *   Effect.runPromise
 * )
 * assert.equal(status, "INACTIVE")
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <E, R>(
  options: Options<E, R>
): Layer.Layer<InstallationService, BadRequest | E, HttpClient.HttpClient | Exclude<R, Scope.Scope>> =>
  Layer.scoped(InstallationService, make(options))

/**
 * `layer`, configured by `PLEO_SERVER`, and by `PLEO_ACCESS_TOKEN` or `PLEO_API_KEY` unless credentials are
 * given.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
 * import { InstallationClient, InstallationService } from "@effect-pleo/core"
 * import * as ConfigProvider from "effect/ConfigProvider"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 *
 * // In a worker or a browser, where there is no environment to read.
 * const configuration = ConfigProvider.fromJson({ PLEO_SERVER: "ftp://pleo.example", PLEO_API_KEY: "key" })
 * const live = InstallationClient.layerConfig().pipe(
 *   Layer.provide(FetchHttpClient.layer),
 *   Layer.provide(Layer.setConfigProvider(configuration))
 * )
 *
 * const outcome = await InstallationService.update({ status: "ACTIVATED" }).pipe(
 *   Effect.provide(live),
 *   Effect.catchTag("ConfigError", (error) => Effect.succeed(String(error))),
 *   Effect.runPromise
 * )
 * assert.match(String(outcome), /PLEO_SERVER/)
 * ```
 *
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
