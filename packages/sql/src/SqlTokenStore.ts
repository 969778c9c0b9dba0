/**
 * `TokenStore` in a table of SQLite (libSQL included) or PostgreSQL, over any client of @effect/sql: for several
 * processes that share their authorisations. With @effect/sql-pg:
 *
 * ```ts
 * SqlTokenStore.layer.pipe(Layer.provide(PgClient.layer({ url: Redacted.make("postgres://...") })))
 * ```
 *
 * With @effect/sql-libsql, in a file of this machine:
 *
 * ```ts
 * SqlTokenStore.layer.pipe(Layer.provide(LibsqlClient.layer({ url: "file:tokens.db" })))
 * ```
 *
 * SQLite has one writer at a time, so give the store a file and a client that nothing else uses: beside a
 * transaction of the same file no token can be stored, and `save` fails in the end. While another process writes,
 * SQLite's drivers block this one, for 5 seconds at most.
 *
 * The table holds the tokens as they are: who can read it can act for the customers. A replica that lags behind
 * is no place to read it from.
 *
 * @since 0.1.0
 * @module
 */

import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Statement from "@effect/sql/Statement"
import * as TextTokenStore from "@effect-pleo/core/TextTokenStore"
import { TokenStore, TokenStoreError } from "@effect-pleo/core/TokenStore"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"

/**
 * What creates the table, in both dialects, for those who manage their schema themselves. With the table there,
 * `layer` needs no right to create one.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import * as SqlClient from "@effect/sql/SqlClient"
 * import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
 * import { SqlTokenStore } from "@effect-pleo/sql"
 * import * as Effect from "effect/Effect"
 *
 * // A migration of yours.
 * const createTable = Effect.flatMap(SqlClient.SqlClient, (sql) => sql.unsafe(SqlTokenStore.ddl))
 *
 * const program = Effect.gen(function* () {
 *   yield* createTable
 *   const sql = yield* SqlClient.SqlClient
 *   return yield* sql`SELECT key, generation, text FROM effect_pleo_tokens`
 * })
 * const rows = await program.pipe(Effect.provide(LibsqlClient.layer({ url: ":memory:" })), Effect.runPromise)
 * assert.deepEqual(rows, [])
 * ```
 *
 * @since 0.1.0
 * @category schema
 */
export const ddl: string = `CREATE TABLE IF NOT EXISTS effect_pleo_tokens (
  key TEXT NOT NULL PRIMARY KEY,
  generation INTEGER NOT NULL,
  text TEXT NOT NULL
)`

/** The most that `load` and `save` take. */
const patience = Duration.seconds(10)

/** The code of what a driver failed with: an SQLSTATE, SQLite's or the operating system's. It is in a cause. */
const codeOf = (error: unknown): string | undefined => {
  const seen = new Set<unknown>()
  for (let cause = error; typeof cause === "object" && cause !== null && !seen.has(cause); ) {
    seen.add(cause)
    const { cause: next, code } = cause as { readonly cause?: unknown; readonly code?: unknown }
    // Of that shape, it is out of a list and not out of a row.
    if (typeof code === "string" && /^[A-Z0-9_]{1,40}$/.test(code)) return code
    cause = next
  }
  return undefined
}

/** PostgreSQL could not serialize, or chose this one to end a deadlock: it did nothing. PostgreSQL, appendix A. */
const isConflict = (error: SqlError): boolean => ["40001", "40P01"].includes(codeOf(error) ?? "")

const isBusy = (error: SqlError): boolean => /^SQLITE_(?:BUSY|LOCKED)/.test(codeOf(error) ?? "")

const again = Schedule.jittered(Schedule.spaced("5 millis"))

/**
 * Runs a statement by itself. Without the caller's context there is no transaction of it to take part in,
 * whatever tag the client keeps that under: when it is rolled back, the tokens stored must not be. Without a span
 * and the caller's transformer, since the failure that ends a span may quote the row, and so the tokens.
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
 * Runs a statement on SQLite. SQLite itself waits for another process that is writing, for 5 seconds as its drivers
 * have it by default; after that, nothing is tried again on a connection that may not be sound.
 *
 * For libsql leaves a statement that found the database busy in progress, until it is garbage collected, and as long
 * as it is, no later statement of that connection is committed, though each looks as if it had been
 * (tursodatabase/libsql-client-ts#352). To release a savepoint fails then, which tells, so it comes first once the
 * database was busy.
 */
const makeSqlite = (sql: SqlClient.SqlClient): Effect.Effect<Run> =>
  Effect.map(Effect.makeSemaphore(1), (mutex) => {
    let suspect = false
    const rollback = Effect.ignore(sql.unsafe("ROLLBACK"))
    const sound = rollback.pipe(
      Effect.zipRight(sql.unsafe("SAVEPOINT effect_pleo")),
      Effect.zipRight(sql.unsafe("RELEASE effect_pleo")),
      // A database that is asked over HTTP knows no savepoint of the request before, and is sound.
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
 * Not longer than `patience`, also when the caller cannot be interrupted: a client that waits for the end of its
 * own caller's transaction would otherwise wait for ever. In a fiber of its own, since as a child it would be
 * interrupted with a caller that must not be.
 */
const inTime = <A>(
  operation: "load" | "save",
  effect: Effect.Effect<A, TokenStoreError>
): Effect.Effect<A, TokenStoreError> =>
  Effect.uninterruptibleMask((restore) =>
    effect.pipe(
      Effect.timeoutFail({
        duration: patience,
        onTimeout: () => new TokenStoreError({ operation, code: "TIMEOUT" })
      }),
      Effect.interruptible,
      Effect.forkDaemon,
      Effect.flatMap((fiber) => Effect.onInterrupt(restore(Fiber.join(fiber)), () => Fiber.interrupt(fiber)))
    )
  )

/**
 * Creates the table if it is not there. A client of another dialect is a defect.
 *
 * `load` and `save` commit by themselves, also when their caller is in a transaction. Either takes 10 seconds at
 * most. `TokenStoreError.code` is an SQLSTATE, a code of SQLite (`SQLITE_FULL`) or of the operating system
 * (`ECONNREFUSED`), or `TIMEOUT`. A `save` that failed may have been made all the same; `load` tells.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
 * import { Authorization } from "@effect-pleo/core"
 * import { SqlTokenStore } from "@effect-pleo/sql"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function* () {
 *   const store = yield* SqlTokenStore.make
 *   const save = store.save("key", 0, Authorization.Ended.make({ reason: "Refused", lease: "4f0c" }))
 *   return [yield* save, yield* save]
 * })
 *
 * const saved = await program.pipe(
 *   Effect.provide(LibsqlClient.layer({ url: ":memory:" })),
 *   Effect.runPromise
 * )
 * assert.deepEqual(saved, [true, false])
 * ```
 *
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

    // Asked first, since PostgreSQL wants the right to create even where IF NOT EXISTS finds the table. Asked again
    // when creating fails: another process may have created it at the same time, which PostgreSQL calls a unique
    // violation.
    const exists = execute(
      sql`SELECT key, generation, text FROM effect_pleo_tokens WHERE 1 = 0`.withoutTransform
    )
    const create = execute(sql.unsafe(ddl).withoutTransform)
    yield* exists.pipe(
      Effect.catchAll(() => Effect.catchAll(create, (error) => Effect.mapError(exists, () => error)))
    )

    const run = <Row extends object>(
      operation: "load" | "save",
      statement: Statement.Statement<Row>
    ): Effect.Effect<Option.Option<Row>, TokenStoreError> =>
      execute(statement.withoutTransform).pipe(
        Effect.map(([row]) => Option.fromNullable(row)),
        // Its message and its cause may quote what was to be stored.
        Effect.mapError((error) => new TokenStoreError({ operation, code: codeOf(error) })),
        (effect) => inTime(operation, effect)
      )

    return TextTokenStore.make({
      load: (key) =>
        run(
          "load",
          sql<TextTokenStore.Text>`SELECT generation, text FROM effect_pleo_tokens WHERE key = ${key}`
        ),
      save: (key, expected, text) =>
        Effect.map(
          run(
            "save",
            expected === 0
              ? sql`INSERT INTO effect_pleo_tokens (key, generation, text) VALUES (${key}, 1, ${text})
                ON CONFLICT (key) DO NOTHING RETURNING generation`
              : sql`UPDATE effect_pleo_tokens SET generation = ${expected + 1}, text = ${text}
                WHERE key = ${key} AND generation = ${expected} RETURNING generation`
          ),
          Option.isSome
        )
    })
  }
)

/**
 * `make` as a layer. Fails when the table is not there and cannot be created.
 *
 * @example
 * ```ts
 * import { mkdtempSync, rmSync } from "node:fs"
 * import { tmpdir } from "node:os"
 * import { join } from "node:path"
 * import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
 * import { OAuth } from "@effect-pleo/core"
 * import { SqlTokenStore } from "@effect-pleo/sql"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Redacted from "effect/Redacted"
 *
 * const directory = mkdtempSync(join(tmpdir(), "tokens-"))
 * const store = SqlTokenStore.layer.pipe(
 *   Layer.provide(LibsqlClient.layer({ url: `file:${join(directory, "tokens.db")}` }))
 * )
 *
 * const tokens = { accessToken: Redacted.make("access"), refreshToken: Redacted.make("refresh") }
 * await OAuth.storeTokens({ clientId: "my-app", tenant: "acme" }, tokens).pipe(
 *   Effect.provide(store),
 *   Effect.runPromise
 * )
 * rmSync(directory, { recursive: true })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<TokenStore, SqlError, SqlClient.SqlClient> = Layer.effect(TokenStore, make)
