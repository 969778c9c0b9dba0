import { join } from "node:path"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { databaseDirectory } from "../../node/test/support/temporaryDirectory.ts"
import * as Processes from "./support/processes.ts"
import { describeRefreshes } from "./support/refreshes.ts"

describeRefreshes(
  "processes on SQLite",
  Layer.unwrapScoped(
    Effect.map(databaseDirectory, (directory) => {
      const url = `file:${join(directory, "tokens.db")}`
      return Processes.layer(url, LibsqlClient.layer({ url }))
    })
  )
)
