// All partitions in one process, on a SQLite file.
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
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
  Layer.build(LibsqlClient.layer({ url: `file:${file}.lock` })).pipe(
    Effect.flatMap((context) =>
      Effect.provide(
        Effect.flatMap(LibsqlClient.LibsqlClient, (sql) =>
          Effect.zipRight(sql.unsafe("PRAGMA busy_timeout = 0"), sql.unsafe("BEGIN EXCLUSIVE"))
        ),
        context
      )
    ),
    Effect.mapError(toFleetError),
    Effect.mapError((error) =>
      error.code?.startsWith("SQLITE_BUSY") ? new FleetError({ reason: "Locked", code: error.code }) : error
    ),
    Effect.asVoid
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
