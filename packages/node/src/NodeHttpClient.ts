/**
 * An `HttpClient` for Node.js on undici's dispatcher, made for short answers from one API: an answer is
 * received whole, within a limit, before the effect succeeds. So a timeout around the effect covers the
 * body too, and no socket waits for somebody to read.
 *
 * @since 0.1.0
 * @module
 */

import { Readable } from "node:stream"
import * as Headers from "@effect/platform/Headers"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type { HttpClientResponse } from "@effect/platform/HttpClientResponse"
import type { BadRequest } from "@effect-pleo/core/InstallationError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Dispatcher } from "undici"
import { BufferedResponse } from "./internal/bufferedResponse.ts"
import type { Outcome } from "./internal/exchange.ts"
import * as internal from "./internal/origins.ts"
import type { Origins } from "./internal/sockets.ts"

/**
 * Limits of the sockets and of the answers, and the way to the server.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** How many sockets, at least 1, may be open to the server at once; more requests wait. Default: 64. */
  readonly connections?: number | undefined
  /** How long connecting may take, TLS included. Default: 5 seconds. */
  readonly connectTimeout?: Duration.DurationInput | undefined
  /** How long an idle socket is kept for the next request: finite, and more than 0. Default: 4 seconds. */
  readonly keepAliveTimeout?: Duration.DurationInput | undefined
  /** The largest body, in bytes, that a success may have. Default: 1 MiB. */
  readonly maxResponseSize?: number | undefined
  /**
   * The proxy to tunnel through (HTTP CONNECT), with its user and password in the URL if it wants any.
   * Default: none, whatever `HTTPS_PROXY` says.
   */
  readonly proxy?: URL | undefined
}

type RequestBody = NonNullable<Dispatcher.DispatchOptions["body"]> | null

interface Content {
  readonly body: RequestBody
  readonly headers: Headers.Headers
}

const encodeFormData = async (formData: FormData, headers: Headers.Headers): Promise<Content> => {
  // undici's dispatcher knows only its own FormData, not that of Node.js.
  const encoded = new Response(formData)
  const contentType = encoded.headers.get("content-type") ?? ""
  return {
    body: new Uint8Array(await encoded.arrayBuffer()),
    headers: Headers.set(headers, "content-type", contentType)
  }
}

const contentOf = ({
  body,
  headers
}: HttpClientRequest.HttpClientRequest): Content | Effect.Effect<Content> => {
  switch (body._tag) {
    case "Empty":
      return { body: null, headers }
    case "Raw":
    case "Uint8Array":
      return { body: body.body as RequestBody, headers }
    case "FormData":
      return Effect.promise(() => encodeFormData(body.formData, headers))
    case "Stream":
      return Effect.map(Stream.toReadableStreamEffect(body.stream), (stream) => ({
        body: Readable.fromWeb(stream as never),
        headers
      }))
  }
}

type Result = Either.Either<HttpClientResponse, HttpClientError.HttpClientError>

const toResult = (request: HttpClientRequest.HttpClientRequest, outcome: Outcome): Result =>
  Either.mapBoth(outcome, {
    onLeft: ({ answer, cause }) =>
      answer === undefined
        ? new HttpClientError.RequestError({ request, reason: "Transport", cause })
        : new HttpClientError.ResponseError({
            request,
            response: new BufferedResponse(request, answer),
            reason: "Decode",
            cause
          }),
    onRight: (answer) => new BufferedResponse(request, answer)
  })

/** One request and the whole of its answer. */
const exchange = (
  origins: Origins,
  request: HttpClientRequest.HttpClientRequest,
  url: URL
): Effect.Effect<HttpClientResponse, HttpClientError.HttpClientError> => {
  if (url.protocol !== "https:" && url.protocol !== "http:")
    return Effect.fail(
      new HttpClientError.RequestError({
        request,
        reason: "InvalidUrl",
        cause: new TypeError("expected an http or https URL")
      })
    )
  const { method } = request
  const { origin, pathname, search } = url
  const sockets = origins.to(origin)
  const send = ({ body, headers }: Content) =>
    Effect.async<HttpClientResponse, HttpClientError.HttpClientError>((resume) => {
      const options = { origin, path: pathname + search, method, headers, body }
      const endBody = () => {
        if (body instanceof Readable) body.destroy()
      }
      const cancel = sockets.request(options, (outcome) => {
        if (Either.isLeft(outcome)) endBody()
        resume(toResult(request, outcome))
      })
      return Effect.sync(() => {
        cancel()
        endBody()
      })
    })
  const content = contentOf(request)
  return Effect.isEffect(content) ? Effect.flatMap(content, send) : send(content)
}

/**
 * A client with its own sockets, which are closed with the scope: requests under way get a second to end.
 *
 * It keeps sockets alive, checks certificates whatever the environment says, and follows no redirect. An
 * answer is whole in memory: a success larger than `maxResponseSize` fails with the code
 * `UND_ERR_RES_EXCEEDED_MAX_SIZE`; of any other answer at most 64 KiB are kept. Headers and body may each
 * be 5 minutes late, undici's default: put an Effect timeout around the request.
 * Nothing is decompressed.
 *
 * Fails with `BadRequest` when an option is out of range.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<HttpClient.HttpClient, BadRequest, Scope.Scope> =>
  Effect.map(internal.make(options), (origins) =>
    HttpClient.make((request, url) => exchange(origins, request, url))
  )

/**
 * `make`, as a layer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<HttpClient.HttpClient, BadRequest> =>
  Layer.scoped(HttpClient.HttpClient, make(options))
