// An application with a fleet: ten updates, by packages that npm installed. It reads PLEO_SERVER, and DATABASE: a file,
// or the URL of a PostgreSQL.
import * as PgClient from "@effect/sql-pg/PgClient"
import { Credentials } from "@effect-pleo/core"
import { Fleet } from "@effect-pleo/fleet"
import { NodeInstallationService } from "@effect-pleo/node"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"

const { DATABASE: database, PLEO_SERVER: server } = process.env
const credentials = (tenant) => Credentials.apiKey(Redacted.make(tenant))
const fleet = database.startsWith("postgres:")
  ? Layer.provide(Fleet.layerCluster({ credentials }), PgClient.layer({ url: Redacted.make(database) }))
  : Fleet.layerSingle({ file: database, credentials })
const request = { status: "ACTIVATED" }
const changes = Array.from({ length: 10 }, (_, index) => ({ tenant: `fleet-${index}`, request }))

const progress = await Fleet.set(changes).pipe(
  Effect.zipRight(Stream.runLast(Fleet.progress)),
  Effect.flatten,
  Effect.provide(fleet),
  Effect.provide(NodeInstallationService.layer({ server, credentials: Credentials.perCall })),
  Effect.runPromise
)
if (progress.applied !== 10) throw new Error(`${progress.applied} of 10 are applied`)
