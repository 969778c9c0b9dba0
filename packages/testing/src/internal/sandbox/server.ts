// HTTP on 127.0.0.1 over the state machine of the App Marketplace.
import { createServer } from "node:http"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpApiError from "@effect/platform/HttpApiError"
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpMiddleware from "@effect/platform/HttpMiddleware"
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerError from "@effect/platform/HttpServerError"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as AppMarketplaceApi from "@effect-pleo/core/AppMarketplaceApi"
import { UpdateInstallation } from "@effect-pleo/core/Installation"
import { makeCodec, operations } from "@effect-pleo/core/internal/shared"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { type Owner, served as unharmed } from "../marketplace/marketplace.ts"
import * as Plan from "../marketplace/plan.ts"
import { controlPrefix, type PresentedGrant, type RecordedRequest, SandboxApi } from "./api.ts"
import * as consentPage from "./consentPage.ts"
import * as control from "./control.ts"
import { problem } from "./control.ts"
import { issueOf } from "./guard.ts"
import { Note } from "./note.ts"
import * as page from "./page.ts"
import { SandboxState } from "./state.ts"
import * as tokenEndpoint from "./tokenEndpoint.ts"

const schemeOf = ({ headers }: HttpServerRequest.HttpServerRequest): RecordedRequest["scheme"] => {
  const { authorization } = headers
  if (authorization === undefined) return "none"
  return /^bearer /i.test(authorization) ? "Bearer" : /^basic /i.test(authorization) ? "Basic" : "unknown"
}

/** The key of the owner that a credential is for, whether it is valid or not. */
const keyOf = (request: HttpServerRequest.HttpServerRequest): string => {
  const scheme = schemeOf(request)
  const secret = (request.headers["authorization"] ?? "").replace(/^\w+ +/, "")
  return `${scheme} ${scheme === "Basic" ? Buffer.from(secret, "base64").toString().replace(/:$/, "") : secret}`
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
  Effect.map(SandboxState, ({ authorization }) => ({
    bearerAuth: (token) =>
      Effect.if(authorization.accepts(Redacted.value(token)), {
        onTrue: () => authenticate("Bearer", token),
        onFalse: () => new HttpApiError.Unauthorized()
      }),
    basicAuth: ({ password, username }) =>
      Redacted.value(password) === ""
        ? authenticate("Basic", Redacted.make(username))
        : Effect.fail(new HttpApiError.Unauthorized())
  }))
)

const refusals = { 400: new HttpApiError.BadRequest(), 404: new HttpApiError.NotFound() }

/** Serves an operation to the caller of a request. */
const serve = <A>(
  operation: operations.OperationOf<A>,
  payload?: unknown
): Effect.Effect<
  A,
  HttpApiError.BadRequest | HttpApiError.NotFound,
  AppMarketplaceApi.Caller | SandboxState
> =>
  Effect.gen(function* () {
    const { authorization, marketplace, names } = yield* SandboxState
    const { scheme, secret } = yield* AppMarketplaceApi.Caller
    const credential = Redacted.value(secret)
    const grant = scheme === "Bearer" ? authorization.identify("access", credential) : undefined
    const owner: Owner = {
      key: `${scheme} ${credential}`,
      authMethod: scheme === "Bearer" ? "OAUTH2" : "API_KEY",
      ...authorization.describe(grant?.id)
    }
    yield* (yield* Note).note({ installation: names.of(owner.key) })
    const body = yield* Either.mapLeft(makeCodec(operation).encode(payload), () => refusals[400])
    const value = yield* Either.mapLeft(
      marketplace.serve(operation, owner, body, yield* DateTime.now),
      (status) => refusals[status]
    )
    if (operation === operations.deleteInstallation && grant !== undefined)
      yield* authorization.revokeInstallation(grant.id)
    return value as A
  })

/** Turns a refusal that the contract does not describe into a 400. */
const withoutNotFound = <A, R>(self: Effect.Effect<A, HttpApiError.BadRequest | HttpApiError.NotFound, R>) =>
  Effect.catchTag(self, "NotFound", () => Effect.fail(refusals[400]))

const installations = HttpApiBuilder.group(SandboxApi, "Installations", (handlers) =>
  handlers
    .handle("getClientInstallation", () => withoutNotFound(serve(operations.getInstallation, {})))
    .handle("createClientInstallation", ({ payload }) =>
      withoutNotFound(serve(operations.createInstallation, payload))
    )
    .handle("updateClientInstallation", ({ payload }) =>
      withoutNotFound(serve(operations.updateInstallation, payload))
    )
    .handle("activateMyInstallation", () => withoutNotFound(serve(operations.activateInstallation)))
    .handle("deleteClientInstallation", () =>
      Effect.catchTag(Effect.asVoid(serve(operations.deleteInstallation)), "BadRequest", Effect.die)
    )
)

const authenticationGroup = HttpApiBuilder.group(SandboxApi, "Authentication", (handlers) =>
  handlers.handle("introspect", () => withoutNotFound(serve(operations.introspect)))
)

const resetConnection = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
  Effect.zipRight(
    Effect.sync(() => NodeHttpServerRequest.toIncomingMessage(request).socket.resetAndDestroy()),
    Effect.interruptible(Effect.never)
  )
)

const respond = ({ body, headers, status }: Plan.Response) =>
  Effect.succeed(
    HttpServerResponse.text(body, { status, headers, contentType: headers["content-type"] ?? "text/plain" })
  )

const grantOf = (
  { authorization }: SandboxState["Type"],
  request: HttpServerRequest.HttpServerRequest,
  body: string
): PresentedGrant | undefined => {
  const inForm = tokenEndpoint.grantIn(request, body, authorization)
  if (inForm !== undefined) return inForm
  const { authorization: header = "" } = request.headers
  return authorization.identify("access", header.replace(/^bearer /i, ""))
}

const decodeUpdate = Schema.decodeEither(Schema.parseJson(UpdateInstallation))

const targetOf = (
  { method, url }: HttpServerRequest.HttpServerRequest,
  body: string,
  grant: PresentedGrant | undefined
): Plan.Target => {
  const path = url.replace(/\?.*$/s, "")
  const { updateInstallation } = operations
  const update =
    method === updateInstallation.method && path === updateInstallation.path
      ? Either.getOrUndefined(decodeUpdate(body))
      : undefined
  return { method, path, ...(update && { update }), ...(grant && { grant: grant.id }) }
}

const isOwnPage = ({ method, url }: HttpServerRequest.HttpServerRequest): boolean =>
  url.startsWith(`${controlPrefix}/`) || (method === "GET" && /^\/(\?|$)/.test(url))

const recordAndMeetFaults = <E, R>(
  app: HttpApp.Default<E, R>
): HttpApp.Default<never, R | SandboxState | HttpServer.HttpServer> =>
  Effect.gen(function* () {
    const state = yield* SandboxState
    const { address } = yield* HttpServer.HttpServer
    const request = yield* HttpServerRequest.HttpServerRequest
    const issue = address._tag === "TcpAddress" ? issueOf(request, address.port) : undefined
    if (issue !== undefined) return problem(403, issue)
    const served = Effect.catchAllCause(app, (cause) =>
      Effect.map(HttpServerError.causeResponse(cause), ([response]) => response)
    )
    if (isOwnPage(request)) return yield* served
    // Cookies ignore ports, so browsers send those of the app too.
    const { authorization: _, cookie: __, referer: ___, ...headers } = request.headers
    const text = yield* Effect.orElseSucceed(request.text, () => "")
    const { body, path } = tokenEndpoint.redact(request, text)
    const grant = grantOf(state, request, text)
    const { key } = state.authorization.describe(grant?.id)
    const installation = key === undefined ? state.names.known(keyOf(request)) : state.names.of(key)
    const plan = state.marketplace.take(targetOf(request, text, grant))
    const note = state.marketplace.record.add({
      at: yield* DateTime.now,
      method: request.method,
      path,
      scheme: schemeOf(request),
      headers,
      body,
      status: null,
      ...(grant && { grant }),
      ...(installation !== undefined && { installation }),
      ...(plan !== unharmed && { fault: plan.label })
    })
    const response = yield* Plan.run(plan, {
      serve: Effect.provideService(served, Note, { grant, note: (news) => Effect.sync(() => note(news)) }),
      respond,
      resetConnection,
      fail: Effect.fail,
      // The server makes its handlers uninterruptible, and interrupts them when the connection is gone.
      wait: Effect.interruptible
    })
    note({ status: response.status })
    yield* Effect.logDebug(`${request.method} ${path} ${response.status}`)
    return response
  })

const serving = HttpApiBuilder.httpApp.pipe(
  Effect.map((app) => HttpServer.serve(recordAndMeetFaults(app))),
  Layer.unwrapEffect,
  // A span would hold the query, and the redirect with its code.
  HttpMiddleware.withTracerDisabledWhen(tokenEndpoint.isOAuth),
  Layer.provide([HttpApiBuilder.Router.Live, HttpApiBuilder.Middleware.layer]),
  Layer.provide(HttpApiBuilder.api(SandboxApi)),
  Layer.provide([
    installations,
    authenticationGroup,
    tokenEndpoint.layer,
    consentPage.layer,
    control.layer,
    page.layer
  ]),
  Layer.provide(authentication)
)

// Connections are closed before the server, which would otherwise wait for delayed responses.
const nodeServer = (port: number) =>
  Layer.suspend(() => {
    const server = createServer()
    const closeConnections = Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections()))
    return Layer.scopedDiscard(closeConnections).pipe(
      Layer.provideMerge(NodeHttpServer.layer(() => server, { host: "127.0.0.1", port }))
    )
  })

/** Serves on a port of 127.0.0.1, or any free one for 0. */
export const layer = (port: number) => Layer.provideMerge(serving, nodeServer(port))
