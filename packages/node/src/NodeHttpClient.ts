/**
 * An `HttpClient` for Node.js on undici's dispatcher, made for short answers from one API: an answer is
 * received whole, within a limit, before the effect succeeds. So a timeout around the effect covers the
 * body too, and no socket waits for somebody to read.
 *
 * @since 0.1.0
 */

import { Readable } from "node:stream"
import * as Headers from "@effect/platform/Headers"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type { HttpClientResponse } from "@effect/platform/HttpClientResponse"
import { BadRequest, type Issue } from "@effect-pleo/core/InstallationError"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Client, type Dispatcher, errors, ProxyAgent } from "undici"
import { Exchange } from "./internal/exchange.ts"
import { type Connect, Origins } from "./internal/sockets.ts"

/**
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

const resolve = (options: Options) => ({
  connections: options.connections ?? 64,
  connectTimeout: Duration.toMillis(options.connectTimeout ?? Duration.seconds(5)),
  keepAliveTimeout: Duration.toMillis(options.keepAliveTimeout ?? Duration.seconds(4)),
  maxResponseSize: options.maxResponseSize ?? 1024 * 1024,
  proxy: options.proxy
})

type Settings = ReturnType<typeof resolve>

/** How long requests under way may still take when the layer is closed. */
const drainTimeout = Duration.seconds(1)

/** The largest head of an answer, in bytes: Node's own limit, whatever its command line says. */
const maxHeaderSize = 16 * 1024

const connector = ({ connectTimeout, keepAliveTimeout, proxy }: Settings): Connect => {
  // An explicit value, so that NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment changes nothing.
  const tls = {
    rejectUnauthorized: true,
    timeout: connectTimeout
  }
  const limits = { allowH2: false, keepAliveTimeout, maxHeaderSize, pipelining: 1 }
  return proxy === undefined
    ? (origin) => new Client(origin, { ...limits, connect: tls })
    : () => new ProxyAgent({ ...limits, uri: proxy.href, connections: 1, proxyTls: tls, requestTls: tls })
}

const isPositive = (value: number): boolean => value > 0 && value < Number.POSITIVE_INFINITY

/** What undici would refuse with the first request, or take for no limit. */
const flawsOf = (settings: Settings): ReadonlyArray<Issue> => {
  const { connectTimeout, connections, keepAliveTimeout, maxResponseSize, proxy } = settings
  const checks = {
    connections: [Number.isInteger(connections) && connections > 0, "expected a whole number from 1"],
    connectTimeout: [isPositive(connectTimeout), "expected a finite duration above 0"],
    keepAliveTimeout: [isPositive(keepAliveTimeout), "expected a finite duration above 0"],
    maxResponseSize: [maxResponseSize > 0, "expected a number of bytes above 0"],
    proxy: [proxy === undefined || /^https?:$/.test(proxy.protocol), "expected an http or https URL"]
  } as const
  return Object.entries(checks).flatMap(([name, [isFine, message]]) =>
    isFine ? [] : [{ path: [name], message }]
  )
}

const acquireOrigins = (settings: Settings): Effect.Effect<Origins, BadRequest, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.suspend(() => {
      const issues = flawsOf(settings)
      return issues.length > 0
        ? Effect.fail(new BadRequest({ issues }))
        : Effect.succeed(new Origins(settings.connections, connector(settings)))
    }),
    (origins) =>
      origins.close.pipe(
        Effect.interruptible,
        Effect.timeout(drainTimeout),
        Effect.ignore,
        Effect.zipRight(origins.destroy),
        // Sockets live in real time, also where a test has replaced the clock.
        Effect.withClock(Clock.make())
      )
  )

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

const contentOf = ({ body, headers }: HttpClientRequest.HttpClientRequest): Effect.Effect<Content> => {
  switch (body._tag) {
    case "Empty":
      return Effect.succeed({ body: null, headers })
    case "Raw":
    case "Uint8Array":
      return Effect.succeed({ body: body.body as RequestBody, headers })
    case "FormData":
      return Effect.promise(() => encodeFormData(body.formData, headers))
    case "Stream":
      return Effect.map(Stream.toReadableStreamEffect(body.stream), (stream) => ({
        body: Readable.fromWeb(stream as never),
        headers
      }))
  }
}

const fromOrigins = (origins: Origins, maxResponseSize: number): HttpClient.HttpClient =>
  HttpClient.make((request, url) => {
    const fail = (reason: "InvalidUrl" | "Transport", cause: unknown) =>
      Effect.fail(new HttpClientError.RequestError({ request, reason, cause }))
    if (url.protocol !== "https:" && url.protocol !== "http:")
      return fail("InvalidUrl", new TypeError("expected an http or https URL"))
    const sockets = origins.to(url.origin)
    return sockets.permits.withPermit(
      Effect.flatMap(contentOf(request), ({ body, headers }) =>
        Effect.async<HttpClientResponse, HttpClientError.HttpClientError>((resume) => {
          if (origins.isClosed) return resume(fail("Transport", new errors.ClientClosedError()))
          const socket = sockets.take()
          const exchange = new Exchange(request, maxResponseSize, (result, isReusable) => {
            if (isReusable) sockets.giveBack(socket)
            else sockets.discard(socket)
            resume(result)
          })
          const path = url.pathname + url.search
          socket.dispatch({ origin: url.origin, path, method: request.method, headers, body }, exchange)
          return Effect.sync(() => exchange.cancel())
        })
      )
    )
  })

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
export const make = (
  options: Options = {}
): Effect.Effect<HttpClient.HttpClient, BadRequest, Scope.Scope> => {
  const settings = resolve(options)
  return Effect.map(acquireOrigins(settings), (origins) => fromOrigins(origins, settings.maxResponseSize))
}

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<HttpClient.HttpClient, BadRequest> =>
  Layer.scoped(HttpClient.HttpClient, make(options))
