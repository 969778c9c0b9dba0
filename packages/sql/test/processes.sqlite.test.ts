import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Processes from "./support/processes.ts"
import { describeRefreshes } from "./support/refreshes.ts"

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-pleo-"))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
)

describeRefreshes(
  "processes on SQLite",
  Layer.unwrapScoped(
    Effect.map(directory, (directory) => {
      const url = `file:${join(directory, "tokens.db")}`
      return Processes.layer(url, LibsqlClient.layer({ url }))
    })
  )
)
