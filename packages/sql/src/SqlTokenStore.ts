/**
 * `TokenStore` in a table of PostgreSQL or SQLite (including libSQL), over any client of @effect/sql, shared by several
 * processes. The table contains the tokens in plain text. Do not read it from a replica.
 *
 * SQLite has one writer at a time: use a file and a client of their own. While another process writes, SQLite's drivers
 * block this one, for up to 5 seconds.
 *
 * @since 0.1.0
 * @module
 */

import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Statement from "@effect/sql/Statement"
import { codeOf } from "@effect-pleo/core/internal/errorCode"
import { fromStrings, TokenStore, TokenStoreError } from "@effect-pleo/core/TokenStore"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"

/**
 * The statement that creates the table, in both dialects, for your own migrations.
 *
 * @example
 * ```ts
 * const createTable = Effect.flatMap(SqlClient.SqlClient, (sql) => sql.unsafe(SqlTokenStore.ddl))
 * ```
 * @since 0.1.0
 * @category schema
 */
export const ddl: string = `CREATE TABLE IF NOT EXISTS effect_pleo_tokens (
  key TEXT NOT NULL PRIMARY KEY,
  generation INTEGER NOT NULL,
  text TEXT NOT NULL
)`

interface Row {
  readonly generation: number
  readonly text: string
}

interface Entry {
  readonly key: string
  readonly text: string
}

/** The longest that an operation may take. */
const patience = Duration.seconds(10)

/** Rows in a page of `list`. */
const pageSize = 100

/** A serialization failure or a deadlock: nothing was done. PostgreSQL, appendix A. */
const isConflict = (error: SqlError): boolean => ["40001", "40P01"].includes(codeOf(error) ?? "")

const isBusy = (error: SqlError): boolean => /^SQLITE_(?:BUSY|LOCKED)/.test(codeOf(error) ?? "")

const again = Schedule.jittered(Schedule.spaced("5 millis"))

/**
 * Runs a statement without the caller's context, and so outside its transaction: rolling it back must not undo stored
 * tokens. Without a span or the caller's transformer, since an error in a span may quote the tokens.
 */
const alone = <A>(statement: Effect.Effect<A, SqlError>): Effect.Effect<A, SqlError> =>
  statement.pipe(
    Effect.retry({ schedule: again, while: isConflict }),
    Statement.withTransformerDisabled,
    Effect.withTracerEnabled(false),
    Effect.mapInputContext(() => Context.empty())
  )

type Run = <A>(statement: Effect.Effect<A, SqlError>) => Effect.Effect<A, SqlError>

/**
 * Runs a statement on SQLite, which waits for another process's write for up to 5 seconds.
 *
 * libsql leaves a statement that found the database busy in progress until it is garbage collected. Until then, later
 * statements on that connection seem to commit but do not (tursodatabase/libsql-client-ts#352). Releasing a savepoint
 * fails in that state, so the connection is probed that way after the database was busy.
 */
const makeSqlite = (sql: SqlClient.SqlClient): Effect.Effect<Run> =>
  Effect.map(Effect.makeSemaphore(1), (mutex) => {
    let suspect = false
    const rollback = Effect.ignore(sql.unsafe("ROLLBACK"))
    const sound = rollback.pipe(
      Effect.zipRight(sql.unsafe("SAVEPOINT effect_pleo")),
      Effect.zipRight(sql.unsafe("RELEASE effect_pleo")),
      // A database over HTTP does not keep savepoints between requests, and needs no probe.
      Effect.catchAll((error) => Effect.zipRight(rollback, isBusy(error) ? Effect.fail(error) : Effect.void)),
      Effect.tap(() => {
        suspect = false
      })
    )
    const checked = Effect.suspend(() => (suspect ? sound : Effect.void))
    return (statement) =>
      Effect.ignore(sql.unsafe("PRAGMA busy_timeout = 5000")).pipe(
        Effect.zipRight(checked),
        Effect.zipRight(statement),
        Effect.tapError((error) =>
          Effect.sync(() => {
            suspect ||= isBusy(error)
          })
        ),
        mutex.withPermits(1),
        alone
      )
  })

/**
 * Limits an effect to `patience`, even in an uninterruptible caller: a client waiting for the end of its caller's
 * transaction would wait forever. It runs in a daemon fiber, since a child would be interrupted with its parent.
 */
const inTime = <A>(
  operation: TokenStoreError["operation"],
  effect: Effect.Effect<A, TokenStoreError>
): Effect.Effect<A, TokenStoreError> =>
  Effect.uninterruptibleMask((restore) =>
    effect.pipe(
      Effect.timeoutFail({
        duration: patience,
        onTimeout: () => new TokenStoreError({ operation, code: "TIMEOUT" })
      }),
      Effect.interruptible,
      // Its exit: Effect logs the failure of a fiber, and a logger that throws would end it unobserved.
      Effect.exit,
      Effect.forkDaemon,
      Effect.flatMap((fiber) => Effect.onInterrupt(restore(Fiber.join(fiber)), () => Fiber.interrupt(fiber))),
      Effect.flatten
    )
  )

/**
 * Creates the table unless it exists. Operations commit outside the caller's transaction, and take 10 seconds at
 * most. The `code` of an error is an SQLSTATE, a code of SQLite or the operating system, or `TIMEOUT`.
 *
 * @example
 * ```ts
 * const store = Effect.provide(SqlTokenStore.make, PgClient.layer({ database: "tokens" }))
 * ```
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<TokenStore["Type"], SqlError, SqlClient.SqlClient> = Effect.gen(
  function* () {
    const sql = yield* SqlClient.SqlClient

    const unsupported = (dialect: string) => () =>
      Effect.dieMessage(`SqlTokenStore supports SQLite and PostgreSQL, not ${dialect}`)
    const execute = yield* sql.onDialectOrElse({
      sqlite: () => makeSqlite(sql),
      pg: () => Effect.succeed<Run>(alone),
      mysql: unsupported("MySQL"),
      mssql: unsupported("Microsoft SQL Server"),
      clickhouse: unsupported("ClickHouse"),
      orElse: unsupported("this dialect")
    })

    // Checked first, since PostgreSQL requires the right to create even if the table exists. Checked again after a
    // failure: another process may have created it at the same time, which PostgreSQL reports as a unique violation.
    const exists = execute(
      sql`SELECT key, generation, text FROM effect_pleo_tokens WHERE 1 = 0`.withoutTransform
    )
    const create = execute(sql.unsafe(ddl).withoutTransform)
    yield* exists.pipe(
      Effect.catchAll(() => Effect.catchAll(create, (error) => Effect.mapError(exists, () => error)))
    )

    const run = <A extends object>(
      operation: TokenStoreError["operation"],
      statement: Statement.Statement<A>
    ): Effect.Effect<ReadonlyArray<A>, TokenStoreError> =>
      execute(statement.withoutTransform).pipe(
        // The error's message and cause may quote the tokens.
        Effect.mapError((error) => new TokenStoreError({ operation, code: codeOf(error) })),
        (effect) => inTime(operation, effect)
      )

    return fromStrings({
      load: (key) =>
        Effect.map(
          run("load", sql<Row>`SELECT generation, text FROM effect_pleo_tokens WHERE key = ${key}`),
          ([row]) =>
            Option.map(Option.fromNullable(row), ({ generation, text }) => ({ generation, value: text }))
        ),
      save: (key, expected, value) =>
        Effect.map(
          run(
            "save",
            expected === 0
              ? sql`INSERT INTO effect_pleo_tokens (key, generation, text) VALUES (${key}, 1, ${value})
                ON CONFLICT (key) DO NOTHING RETURNING generation`
              : sql`UPDATE effect_pleo_tokens SET generation = ${expected + 1}, text = ${value}
                WHERE key = ${key} AND generation = ${expected} RETURNING generation`
          ),
          (rows) => rows.length > 0
        ),
      // The prefix is compared here: LIKE has wildcards, a range depends on the collation, and by a function PostgreSQL
      // misjudges how many rows match, and sorts all of them for each page.
      list: (prefix, cursor) =>
        Effect.map(
          run(
            "list",
            sql<Entry>`SELECT key, text FROM effect_pleo_tokens
              ${cursor === undefined ? sql`` : sql`WHERE key > ${cursor}`} ORDER BY key LIMIT ${pageSize}`
          ),
          (rows) => ({
            entries: rows.flatMap(({ key, text }) => (key.startsWith(prefix) ? [{ key, value: text }] : [])),
            cursor: rows.length < pageSize ? undefined : rows.at(-1)?.key
          })
        )
    })
  }
)

/**
 * `make` as a layer.
 *
 * @example
 * ```ts
 * const live = Layer.provide(SqlTokenStore.layer, LibsqlClient.layer({ url: "file:tokens.db" }))
 * ```
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<TokenStore, SqlError, SqlClient.SqlClient> = Layer.effect(TokenStore, make)
