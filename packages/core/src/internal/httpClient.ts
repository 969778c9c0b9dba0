// Sends requests by any `HttpClient` of @effect/platform.
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import type { HttpClientError } from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type { HttpClientResponse } from "@effect/platform/HttpClientResponse"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import type * as Transport from "../Transport.ts"
import { fromCause } from "./http/failure.ts"
import { isSuccess } from "./http/response.ts"
import { fromEffects, type Sender } from "./http/sender.ts"

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

export const senderOver = (platformClient: HttpClient.HttpClient): Sender => {
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
