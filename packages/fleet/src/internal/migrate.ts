// Copies the states of a fleet to another store, while nothing else uses either: from one process to several, and back.
import * as SqlClient from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import * as Statement from "@effect/sql/Statement"
import { codeOf } from "@effect-pleo/core/internal/errorCode"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Embedded from "./embedded.ts"
import { FleetError } from "./error.ts"
import * as Stores from "./store.ts"

/** Why nothing was copied. */
export class MigrationError extends Data.TaggedError("MigrationError")<{
  readonly reason: "InUse" | "NotEmpty"
  readonly store: "source" | "target"
}> {}

/** Rows of one statement: 11 parameters each, of which SQLite takes 32 766. */
const pageSize = 500

const isSqlError = (error: unknown): error is SqlError => error instanceof SqlError

type Client<E> = Layer.Layer<SqlClient.SqlClient, E>

/** The store of a fleet of one process, whose lock it holds. */
export const fromFile = (file: string): Client<FleetError> => Embedded.client(file)

const open = <E>(client: Client<E>, store: MigrationError["store"]) =>
  Effect.gen(function* () {
    const context = yield* Layer.build(client)
    yield* Effect.provide(Stores.make, context)
    return Context.get(context, SqlClient.SqlClient).withoutTransforms()
  }).pipe(
    Effect.mapError((error) =>
      error instanceof FleetError && error.reason === "Locked"
        ? new MigrationError({ reason: "InUse", store })
        : error
    )
  )

/** Runs an effect with this context, and nothing of the one around it. */
const within =
  (context: Context.Context<never>) =>
  <A, E>(self: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.mapInputContext(self, (_: Context.Context<never>) => context)

/**
 * Keeps everything else from the rows until the transaction ends. In SQLite, that is one that writes, and the lock of the
 * file keeps runners away. Over PostgreSQL, runners have locks that they renew or release.
 */
const claim = (
  sql: SqlClient.SqlClient,
  store: MigrationError["store"]
): Effect.Effect<void, MigrationError | SqlError> =>
  sql.onDialectOrElse({
    sqlite: () => Effect.void,
    orElse: () =>
      Effect.gen(function* () {
        const inUse = new MigrationError({ reason: "InUse", store })
        yield* sql`SET LOCAL lock_timeout = '5s'`
        yield* Effect.catchIf(
          sql`LOCK TABLE effect_pleo_fleet_updates IN ACCESS EXCLUSIVE MODE`,
          // PostgreSQL, appendix A: lock_not_available.
          (error) => codeOf(error) === "55P03",
          () => inUse
        )
        const tables = yield* sql`SELECT 1 WHERE to_regclass('effect_pleo_fleet_locks') IS NOT NULL`
        if (tables.length === 0) return
        const held = yield* sql`SELECT 1 FROM effect_pleo_fleet_locks
          WHERE acquired_at > NOW() - INTERVAL '10 seconds' LIMIT 1`
        if (held.length > 0) return yield* inUse
      })
  })

/** The key of a row. */
interface Row {
  readonly partition_id: number
  readonly tenant: string
}

/** Before all others. */
const none: Row = { partition_id: -1, tenant: "" }

/** Copies all rows in one transaction of the target, or none, and returns their number. */
export const migrate = <E>(
  from: Client<E>,
  to: Client<E>
): Effect.Effect<number, E | MigrationError | FleetError> =>
  Effect.gen(function* () {
    const source = yield* open(from, "source")
    const target = yield* open(to, "target")
    // Otherwise, a loss of power could undo what was committed.
    yield* target.onDialectOrElse({
      sqlite: () => Effect.asVoid(target`PRAGMA synchronous = FULL`),
      orElse: () => Effect.void
    })
    // A client finds its transaction in the context, and takes that of another client for its own.
    const outside = yield* Effect.context<never>()
    const copy = Effect.gen(function* () {
      yield* claim(source, "source")
      const inside = yield* Effect.context<never>()
      const read = (after: Row) =>
        within(inside)(
          source<Row>`SELECT * FROM effect_pleo_fleet_updates
            WHERE (partition_id, tenant) > (${after.partition_id}, ${after.tenant})
            ORDER BY partition_id, tenant LIMIT ${pageSize}`
        )
      const write = Effect.gen(function* () {
        yield* claim(target, "target")
        const rows = yield* target`SELECT 1 FROM effect_pleo_fleet_updates LIMIT 1`
        if (rows.length > 0) return yield* new MigrationError({ reason: "NotEmpty", store: "target" })
        let count = 0
        let page = yield* read(none)
        while (page.length > 0) {
          yield* target`INSERT INTO effect_pleo_fleet_updates ${target.insert(page.map((row) => ({ ...row })))}`
          count += page.length
          page = yield* read(page[page.length - 1] ?? none)
        }
        return count
      })
      return yield* within(outside)(target.withTransaction(write))
    })
    return yield* source.withTransaction(copy)
  }).pipe(
    Effect.scoped,
    // So fails a commit.
    Effect.catchSomeDefect((defect) =>
      isSqlError(defect) ? Option.some(Effect.fail(defect)) : Option.none()
    ),
    Effect.mapError((error) => (isSqlError(error) ? Stores.toFleetError(error) : error)),
    Statement.withTransformerDisabled,
    Effect.withTracerEnabled(false)
  )
