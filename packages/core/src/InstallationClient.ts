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
import { identity } from "effect/Function"
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

/** Adds the span of the update, and the options of fetch, to the context of the platform's clients. */
const withContext =
  (span: Tracer.Span | undefined) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.mapInputContext(self, (context: Context.Context<R>) => {
      // fetch follows redirects by default, and could send the credential elsewhere.
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
        : // The status is enough to report the error.
          Effect.succeed({ status, headers, body: new Uint8Array() }),
    onSuccess: (buffer) => Effect.succeed({ status, headers, body: new Uint8Array(buffer) })
  })
}

const senderOver = (platformClient: HttpClient.HttpClient): Sender => {
  // Replaces the platform's span, which contains every header, and sends trace headers.
  const client = HttpClient.withTracerDisabledWhen(platformClient, () => true)
  return fromEffects((method, url) => {
    const blank = HttpClientRequest.make(method)(url.href)
    return ({ body, headers }, span) =>
      blank.pipe(
        HttpClientRequest.setHeaders(headers),
        body === undefined ? identity : HttpClientRequest.bodyText(body, headers["content-type"]),
        client.execute,
        Effect.matchEffect({
          // A client that fails on a status still has the response.
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
