// All partitions in one process, on a SQLite file.
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { FleetError } from "./error.ts"
import type { Runner } from "./runner.ts"
import { partitions, toFleetError } from "./store.ts"

/** A client of the file, for as long as no other process holds its lock. */
export const client = (file: string) =>
  Layer.provideMerge(LibsqlClient.layer({ url: `file:${file}` }), Layer.scopedDiscard(lock(file)))

/**
 * Locks a file beside the database, which has to stay open to other processes. The operating system releases the lock
 * when this process ends, however it ends.
 */
const lock = (file: string): Effect.Effect<void, FleetError, Scope.Scope> =>
  Effect.gen(function* () {
    const context = yield* Layer.build(LibsqlClient.layer({ url: `file:${file}.lock` }))
    const sql = Context.get(context, LibsqlClient.LibsqlClient)
    yield* sql.unsafe("PRAGMA busy_timeout = 0")
    yield* Effect.acquireRelease(sql.unsafe("BEGIN EXCLUSIVE"), () => Effect.ignore(sql.unsafe("ROLLBACK")))
  }).pipe(
    Effect.mapError(toFleetError),
    Effect.mapError((error) =>
      error.code?.startsWith("SQLITE_BUSY") ? new FleetError({ reason: "Locked", code: error.code }) : error
    )
  )

export const fence = { left: () => Number.POSITIVE_INFINITY }

/** Sends the rows of all partitions until the scope closes. */
export const run = (runner: Runner): Effect.Effect<void, never, Scope.Scope> =>
  Effect.zipRight(
    Effect.forEach(Array.from({ length: partitions }).keys(), (partition) =>
      Effect.forkScoped(runner.drain(partition))
    ),
    Effect.addFinalizer(() => runner.stop)
  )
