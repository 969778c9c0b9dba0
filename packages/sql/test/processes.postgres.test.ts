import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Postgres from "./support/postgres.ts"
import * as Processes from "./support/processes.ts"
import { describeRefreshes } from "./support/refreshes.ts"

const database = Effect.flatMap(Postgres.Postgres, ({ create }) => create)

describeRefreshes(
  "processes on PostgreSQL",
  Layer.unwrapEffect(Effect.map(database, (url) => Processes.layer(url, Postgres.client(url)))).pipe(
    Layer.provide(Postgres.layer)
  )
)
