import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import { OAuth } from "@effect-pleo/core"
import { Fleet } from "@effect-pleo/fleet"
import { NodeInstallationService } from "@effect-pleo/node"
import { SqlTokenStore } from "@effect-pleo/sql"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const tokens = Layer.provide(
  SqlTokenStore.layer,
  LibsqlClient.layer({ url: "file:tokens.db" })
)

export const live = Fleet.layerSingle({
  file: "fleet.db",
  rateLimit: 50
}).pipe(
  Layer.provide(
    NodeInstallationService.layerConfig({ credentials: OAuth.config })
  ),
  Layer.provideMerge(tokens)
)

export const ledgerIsDown = Effect.flatMap(OAuth.clientConfig, (app) =>
  Fleet.setAll(app, { status: "ERROR", errorCode: "AUTH_ERROR" })
)

export const ledgerIsBack = Effect.flatMap(OAuth.clientConfig, (app) =>
  Fleet.setAll(app, { status: "ACTIVATED" })
)
