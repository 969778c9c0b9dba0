/**
 * The App Marketplace API on 127.0.0.1, for demonstrations and tests: the contract of `@effect-pleo/core`,
 * served over its in-memory service, with faults to order. It plays the authorisation server too, which
 * rotates refresh tokens and revokes the grant of one that is used twice.
 *
 * A bearer token that the sandbox issued is refused once it is expired, replaced or revoked. Any other
 * credential is let in, with an installation of its own.
 *
 * Where the contract is silent it assumes that metadata left out is kept, that metadata sent replaces what
 * was there, and that an error code lasts until the next update.
 *
 * @since 0.1.0
 * @module
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
import * as ConfigError from "effect/ConfigError"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { Fault } from "./Fault.ts"
import type { Grant, Options as GrantOptions } from "./Grant.ts"
import { layer as layerState, SandboxState } from "./internal/state.ts"
import * as tokenEndpoint from "./internal/tokenEndpoint.ts"
import type { PresentedGrant, RecordedRequest } from "./RecordedRequest.ts"
import { controlPrefix, SandboxApi, tokenPath } from "./SandboxApi.ts"

/**
 * A running sandbox.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Credentials } from "@effect-pleo/core"
 * import { NodeInstallationService } from "@effect-pleo/node"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function* () {
 *   const { authorize, revoke, url } = yield* Sandbox.Sandbox
 *   const { accessToken, id } = yield* authorize()
 *   const credentials = Credentials.bearer(accessToken)
 *   const { update } = yield* NodeInstallationService.make({ server: url, credentials })
 *   yield* update({ status: "ACTIVATED" })
 *   yield* revoke(id)
 *   return yield* Effect.flip(update({ status: "INACTIVE" }))
 * })
 *
 * const error = await program.pipe(Effect.scoped, Effect.provide(Sandbox.layer()), Effect.runPromise)
 * assert.equal(error._tag, "Unauthorized")
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class Sandbox extends Context.Tag("@effect-pleo/testing/Sandbox")<
  Sandbox,
  {
    /** Where it listens, such as `http://127.0.0.1:49152`: a server for `InstallationClient`. */
    readonly url: string
    /**
     * The variables by which an application is told to talk to it: `PLEO_SERVER`, `PLEO_API_KEY`, and for
     * `OAuth.config` also `PLEO_CLIENT_ID`, `PLEO_CLIENT_SECRET` and `PLEO_TOKEN_ENDPOINT`.
     */
    readonly environment: Readonly<Record<string, string>>
    /**
     * Makes the next `times` requests (default: 1) meet this fault, after those ordered before. With a
     * `path`, such as `/oauth/token`, only requests to it do, and the others do not count.
     */
    readonly order: (
      fault: Fault,
      times?: number,
      options?: { readonly path?: string | undefined }
    ) => Effect.Effect<void>
    /** What a customer's consent gives: a first pair of tokens, and an installation of its own. */
    readonly authorize: (options?: GrantOptions) => Effect.Effect<Grant>
    /** The customer withdraws the consent: every token of the grant is dead. Nothing if it is unknown. */
    readonly revoke: (id: string) => Effect.Effect<void>
    /** Ends the life of the grant's access token, and not that of its refresh token. Nothing if unknown. */
    readonly expire: (id: string) => Effect.Effect<void>
    /** The requests seen so far, oldest first. */
    readonly requests: Effect.Effect<ReadonlyArray<RecordedRequest>>
    /** Waits until it has seen so many requests in all, answered or not, and gives `requests`. */
    readonly awaitRequests: (count: number) => Effect.Effect<ReadonlyArray<RecordedRequest>>
  }
>() {}

/**
 * How a sandbox begins. Each may be left out.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Effect from "effect/Effect"
 *
 * const options: Sandbox.Options = {
 *   installation: { status: "ACTIVATED", metadata: { externalApplicationId: "123456789" } },
 *   clientId: "my-app",
 *   clientSecret: "my-secret"
 * }
 *
 * const program = Effect.gen(function* () {
 *   const { url } = yield* Sandbox.Sandbox
 *   const headers = { authorization: "Bearer token", "content-type": "application/json" }
 *   const request = { method: "PUT", headers, body: '{"status":"INACTIVE"}' }
 *   const response = yield* Effect.promise(() => fetch(`${url}/v1/installations/me`, request))
 *   return yield* Effect.promise(() => response.text())
 * })
 * const answer = await Effect.runPromise(Effect.provide(program, Sandbox.layer(options)))
 * assert.match(answer, /"externalApplicationId":"123456789"/)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Default: any free port. */
  readonly port?: number | undefined
  /** What each new installation starts with, over an `AUTHORIZED` one without metadata. */
  readonly installation?: Partial<Installation> | undefined
  /** The client that the token endpoint expects. Default: any. */
  readonly clientId?: string | undefined
  readonly clientSecret?: string | Redacted.Redacted | undefined
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

const authentication = Layer.effect(
  AppMarketplaceApi.Authentication,
  Effect.map(SandboxState, ({ authorisation }) => ({
    bearerAuth: (token) =>
      Effect.if(authorisation.accepts(Redacted.value(token)), {
        onTrue: () => authenticate("Bearer", token),
        onFalse: () => new HttpApiError.Unauthorized()
      }),
    basicAuth: ({ password, username }) =>
      Redacted.value(password) === ""
        ? authenticate("Basic", Redacted.make(username))
        : Effect.fail(new HttpApiError.Unauthorized())
  }))
)

const installations = HttpApiBuilder.group(SandboxApi, "Installations", (handlers) =>
  Effect.map(SandboxState, ({ authorisation, installations }) =>
    handlers.handle("updateClientInstallation", ({ payload }) =>
      Effect.gen(function* () {
        const { scheme, secret } = yield* AppMarketplaceApi.Caller
        const credential = Redacted.value(secret)
        const grant = scheme === "Bearer" ? authorisation.identify("access", credential) : undefined
        const service = yield* installations.of(grant ? `grant ${grant.id}` : `${scheme} ${credential}`)
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

const foundOr404 = (found: Effect.Effect<boolean>) =>
  Effect.if(found, { onTrue: () => Effect.void, onFalse: () => new HttpApiError.NotFound() })

const control = HttpApiBuilder.group(SandboxApi, "Sandbox", (handlers) =>
  Effect.map(SandboxState, ({ authorisation, faults, record }) =>
    handlers
      .handle("orderFault", ({ payload: { fault, path, times } }) => faults.order({ fault, path, times }))
      .handle("listRequests", () => record.all)
      .handle("authorize", ({ payload }) => authorisation.authorize(payload ?? {}))
      .handle("revoke", ({ path }) => foundOr404(authorisation.revoke(path.id)))
      .handle("expire", ({ path }) => foundOr404(authorisation.expire(path.id)))
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
    case "Lose":
      return Effect.zipRight(app, resetConnection)
    case "Stall":
      return untilDisconnected
  }
}

const grantOf = (
  { authorisation }: SandboxState["Type"],
  request: HttpServerRequest.HttpServerRequest,
  body: string
): PresentedGrant | undefined => {
  const refreshToken = tokenEndpoint.refreshTokenOf(request, body)
  if (refreshToken !== undefined) return authorisation.identify("refresh", refreshToken)
  const { authorization = "" } = request.headers
  return authorisation.identify("access", authorization.replace(/^bearer /i, ""))
}

const recordAndMeetFaults = <E, R>(app: HttpApp.Default<E, R>): HttpApp.Default<never, R | SandboxState> =>
  Effect.gen(function* () {
    const state = yield* SandboxState
    const request = yield* HttpServerRequest.HttpServerRequest
    const answered = Effect.catchAllCause(app, (cause) =>
      Effect.map(HttpServerError.causeResponse(cause), ([response]) => response)
    )
    if (request.url.startsWith(`${controlPrefix}/`)) return yield* answered
    const { authorization: _, ...headers } = request.headers
    const text = yield* Effect.orElseSucceed(request.text, () => "")
    const { body, path } = tokenEndpoint.redact(request, text)
    const grant = grantOf(state, request, text)
    const note = yield* state.record.add({
      method: request.method,
      path,
      scheme: schemeOf(request),
      headers,
      body,
      status: null,
      ...(grant === undefined ? {} : { grant })
    })
    const judged = Effect.provideService(answered, tokenEndpoint.Verdict, {
      note: (outcome) => (grant === undefined ? Effect.void : note({ grant: { ...grant, outcome } }))
    })
    const fault = yield* state.faults.take(request.url.replace(/\?.*$/s, ""))
    const response = yield* Option.match(fault, {
      onNone: () => judged,
      onSome: (it) => meet(it, judged)
    })
    yield* note({ status: response.status })
    yield* Effect.logDebug(`${request.method} ${path} ${response.status}`)
    return response
  })

const serve = HttpApiBuilder.httpApp.pipe(
  Effect.map((app) => HttpServer.serve(recordAndMeetFaults(app))),
  Layer.unwrapEffect,
  Layer.provide([HttpApiBuilder.Router.Live, HttpApiBuilder.Middleware.layer]),
  Layer.provide(HttpApiBuilder.api(SandboxApi)),
  Layer.provide([installations, tokenEndpoint.layer, control]),
  Layer.provide(authentication)
)

const plain = (secret: string | Redacted.Redacted): string =>
  Redacted.isRedacted(secret) ? Redacted.value(secret) : secret

const sandbox = ({ clientId = "sandbox-client", clientSecret = "sandbox-secret" }: Options) =>
  Layer.effect(
    Sandbox,
    Effect.gen(function* () {
      const { authorisation, faults, record } = yield* SandboxState
      const { address } = yield* HttpServer.HttpServer
      const url = address._tag === "TcpAddress" ? `http://${address.hostname}:${address.port}` : address.path
      return Sandbox.of({
        url,
        environment: {
          PLEO_SERVER: url,
          PLEO_API_KEY: "sandbox-key",
          PLEO_CLIENT_ID: clientId,
          PLEO_CLIENT_SECRET: plain(clientSecret),
          PLEO_TOKEN_ENDPOINT: `${url}${tokenPath}`
        },
        order: (fault, times = 1, { path } = {}) => faults.order({ fault, times, path }),
        authorize: authorisation.authorize,
        revoke: (id) => Effect.asVoid(authorisation.revoke(id)),
        expire: (id) => Effect.asVoid(authorisation.expire(id)),
        requests: record.all,
        awaitRequests: record.await
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
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Credentials, InstallationService } from "@effect-pleo/core"
 * import { NodeInstallationService } from "@effect-pleo/node"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Redacted from "effect/Redacted"
 *
 * // The layer of an application, against a sandbox of its own.
 * const live = Layer.unwrapEffect(
 *   Effect.map(Sandbox.Sandbox, ({ url }) =>
 *     NodeInstallationService.layer({ server: url, credentials: Credentials.apiKey(Redacted.make("any")) })
 *   )
 * ).pipe(Layer.provideMerge(Sandbox.layer()))
 *
 * const program = Effect.gen(function* () {
 *   yield* InstallationService.update({ status: "ACTIVATED" })
 *   const { requests, url } = yield* Sandbox.Sandbox
 *   return { count: (yield* requests).length, hostname: new URL(url).hostname }
 * })
 * const seen = await Effect.runPromise(Effect.provide(program, live))
 * assert.deepEqual(seen, { count: 1, hostname: "127.0.0.1" })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<Sandbox, HttpServerError.ServeError> =>
  Layer.merge(sandbox(options), serve).pipe(
    Layer.provide(layerState(options)),
    Layer.provide(nodeServer(options.port ?? 0))
  )

/**
 * A sandbox that runs as long as the scope, as `layer` has it. It goes by the `Clock` of whoever makes it:
 * under a `TestClock`, tokens expire and delayed answers come when that is adjusted. Sockets keep real time.
 *
 * @example
 * ```ts
 * import { Fault } from "@effect-pleo/testing"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Effect from "effect/Effect"
 * import * as assert from "node:assert/strict"
 *
 * const program = Effect.gen(function* () {
 *   const sandbox = yield* Sandbox.make()
 *   yield* sandbox.order(Fault.status(503))
 *   yield* Effect.promise(() => fetch(`${sandbox.url}/v1/installations/me`))
 *   return yield* sandbox.requests
 * })
 *
 * const requests = await Effect.runPromise(Effect.scoped(program))
 * assert.equal(requests[0]?.status, 503)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options?: Options
): Effect.Effect<Sandbox["Type"], HttpServerError.ServeError, Scope.Scope> =>
  Effect.map(Layer.build(layer(options)), Context.get(Sandbox))

const missing = (path: ReadonlyArray<string>) =>
  ConfigError.MissingData([...path], "not among those that the sandbox sets")

/** The sandbox's variables instead of all others of this library, and what else is configured. */
const configuredBy = ({ environment }: Sandbox["Type"]): Layer.Layer<never> =>
  Effect.configProviderWith(({ flattened }) => {
    const others = ConfigProvider.fromFlat(
      ConfigProvider.makeFlat({
        load: (path, config, split) =>
          path[0]?.startsWith("PLEO_") ? Effect.fail(missing(path)) : flattened.load(path, config, split),
        enumerateChildren: flattened.enumerateChildren,
        patch: flattened.patch
      })
    )
    const own = ConfigProvider.fromMap(new Map(Object.entries(environment)))
    return Effect.succeed(Layer.setConfigProvider(ConfigProvider.orElse(own, () => others)))
  }).pipe(Layer.unwrapEffect)

/**
 * A sandbox, and an application on it: the application's own layer, such as
 * `NodeInstallationService.layerConfig()` and whatever stands on that, configured by the sandbox's
 * `environment` and started after it. The effects that the layer is provided to are configured so too. Of the
 * variables that begin with `PLEO_`, only the sandbox's are seen; others are as they were.
 *
 * @example
 * ```ts
 * import { InstallationService, UpdateInstallation } from "@effect-pleo/core"
 * import { NodeInstallationService } from "@effect-pleo/node"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Effect from "effect/Effect"
 * import * as assert from "node:assert/strict"
 *
 * const program = Effect.gen(function* () {
 *   yield* InstallationService.update(UpdateInstallation.activated())
 *   return yield* (yield* Sandbox.Sandbox).requests
 * })
 *
 * const requests = await program.pipe(
 *   Effect.provide(Sandbox.layerTest(NodeInstallationService.layerConfig())),
 *   Effect.runPromise
 * )
 * assert.deepEqual(
 *   requests.map(({ method, status }) => [method, status]),
 *   [["PUT", 200]]
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerTest = <A, E, R>(
  application: Layer.Layer<A, E, R>,
  options?: Options
): Layer.Layer<A | Sandbox, E | HttpServerError.ServeError, Exclude<R, Sandbox>> =>
  application.pipe(
    Layer.provideMerge(Layer.unwrapEffect(Effect.map(Sandbox, configuredBy))),
    Layer.provideMerge(layer(options))
  )
