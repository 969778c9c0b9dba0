/**
 * An `HttpClient` for Node.js on undici's dispatcher, made for short answers from one API: an answer is
 * received whole, within a limit, before the effect succeeds. So a timeout around the effect covers the
 * body too, and no socket waits for somebody to read.
 *
 * @since 0.1.0
 */

import { Readable } from "node:stream"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Agent, type Dispatcher } from "undici"
import { Exchange } from "./internal/exchange.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** How many sockets may be open to the server at once; further requests wait for one. Default: 64. */
  readonly connections?: number | undefined
  /** How long connecting may take, TLS included. Default: 5 seconds. */
  readonly connectTimeout?: Duration.DurationInput | undefined
  /** How long an idle socket is kept for the next request. Default: 4 seconds. */
  readonly keepAliveTimeout?: Duration.DurationInput | undefined
  /** The largest body, in bytes, that a success may have. Default: 1 MiB. */
  readonly maxResponseSize?: number | undefined
}

const defaults = {
  connections: 64,
  connectTimeout: Duration.seconds(5),
  keepAliveTimeout: Duration.seconds(4),
  maxResponseSize: 1024 * 1024
}

/** How long requests under way may still take when the layer is closed. */
const drainTimeout = Duration.seconds(1)

const acquireAgent = (options: Options): Effect.Effect<Agent, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(
      () =>
        new Agent({
          allowH2: false,
          connections: options.connections ?? defaults.connections,
          // An explicit value, so that NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment changes nothing.
          connect: {
            rejectUnauthorized: true,
            timeout: Duration.toMillis(options.connectTimeout ?? defaults.connectTimeout)
          },
          keepAliveTimeout: Duration.toMillis(options.keepAliveTimeout ?? defaults.keepAliveTimeout),
          pipelining: 1
        })
    ),
    (agent) =>
      Effect.promise(() => agent.close()).pipe(
        Effect.interruptible,
        Effect.timeout(drainTimeout),
        Effect.ignore,
        Effect.zipRight(Effect.promise(() => agent.destroy()))
      )
  )

type RequestBody = NonNullable<Dispatcher.DispatchOptions["body"]> | null

const requestBody = ({ body }: HttpClientRequest.HttpClientRequest): Effect.Effect<RequestBody> => {
  switch (body._tag) {
    case "Empty":
      return Effect.succeed(null)
    case "Raw":
    case "Uint8Array":
      return Effect.succeed(body.body as RequestBody)
    case "FormData":
      return Effect.succeed(body.formData as unknown as RequestBody)
    case "Stream":
      return Effect.map(Stream.toReadableStreamEffect(body.stream), (stream) =>
        Readable.fromWeb(stream as never)
      )
  }
}

const fromAgent = (agent: Agent, maxResponseSize: number): HttpClient.HttpClient =>
  HttpClient.make((request, url) =>
    Effect.flatMap(requestBody(request), (body) =>
      Effect.async((resume) => {
        const exchange = new Exchange(request, maxResponseSize, resume)
        agent.dispatch(
          {
            origin: url.origin,
            path: url.pathname + url.search,
            method: request.method,
            headers: request.headers,
            body
          },
          exchange
        )
        return Effect.sync(() => exchange.cancel())
      })
    )
  )

/**
 * A client with its own sockets, which are closed with the scope: requests under way get a second to end.
 *
 * It keeps sockets alive, checks certificates whatever the environment says, and follows no redirect. An
 * answer is whole in memory: a success larger than `maxResponseSize` fails with the code
 * `UND_ERR_RES_EXCEEDED_MAX_SIZE`; of any other answer at most 64 KiB are kept. Headers and body may each
 * be 5 minutes late, undici's default: put an Effect timeout around the request.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<HttpClient.HttpClient, never, Scope.Scope> =>
  Effect.map(acquireAgent(options), (agent) =>
    fromAgent(agent, options.maxResponseSize ?? defaults.maxResponseSize)
  )

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<HttpClient.HttpClient> =>
  Layer.scoped(HttpClient.HttpClient, make(options))
