import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import { OAuth } from "@effect-pleo/core"
import { NodeInstallationService } from "@effect-pleo/node"
import { SqlTokenStore } from "@effect-pleo/sql"
import * as Config from "effect/Config"
import * as Layer from "effect/Layer"

// A file that nothing else writes to, such as
// TOKENS=file:/var/lib/my-app/tokens.db
export const live = NodeInstallationService.layerConfig({
  credentials: OAuth.config
}).pipe(
  Layer.provideMerge(SqlTokenStore.layer),
  Layer.provide(
    LibsqlClient.layerConfig({ url: Config.nonEmptyString("TOKENS") })
  )
)
