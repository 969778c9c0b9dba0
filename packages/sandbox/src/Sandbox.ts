/**
 * The App Marketplace API on 127.0.0.1, for demonstrations and tests: the contract of `@effect-pleo/core`,
 * served over its in-memory service, with faults to order.
 *
 * Where the contract is silent it assumes that metadata left out is kept, that metadata sent replaces what
 * was there, and that an error code lasts until the next update.
 *
 * @since 0.1.0
 */
import { createServer } from "node:http"
import * as Headers from "@effect/platform/Headers"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpApiError from "@effect/platform/HttpApiError"
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerError from "@effect/platform/HttpServerError"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as AppMarketplaceApi from "@effect-pleo/core/AppMarketplaceApi"
import type { Installation } from "@effect-pleo/core/Installation"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { Fault } from "./Fault.ts"
import { layer as layerState, SandboxState } from "./internal/state.ts"
import type { RecordedRequest } from "./RecordedRequest.ts"
import { controlPrefix, SandboxApi } from "./SandboxApi.ts"

/**
 * A running sandbox.
 *
 * @since 0.1.0
 * @category tags
 */
export class Sandbox extends Context.Tag("@effect-pleo/sandbox/Sandbox")<
  Sandbox,
  {
    /** Where it listens, such as `http://127.0.0.1:49152`: a server for `InstallationClient`. */
    readonly url: string
    /** Makes the next `times` requests (default: 1) meet this fault, after those ordered before. */
    readonly order: (fault: Fault, times?: number) => Effect.Effect<void>
    /** The requests seen so far, oldest first. */
    readonly requests: Effect.Effect<ReadonlyArray<RecordedRequest>>
  }
>() {}

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Default: any free port. */
  readonly port?: number | undefined
  /** What each new installation starts with, over an `AUTHORIZED` one without metadata. */
  readonly installation?: Partial<Installation> | undefined
}

const schemeOf = ({ headers }: HttpServerRequest.HttpServerRequest): RecordedRequest["scheme"] => {
  const { authorization } = headers
  if (authorization === undefined) return "none"
  return /^bearer /i.test(authorization) ? "Bearer" : /^basic /i.test(authorization) ? "Basic" : "unknown"
}

// HttpApiSecurity hands on what follows the scheme without looking at the scheme.
const authenticate = (scheme: AppMarketplaceApi.Caller["Type"]["scheme"], secret: Redacted.Redacted) =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
    schemeOf(request) === scheme && Redacted.value(secret) !== ""
      ? Effect.succeed({ scheme, secret })
      : Effect.fail(new HttpApiError.Unauthorized())
  )

const authentication = Layer.succeed(AppMarketplaceApi.Authentication, {
  bearerAuth: (token) => authenticate("Bearer", token),
  basicAuth: ({ password, username }) =>
    Redacted.value(password) === ""
      ? authenticate("Basic", Redacted.make(username))
      : Effect.fail(new HttpApiError.Unauthorized())
})

const installations = HttpApiBuilder.group(SandboxApi, "Installations", (handlers) =>
  Effect.map(SandboxState, (state) =>
    handlers.handle("updateClientInstallation", ({ payload }) =>
      Effect.gen(function* () {
        const { scheme, secret } = yield* AppMarketplaceApi.Caller
        const service = yield* state.installations.of(`${scheme} ${Redacted.value(secret)}`)
        return yield* service.update(payload)
      }).pipe(
        Effect.catchTags({
          BadRequest: () => new HttpApiError.BadRequest(),
          Unauthorized: () => new HttpApiError.Unauthorized(),
          Infrastructure: () => new HttpApiError.InternalServerError()
        })
      )
    )
  )
)

const control = HttpApiBuilder.group(SandboxApi, "Sandbox", (handlers) =>
  Effect.map(SandboxState, ({ faults, record }) =>
    handlers
      .handle("orderFault", ({ payload }) => faults.order(payload.fault, payload.times))
      .handle("listRequests", () => record.all)
  )
)

// The server makes its handlers uninterruptible, and interrupts them when the connection is gone.
const untilDisconnected = Effect.interruptible(Effect.never)

const resetConnection = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
  Effect.zipRight(
    Effect.sync(() => NodeHttpServerRequest.toIncomingMessage(request).socket.resetAndDestroy()),
    untilDisconnected
  )
)

const meet = <E, R>(fault: Fault, app: HttpApp.Default<E, R>): HttpApp.Default<E, R> => {
  switch (fault._tag) {
    case "Respond":
      return Effect.succeed(
        HttpServerResponse.text(fault.body, {
          status: fault.status,
          headers: fault.headers,
          contentType: Headers.fromInput(fault.headers)["content-type"] ?? "text/plain"
        })
      )
    case "Delay":
      return Effect.tap(app, Effect.interruptible(Effect.sleep(fault.duration)))
    case "Reset":
      return resetConnection
  }
}

const recordAndMeetFaults = <E, R>(app: HttpApp.Default<E, R>): HttpApp.Default<never, R | SandboxState> =>
  Effect.gen(function* () {
    const { faults, record } = yield* SandboxState
    const request = yield* HttpServerRequest.HttpServerRequest
    const answered = Effect.catchAllCause(app, (cause) =>
      Effect.map(HttpServerError.causeResponse(cause), ([response]) => response)
    )
    if (request.url.startsWith(`${controlPrefix}/`)) return yield* answered
    const { authorization: _, ...headers } = request.headers
    const noteStatus = yield* record.add({
      method: request.method,
      path: request.url,
      scheme: schemeOf(request),
      headers,
      body: yield* Effect.orElseSucceed(request.text, () => ""),
      status: null
    })
    const fault = yield* faults.take
    const response = yield* Option.match(fault, {
      onNone: () => answered,
      onSome: (it) => meet(it, answered)
    })
    yield* noteStatus(response.status)
    yield* Effect.logDebug(`${request.method} ${request.url} ${response.status}`)
    return response
  })

const serve = HttpApiBuilder.httpApp.pipe(
  Effect.map((app) => HttpServer.serve(recordAndMeetFaults(app))),
  Layer.unwrapEffect,
  Layer.provide([HttpApiBuilder.Router.Live, HttpApiBuilder.Middleware.layer]),
  Layer.provide(HttpApiBuilder.api(SandboxApi)),
  Layer.provide([installations, control]),
  Layer.provide(authentication)
)

const sandbox = Layer.effect(
  Sandbox,
  Effect.gen(function* () {
    const { faults, record } = yield* SandboxState
    const { address } = yield* HttpServer.HttpServer
    return Sandbox.of({
      url: address._tag === "TcpAddress" ? `http://${address.hostname}:${address.port}` : address.path,
      order: (fault, times = 1) => faults.order(fault, times),
      requests: record.all
    })
  })
)

// Connections are closed before the server, which would otherwise wait for answers that are still delayed.
const nodeServer = (port: number) =>
  Layer.suspend(() => {
    const server = createServer()
    const closeConnections = Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections()))
    return Layer.scopedDiscard(closeConnections).pipe(
      Layer.provideMerge(NodeHttpServer.layer(() => server, { host: "127.0.0.1", port }))
    )
  })

/**
 * A sandbox that runs as long as its scope. It fails with `ServeError` when the port is taken.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<Sandbox, HttpServerError.ServeError> =>
  Layer.merge(sandbox, serve).pipe(
    Layer.provide(layerState(options.installation ?? {})),
    Layer.provide(nodeServer(options.port ?? 0))
  )
