// The rows of a fleet: the desired state of each installation, and the limit that all runners share. One statement each,
// with the rows as one JSON parameter, so that nothing needs a transaction.
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import type * as Statement from "@effect/sql/Statement"
import * as Statements from "@effect/sql/Statement"
import { codeOf } from "@effect-pleo/core/internal/errorCode"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { FleetError } from "./error.ts"

/** Partitions of the tenants. Rows keep theirs, so the number is part of the schema. */
export const partitions = 32

/** FNV-1a of the UTF-16 code units. */
export const partitionOf = (tenant: string): number => {
  let hash = 0x811c9dc5
  for (let index = 0; index < tenant.length; index++)
    hash = Math.imul(hash ^ tenant.charCodeAt(index), 0x01000193)
  return (hash >>> 0) % partitions
}

export const State = { pending: 0, applied: 1, failed: 2 } as const

/** Desired state to store. */
export interface Desired {
  readonly tenant: string
  readonly request: string
}

/** A row to send. */
export interface Pending {
  readonly tenant: string
  readonly request: string
  readonly generation: number
  readonly attempts: number
}

/** The facts of an update's failure, without secrets. */
export interface Facts {
  readonly reason: string
  readonly message: string
  readonly status?: number | undefined
  readonly requestId?: string | undefined
}

/** How an update ended. */
export interface Outcome {
  readonly partition: number
  readonly tenant: string
  readonly generation: number
  readonly state: number
  /** When to send the row again, in milliseconds since the epoch. */
  readonly due: number
  readonly attempts: number
  readonly facts?: Facts | undefined
}

export interface FailedRow {
  readonly tenant: string
  readonly state: number
  readonly attempts: number
  readonly reason: string
  readonly facts: string
  readonly at: number
}

export interface Count {
  readonly state: number
  readonly reason: string
  readonly count: number
  readonly superseded: number
}

export interface Reservation {
  /** Milliseconds until the first place. */
  readonly wait: number
  /** Updates a second. */
  readonly rate: number
}

/** Milliseconds of unused places that may be caught up on. */
const slack = 200

/** A conflict of statements that lock rows in different orders: nothing was done. PostgreSQL, appendix A. */
const isConflict = (error: SqlError): boolean => ["40001", "40P01"].includes(codeOf(error) ?? "")

/** Without the error's message and cause, which may quote metadata. */
export const toFleetError = (error: unknown): FleetError =>
  new FleetError({ reason: "Store", code: codeOf(error) })

const run = <A>(statement: Effect.Effect<A, SqlError>): Effect.Effect<A, FleetError> =>
  statement.pipe(
    Effect.retry({ schedule: Schedule.jittered(Schedule.spaced("5 millis")), while: isConflict }),
    Effect.mapError(toFleetError),
    Statements.withTransformerDisabled,
    Effect.withTracerEnabled(false)
  )

// `DOUBLE PRECISION` for times, since PostgreSQL's clients return a BIGINT as text. Without a rowid, SQLite stores the rows
// of a partition side by side: those that are sent one after another share pages, so their outcomes change few.
const tablesOf = (isSqlite: boolean) => [
  `CREATE TABLE IF NOT EXISTS effect_pleo_fleet_updates (
  tenant TEXT NOT NULL,
  partition_id INTEGER NOT NULL,
  request TEXT NOT NULL,
  generation INTEGER NOT NULL,
  state INTEGER NOT NULL,
  due DOUBLE PRECISION NOT NULL,
  attempts INTEGER NOT NULL,
  superseded INTEGER NOT NULL,
  reason TEXT NOT NULL,
  facts TEXT NOT NULL,
  changed_at DOUBLE PRECISION NOT NULL,
  PRIMARY KEY (partition_id, tenant)
)${isSqlite ? " WITHOUT ROWID" : ""}`,
  `CREATE INDEX IF NOT EXISTS effect_pleo_fleet_pending
  ON effect_pleo_fleet_updates (partition_id, due) WHERE state = 0`,
  `CREATE INDEX IF NOT EXISTS effect_pleo_fleet_failed
  ON effect_pleo_fleet_updates (tenant) WHERE reason <> ''`,
  `CREATE TABLE IF NOT EXISTS effect_pleo_fleet_limit (
  id INTEGER NOT NULL PRIMARY KEY,
  rate DOUBLE PRECISION NOT NULL,
  next_at DOUBLE PRECISION NOT NULL,
  changed_at DOUBLE PRECISION NOT NULL,
  window_at DOUBLE PRECISION NOT NULL,
  window_count INTEGER NOT NULL,
  measured DOUBLE PRECISION NOT NULL
)`,
  `CREATE TABLE IF NOT EXISTS effect_pleo_fleet_active (
  runner TEXT NOT NULL PRIMARY KEY,
  count INTEGER NOT NULL,
  seen_at DOUBLE PRECISION NOT NULL
)`,
  `INSERT INTO effect_pleo_fleet_limit VALUES (1, 1e9, 0, 0, 0, 0, 0) ON CONFLICT (id) DO NOTHING`
]

export interface Store {
  /** Stores desired state. `changes` has each tenant once. */
  readonly set: (changes: ReadonlyArray<Desired>, now: number) => Effect.Effect<void, FleetError>
  /** The rows of a partition to send now, those due first in front. */
  readonly load: (
    partition: number,
    now: number,
    limit: number
  ) => Effect.Effect<ReadonlyArray<Pending>, FleetError>
  /** Records outcomes of rows whose desired state has not changed since they were loaded. */
  readonly mark: (outcomes: ReadonlyArray<Outcome>, now: number) => Effect.Effect<void, FleetError>
  readonly counts: Effect.Effect<ReadonlyArray<Count>, FleetError>
  readonly failures: (after: string, limit: number) => Effect.Effect<ReadonlyArray<FailedRow>, FleetError>
  /** Deletes rows that were applied before `before`, and notes of runners that are gone. */
  readonly purge: (before: number) => Effect.Effect<void, FleetError>
  /** Reserves places of the fleet's rate, which grows again unless it was lowered lately. */
  readonly reserve: (count: number, most: number) => Effect.Effect<Reservation, FleetError>
  /** Lets nobody send for `millis`, and lowers the rate below that of the last second. */
  readonly slowDown: (millis: number) => Effect.Effect<void, FleetError>
  /** Updates that were sent in the last whole second. */
  readonly rate: Effect.Effect<number, FleetError>
  /** Notes how many updates a runner has in flight. */
  readonly noteActive: (runner: string, count: number) => Effect.Effect<void, FleetError>
  /** Updates in flight by the last note of each runner, if that is not older than 3 seconds. */
  readonly active: Effect.Effect<number, FleetError>
}

export const make: Effect.Effect<Store, FleetError, SqlClient.SqlClient> = Effect.gen(function* () {
  const sql = (yield* SqlClient.SqlClient).withoutTransforms()
  const unsupported = () => Effect.dieMessage("A fleet supports SQLite and PostgreSQL")
  const dialect = yield* sql.onDialectOrElse({
    sqlite: () => Effect.succeed("sqlite" as const),
    pg: () => Effect.succeed("pg" as const),
    orElse: unsupported
  })
  const isSqlite = dialect === "sqlite"

  // In that mode, a loss of power may undo the last outcomes, whose updates are sent again. Changes are synchronized.
  // Its log has 16 MB instead of 4, since a page is written back less often, then.
  if (isSqlite)
    for (const pragma of [
      "busy_timeout = 5000",
      "journal_mode = WAL",
      "synchronous = NORMAL",
      "wal_autocheckpoint = 4000"
    ])
      yield* run(sql.unsafe(`PRAGMA ${pragma}`))
  const durably = <A>(statement: Effect.Effect<A, SqlError>) =>
    isSqlite
      ? sql
          .unsafe("PRAGMA synchronous = FULL")
          .pipe(
            Effect.zipRight(statement),
            Effect.ensuring(Effect.ignore(sql.unsafe("PRAGMA synchronous = NORMAL")))
          )
      : statement
  // Another process may create them at the same time, which PostgreSQL reports as a unique violation.
  yield* Effect.forEach(tablesOf(isSqlite), (table) => sql.unsafe(table), { discard: true }).pipe(
    Effect.retry({ times: 3, schedule: Schedule.spaced("50 millis") }),
    run
  )

  /** A JSON array of arrays as rows. Through text, since PostgreSQL's client would encode a parameter of type JSON once more. */
  const rowsOf = (columns: Readonly<Record<string, "TEXT" | "INTEGER" | "DOUBLE PRECISION">>) => {
    const select = sql.literal(
      Object.entries(columns)
        .map(([name, type], index) => `CAST(value->>${index} AS ${type}) AS ${name}`)
        .join(", ")
    )
    return (rows: ReadonlyArray<ReadonlyArray<unknown>>): Statement.Fragment => {
      const json = JSON.stringify(rows)
      const source = isSqlite ? sql`json_each(${json})` : sql`jsonb_array_elements(${json}::text::jsonb)`
      return sql`(SELECT ${select} FROM ${source}) AS r`
    }
  }
  const desiredRows = rowsOf({ tenant: "TEXT", partition_id: "INTEGER", request: "TEXT" })
  const outcomeRows = rowsOf({
    partition_id: "INTEGER",
    tenant: "TEXT",
    generation: "INTEGER",
    state: "INTEGER",
    due: "DOUBLE PRECISION",
    attempts: "INTEGER",
    reason: "TEXT",
    facts: "TEXT"
  })

  // One value, since libsql takes longer to make an object of each row than to find it.
  const aggregate = sql.literal(
    isSqlite
      ? "json_group_array(json_object('tenant', tenant, 'request', request, 'generation', generation, 'attempts', attempts))"
      : "json_agg(page)"
  )

  // The database's clock, since the runners' may differ.
  const now = sql.literal(
    isSqlite
      ? "(unixepoch('subsec') * 1000)"
      : "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS DOUBLE PRECISION)"
  )
  const greatest = sql.literal(isSqlite ? "max" : "greatest")
  const least = sql.literal(isSqlite ? "min" : "least")

  const isLatest = sql.literal(
    "u.partition_id = r.partition_id AND u.tenant = r.tenant AND u.generation = r.generation AND u.state = 0"
  )
  // By themselves, since nearly all outcomes are these, and SQLite parses a row anew for each of its columns.
  const appliedRows = rowsOf({ partition_id: "INTEGER", tenant: "TEXT", generation: "INTEGER" })
  const markApplied = (outcomes: ReadonlyArray<Outcome>, at: number) =>
    run(
      sql`UPDATE effect_pleo_fleet_updates AS u SET state = 1, reason = '', facts = '',
        changed_at = ${sql.literal(String(at))}
        FROM ${appliedRows(
          outcomes.map(({ generation, partition, tenant }) => [partition, tenant, generation])
        )} WHERE ${isLatest}`
    )
  const markOthers = (outcomes: ReadonlyArray<Outcome>, at: number) =>
    run(
      sql`UPDATE effect_pleo_fleet_updates AS u SET state = r.state, due = r.due, attempts = r.attempts,
          reason = r.reason, facts = r.facts, changed_at = ${sql.literal(String(at))}
          FROM ${outcomeRows(
            outcomes.map(({ attempts, due, facts, generation, partition, state, tenant }) => [
              partition,
              tenant,
              generation,
              state,
              due,
              attempts,
              facts?.reason ?? "",
              facts === undefined ? "" : JSON.stringify(facts)
            ])
          )} WHERE ${isLatest}`
    )

  return {
    set: (changes, at) =>
      run(
        // Sorted, so that statements that set the same tenants lock them in one order.
        durably(sql`INSERT INTO effect_pleo_fleet_updates AS u
          (tenant, partition_id, request, generation, state, due, attempts, superseded, reason, facts, changed_at)
          SELECT r.tenant, r.partition_id, r.request, 1, 0, 0, 0, 0, '', '', ${sql.literal(String(at))}
          FROM ${desiredRows(
            changes.map(({ tenant, request }) => [tenant, partitionOf(tenant), request])
          )} WHERE true ORDER BY r.partition_id, r.tenant
          ON CONFLICT (partition_id, tenant) DO UPDATE SET request = excluded.request, generation = u.generation + 1,
          superseded = u.superseded + CASE WHEN u.state = 0 THEN 1 ELSE 0 END, state = 0, due = 0, attempts = 0,
          reason = '', facts = '', changed_at = excluded.changed_at`)
      ),
    load: (partition, at, limit) =>
      Effect.map(
        run(
          sql<{ readonly rows: string }>`SELECT CAST(${aggregate} AS TEXT) AS rows
            FROM (SELECT tenant, request, generation, attempts FROM effect_pleo_fleet_updates
            WHERE state = 0 AND partition_id = ${partition} AND due <= ${at} ORDER BY due LIMIT ${limit}) AS page`
        ),
        ([page]) => JSON.parse(page?.rows ?? "[]") as ReadonlyArray<Pending>
      ),
    mark: (outcomes, at) => {
      const applied = outcomes.filter(({ state }) => state === State.applied)
      const others = outcomes.filter(({ state }) => state !== State.applied)
      return Effect.zipRight(
        applied.length === 0 ? Effect.void : markApplied(applied, at),
        others.length === 0 ? Effect.void : markOthers(others, at)
      )
    },
    // Not by one GROUP BY, since SQLite would sort the table.
    counts: run(
      sql<Count>`WITH totals AS MATERIALIZED (SELECT CAST(COUNT(*) FILTER (WHERE state = 0 AND reason = '') AS INTEGER) AS pending,
          CAST(COUNT(*) FILTER (WHERE state = 1) AS INTEGER) AS applied,
          CAST(COALESCE(SUM(superseded), 0) AS INTEGER) AS superseded FROM effect_pleo_fleet_updates)
        SELECT 0 AS state, '' AS reason, pending AS count, superseded FROM totals
        UNION ALL SELECT 1, '', applied, 0 FROM totals
        UNION ALL SELECT state, reason, CAST(COUNT(*) AS INTEGER), 0 FROM effect_pleo_fleet_updates
          WHERE reason <> '' GROUP BY state, reason`
    ),
    failures: (after, limit) =>
      run(
        sql<FailedRow>`SELECT tenant, state, attempts, reason, facts, changed_at AS at
          FROM effect_pleo_fleet_updates
          WHERE reason <> '' AND tenant > ${after} ORDER BY tenant LIMIT ${limit}`
      ),
    purge: (before) =>
      Effect.zipRight(
        run(sql`DELETE FROM effect_pleo_fleet_updates WHERE state = 1 AND changed_at < ${before}`),
        run(sql`DELETE FROM effect_pleo_fleet_active WHERE ${now} - seen_at > 60000`)
      ),
    reserve: (count, most) =>
      Effect.map(
        run(
          sql<Reservation>`UPDATE effect_pleo_fleet_limit SET
            next_at = ${greatest}(next_at, ${now} - ${slack}) + ${count} * 1000.0 / rate,
            rate = CASE WHEN ${now} - changed_at > 5000 THEN ${least}(rate * 1.1, ${most})
              ELSE ${least}(rate, ${most}) END,
            changed_at = CASE WHEN ${now} - changed_at > 5000 THEN ${now} ELSE changed_at END,
            measured = CASE WHEN ${now} - window_at >= 1000
              THEN window_count * 1000.0 / (${now} - window_at) ELSE measured END,
            window_count = ${count} + CASE WHEN ${now} - window_at >= 1000 THEN 0 ELSE window_count END,
            window_at = CASE WHEN ${now} - window_at >= 1000 THEN ${now} ELSE window_at END
            WHERE id = 1 RETURNING next_at - ${count} * 1000.0 / rate - ${now} AS wait, rate`
        ),
        ([row]) => row ?? { wait: 0, rate: most }
      ),
    slowDown: (millis) =>
      run(
        sql`UPDATE effect_pleo_fleet_limit SET next_at = ${greatest}(next_at, ${now} + ${millis}),
          rate = CASE WHEN ${now} - changed_at > 2000
            THEN ${greatest}(1, ${least}(rate, ${greatest}(measured,
              window_count * 1000.0 / ${greatest}(${now} - window_at, 200))) * 0.9) ELSE rate END,
          changed_at = CASE WHEN ${now} - changed_at > 2000 THEN ${now} ELSE changed_at END WHERE id = 1`
      ),
    rate: Effect.map(
      run(
        sql<{ readonly measured: number }>`SELECT measured FROM effect_pleo_fleet_limit
          WHERE id = 1 AND ${now} - window_at < 3000`
      ),
      ([row]) => row?.measured ?? 0
    ),
    noteActive: (runner, count) =>
      run(
        sql`INSERT INTO effect_pleo_fleet_active VALUES (${runner}, ${count}, ${now})
          ON CONFLICT (runner) DO UPDATE SET count = excluded.count, seen_at = excluded.seen_at`
      ),
    active: Effect.map(
      run(
        sql<{ readonly count: number }>`SELECT CAST(COALESCE(SUM(count), 0) AS INTEGER) AS count
          FROM effect_pleo_fleet_active WHERE ${now} - seen_at < 3000`
      ),
      ([row]) => row?.count ?? 0
    )
  } satisfies Store
})
