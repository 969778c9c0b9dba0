import * as PgClient from "@effect/sql-pg/PgClient"
import {
  Credentials,
  InstallationService,
  OAuth,
  RetryPolicy
} from "@effect-pleo/core"
import { NodeInstallationService } from "@effect-pleo/node"
import { SqlTokenStore } from "@effect-pleo/sql"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

// For a customer that connect.ts has connected. Tokens are refreshed on the
// way.
export const report = (tenant: string) =>
  InstallationService.update({ status: "ACTIVATED" }).pipe(
    RetryPolicy.retry(),
    Credentials.use(OAuth.tenant(tenant)),
    Effect.tapErrorTag("Unauthorized", ({ reason }) =>
      reason === "ReauthorizationRequired"
        ? Effect.logWarning(`${tenant} has to connect again`)
        : Effect.void
    )
  )

// The client on the store on the database: they are closed in this order,
// so that no new token is lost.
export const live = NodeInstallationService.layerConfig({
  credentials: OAuth.config
}).pipe(
  Layer.provideMerge(SqlTokenStore.layer),
  Layer.provide(
    PgClient.layerConfig({
      url: Config.redacted(Config.nonEmptyString("DATABASE_URL"))
    })
  )
)

await report("acme").pipe(Effect.provide(live), Effect.runPromise)
