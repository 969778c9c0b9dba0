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
import * as internal from "./internal/client.ts"
import type * as Transport from "./Transport.ts"

/**
 * Where to send updates, and with which credentials.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<E = never, R = never> extends Transport.Options<E, R> {}

/**
 * What is not read from the configuration.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConfigOptions<E = never, R = never> extends Transport.ConfigOptions<E, R> {}

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
    : {
        _tag: "Broken",
        cause: error.cause,
        headers: error._tag === "ResponseError" ? error.response.headers : undefined
      }

const toAnswer = (response: HttpClientResponse): Effect.Effect<Transport.Answer, Transport.Failure> => {
  const { headers, status } = response
  return Effect.matchEffect(response.arrayBuffer, {
    onFailure: (error) =>
      internal.isSuccess(response)
        ? Effect.fail(toFailure(error))
        : // The status has said what happened, whatever became of the rest.
          Effect.succeed({ status, headers, body: new Uint8Array() }),
    onSuccess: (buffer) => Effect.succeed({ status, headers, body: new Uint8Array(buffer) })
  })
}

const carrier = (platformClient: HttpClient.HttpClient): internal.MakeCarrier => {
  // The platform's span would carry every header, and send trace headers along: ours replaces it.
  const client = HttpClient.withTracerDisabledWhen(platformClient, () => true)
  return internal.fromEffects((method, url) => {
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
              ? toAnswer(error.response)
              : Effect.fail(toFailure(error)),
          onSuccess: toAnswer
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
 * @since 0.1.0
 * @category constructors
 */
export const make = <E, R>(
  options: Options<E, R>
): Effect.Effect<InstallationService["Type"], BadRequest | E, HttpClient.HttpClient | R> =>
  Effect.flatMap(HttpClient.HttpClient, (client) => internal.makeService(carrier(client), options))

/**
 * `make`, as a layer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <E, R>(
  options: Options<E, R>
): Layer.Layer<InstallationService, BadRequest | E, HttpClient.HttpClient | Exclude<R, Scope.Scope>> =>
  Layer.scoped(InstallationService, make(options))

/**
 * Configured by `PLEO_SERVER`, and by `PLEO_ACCESS_TOKEN` or `PLEO_API_KEY` unless credentials are given.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = <E = never, R = never>(
  options: ConfigOptions<E, R> = {}
): Layer.Layer<InstallationService, ConfigError | E, HttpClient.HttpClient | Exclude<R, Scope.Scope>> =>
  Layer.scoped(
    InstallationService,
    Effect.flatMap(HttpClient.HttpClient, (client) => internal.makeServiceConfig(carrier(client), options))
  )
