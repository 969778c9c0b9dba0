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
import type * as Settings from "./internal/settings.ts"

/**
 * The limits of the sockets and of the answers, and the proxy. Each may be left out.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { NodeHttpClient } from "@effect-pleo/node"
 * import * as Effect from "effect/Effect"
 *
 * const options: NodeHttpClient.Options = {
 *   connections: 8,
 *   connectTimeout: "2 seconds",
 *   maxResponseSize: 64 * 1024,
 *   proxy: new URL("http://proxy.example:3128")
 * }
 * await Effect.runPromise(Effect.scoped(NodeHttpClient.make(options)))
 *
 * const wrong = NodeHttpClient.make({ ...options, connections: 0 })
 * const error = await Effect.runPromise(Effect.scoped(Effect.flip(wrong)))
 * assert.deepEqual(error.issues?.[0]?.path, ["connections"])
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Settings.Options {}

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

/** Why a request cannot be sent. */
const validate = (
  { headers }: HttpClientRequest.HttpClientRequest,
  { protocol }: URL,
  isTunneled: boolean
): Pick<HttpClientError.RequestError, "reason" | "cause"> | undefined => {
  if (protocol !== "https:" && protocol !== "http:")
    return { reason: "InvalidUrl", cause: new TypeError("expected an http or https URL") }
  // Through a tunnel, the server would read what is meant for the proxy.
  if (isTunneled && Object.keys(headers).some((name) => name.toLowerCase() === "proxy-authorization"))
    return {
      reason: "Encode",
      cause: new TypeError("expected the credentials of the proxy in its URL, not in a header")
    }
  return undefined
}

/** One request and its whole response. */
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
      const cancel = pool.request(options, (result) => {
        if (Either.isLeft(result)) endBody()
        resume(toResult(request, result))
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
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
 * import { NodeHttpClient } from "@effect-pleo/node"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function* () {
 *   const { url } = yield* Sandbox.Sandbox
 *   const client = yield* NodeHttpClient.make({ connections: 1 })
 *   const { json, status } = yield* client.execute(HttpClientRequest.get(`${url}/sandbox/requests`))
 *   return { status, body: yield* json }
 * })
 *
 * const answer = await program.pipe(Effect.scoped, Effect.provide(Sandbox.layer()), Effect.runPromise)
 * assert.deepEqual(answer, { status: 200, body: [] })
 * ```
 *
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
 * import * as assert from "node:assert/strict"
 * import * as HttpClient from "@effect/platform/HttpClient"
 * import { Credentials, InstallationClient, InstallationService } from "@effect-pleo/core"
 * import { NodeHttpClient } from "@effect-pleo/node"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Redacted from "effect/Redacted"
 *
 * // Middleware between the client and its sockets.
 * let requests = 0
 * const counting = Layer.effect(
 *   HttpClient.HttpClient,
 *   Effect.map(
 *     HttpClient.HttpClient,
 *     HttpClient.tapRequest(() => Effect.sync(() => requests++))
 *   )
 * ).pipe(Layer.provide(NodeHttpClient.layer()))
 *
 * const live = Layer.unwrapEffect(
 *   Effect.map(Sandbox.Sandbox, ({ url }) =>
 *     InstallationClient.layer({ credentials: Credentials.bearer(Redacted.make("token")), server: url })
 *   )
 * ).pipe(Layer.provide([counting, Sandbox.layer()]))
 *
 * await Effect.runPromise(Effect.provide(InstallationService.update({ status: "ACTIVATED" }), live))
 * assert.equal(requests, 1)
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<HttpClient.HttpClient, BadRequest> =>
  Layer.scoped(HttpClient.HttpClient, make(options))
