/**
 * An `HttpClient` for Node.js on undici, for short responses from one API. It receives a response completely before the
 * effect succeeds, so an Effect timeout covers the body too.
 *
 * @since 0.1.0
 * @module
 */

import { AsyncResource } from "node:async_hooks"
import { Readable } from "node:stream"
import * as Headers from "@effect/platform/Headers"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type { HttpClientResponse } from "@effect/platform/HttpClientResponse"
import type { BadRequest } from "@effect-pleo/core/InstallationError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Dispatcher } from "undici"
import { BufferedResponse } from "./internal/bufferedResponse.ts"
import { ConnectionError } from "./internal/connectionError.ts"
import * as internal from "./internal/connectionPools.ts"
import type * as ResponseHandler from "./internal/responseHandler.ts"
import type { Options } from "./internal/settings.ts"

export type { Options }

type RequestBody = NonNullable<Dispatcher.DispatchOptions["body"]> | null

interface Content {
  readonly body: RequestBody
  readonly headers: Headers.Headers
}

const encodeFormData = async (formData: FormData, headers: Headers.Headers): Promise<Content> => {
  // undici's dispatcher accepts only its own FormData, not that of Node.js.
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

const toResult = (request: HttpClientRequest.HttpClientRequest, result: ResponseHandler.Result): Result =>
  Either.mapBoth(result, {
    onLeft: (failure) => {
      if (failure._tag === "Unsent")
        return new HttpClientError.RequestError({
          request,
          reason: "Transport",
          cause: ConnectionError.from(failure.cause)
        })
      const { cause, response } = failure
      return response === undefined
        ? new HttpClientError.RequestError({ request, reason: "Transport", cause })
        : new HttpClientError.ResponseError({
            request,
            response: new BufferedResponse(request, response),
            reason: "Decode",
            cause
          })
    },
    onRight: (response) => new BufferedResponse(request, response)
  })

const validate = (
  { headers }: HttpClientRequest.HttpClientRequest,
  { protocol }: URL,
  isTunneled: boolean
): Pick<HttpClientError.RequestError, "reason" | "cause"> | undefined => {
  if (protocol !== "https:" && protocol !== "http:")
    return { reason: "InvalidUrl", cause: new TypeError("expected an http or https URL") }
  // Through a tunnel, the server would receive the proxy's credentials.
  if (isTunneled && Object.keys(headers).some((name) => name.toLowerCase() === "proxy-authorization"))
    return {
      reason: "Encode",
      cause: new TypeError("expected the proxy's credentials in its URL, not in a header")
    }
  return undefined
}

const execute = (
  pools: internal.ConnectionPools,
  request: HttpClientRequest.HttpClientRequest,
  url: URL
): Effect.Effect<HttpClientResponse, HttpClientError.HttpClientError> => {
  const problem = validate(request, url, pools.isTunneled)
  if (problem !== undefined) return Effect.fail(new HttpClientError.RequestError({ request, ...problem }))
  const { method } = request
  const { origin, pathname, search } = url
  const pool = pools.to(origin)
  const send = ({ body, headers }: Content) =>
    Effect.async<HttpClientResponse, HttpClientError.HttpClientError>((resume) => {
      const options = { origin, path: pathname + search, method, headers, body }
      const endBody = () => {
        if (body instanceof Readable) body.destroy()
      }
      // A socket calls back in the async context of the request that opened it.
      const onResult = AsyncResource.bind((result: ResponseHandler.Result) => {
        if (Either.isLeft(result)) endBody()
        resume(toResult(request, result))
      })
      const cancel = pool.request(options, onResult)
      return Effect.sync(() => {
        cancel()
        endBody()
      })
    })
  const content = contentOf(request)
  return Effect.isEffect(content) ? Effect.flatMap(content, send) : send(content)
}

/**
 * A client with its own sockets, closed with the scope. It always checks certificates, follows no redirect, and decodes
 * gzip, deflate and Brotli. A success larger than `maxResponseSize` fails with the code `UND_ERR_RES_EXCEEDED_MAX_SIZE`.
 *
 * @example
 * ```ts
 * const client = NodeHttpClient.make({ connections: 8, connectTimeout: "2 seconds" })
 * ```
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<HttpClient.HttpClient, BadRequest, Scope.Scope> =>
  Effect.map(internal.make(options), (pools) =>
    HttpClient.make((request, url) => execute(pools, request, url))
  )

/**
 * `make` as a layer.
 *
 * @example
 * ```ts
 * const live = InstallationClient.layerConfig().pipe(Layer.provide(NodeHttpClient.layer()))
 * ```
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<HttpClient.HttpClient, BadRequest> =>
  Layer.scoped(HttpClient.HttpClient, make(options))
