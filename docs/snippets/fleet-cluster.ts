import * as PgClient from "@effect/sql-pg/PgClient"
import { Fleet } from "@effect-pleo/fleet"
import * as Config from "effect/Config"
import * as Layer from "effect/Layer"

export const live = Fleet.layerCluster({ rateLimit: 50 }).pipe(
  Layer.provide(
    PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") })
  )
)
