// A web application that connects customers: `/connect` sends a browser to
// Pleo, which sends it back to `/callback`.

import { createServer } from "node:http"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import {
  Credentials,
  InstallationService,
  OAuth,
  RetryPolicy
} from "@effect-pleo/core"
import { NodeHttpClient, NodeInstallationService } from "@effect-pleo/node"
import { SqlTokenStore } from "@effect-pleo/sql"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

// Of browsers that are at Pleo's. In production: a session store, with an
// expiry.
const sessions = new Map<string, OAuth.PendingAuthorization>()

// Registered for the app, exactly so.
const redirectUri = Config.string("REDIRECT_URI").pipe(
  Config.withDefault("http://localhost:3000/callback")
)

const connect = Effect.gen(function* () {
  const { pending, url } = yield* OAuth.authorizationRequest({
    ...(yield* OAuth.clientConfig),
    redirectUri: yield* redirectUri,
    scopes: ["users:read"]
  })
  const session = crypto.randomUUID()
  sessions.set(session, pending)
  return HttpServerResponse.redirect(url, { status: 303 }).pipe(
    HttpServerResponse.unsafeSetCookie("session", session, {
      httpOnly: true,
      path: "/",
      sameSite: "lax"
    })
  )
})

const callback = Effect.gen(function* () {
  const { cookies, url } = yield* HttpServerRequest.HttpServerRequest
  const { session = "" } = cookies
  const pending = sessions.get(session)
  if (pending === undefined)
    return HttpServerResponse.text("Start at /connect.", { status: 400 })
  sessions.delete(session)
  const tenant = yield* OAuth.completeAuthorization({
    ...(yield* OAuth.clientConfig),
    callback: url,
    pending
  })
  const { status } = yield* InstallationService.update({
    status: "ACTIVATED"
  }).pipe(RetryPolicy.retry(), Credentials.use(OAuth.tenant(tenant)))
  return HttpServerResponse.text(`Connected: ${tenant} is ${status}.`)
}).pipe(
  Effect.tapError((error) => Effect.logWarning(error.message)),
  Effect.catchTag("AuthorizationError", ({ reason }) =>
    HttpServerResponse.text(
      reason === "Denied" ? "Not connected." : "Start again at /connect.",
      {
        status: 400
      }
    )
  )
)

const server = HttpRouter.empty.pipe(
  HttpRouter.get("/connect", connect),
  HttpRouter.get("/callback", callback),
  HttpServer.serve(),
  HttpServer.withLogAddress
)

const pleo = NodeInstallationService.layerConfig({
  credentials: OAuth.config
}).pipe(
  Layer.provideMerge(SqlTokenStore.layer),
  Layer.provide(
    LibsqlClient.layerConfig({ url: Config.nonEmptyString("TOKENS") })
  ),
  Layer.merge(NodeHttpClient.layer())
)

const port = Config.port("PORT").pipe(Config.withDefault(3000))

const main = server.pipe(
  Layer.provide([
    pleo,
    NodeHttpServer.layerConfig(
      createServer,
      Config.all({ port, host: Config.succeed("127.0.0.1") })
    )
  ])
)

NodeRuntime.runMain(Layer.launch(main))
