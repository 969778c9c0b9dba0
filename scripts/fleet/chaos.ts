// Three runners on PostgreSQL, of which one after another is killed or frozen, while all installations are flipped.
import * as SqlClient from "@effect/sql/SqlClient"
import { Fleet } from "@effect-pleo/fleet"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { changesOf } from "./changes.ts"
import { atMost, exactly, show } from "./figures.ts"
import * as Postgres from "./postgres.ts"
import { type Api, type Runner, startApi, startRunner } from "./processes.ts"

const flips = 3

/** Mulberry32. */
const randomOf = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let hash = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  hash = (hash + Math.imul(hash ^ (hash >>> 7), 61 | hash)) ^ hash
  return ((hash ^ (hash >>> 14)) >>> 0) / 4294967296
}

const startRunning = (
  api: Api,
  database: string,
  rateLimit?: number
): Effect.Effect<Runner, never, Scope.Scope> =>
  Effect.tap(startRunner(api), (runner) => Effect.sync(() => runner.run(database, rateLimit)))

/** Seconds for which a shard had no living owner at most, since the latest fault. */
const longestUnattended = (sinceFault: () => number) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) =>
    Effect.gen(function* () {
      let longest = 0
      yield* Effect.forever(
        sql<{
          age: number | null
        }>`SELECT CAST(extract(epoch FROM max(now() - acquired_at)) AS DOUBLE PRECISION)
        AS age FROM effect_pleo_fleet_locks`.pipe(
          Effect.tap(([row]) =>
            Effect.sync(() => {
              longest = Math.max(longest, Math.min(row?.age ?? 0, sinceFault()))
            })
          ),
          Effect.ignore,
          Effect.zipRight(Effect.sleep("250 millis"))
        )
      ).pipe(Effect.forkScoped)
      return Effect.sync(() => longest)
    })
  )

export const chaos = (rows: number, seed: number) =>
  Effect.gen(function* () {
    const random = randomOf(seed)
    const scope = yield* Effect.scope
    const api = yield* startApi
    const postgres = yield* Postgres.make
    yield* api.reset({ latency: 50 })
    const start = Scope.extend(startRunning(api, postgres.url, 300), scope)
    const runners = yield* Effect.all([start, start, start])
    const events: Array<string> = []
    let lastFault = 0
    const hurt = Effect.gen(function* () {
      const index = Math.floor(random() * runners.length)
      const runner = runners[index]
      const kind = random()
      if (runner === undefined) return
      lastFault = performance.now()
      if (kind < 0.7) {
        events.push("SIGKILL")
        runner.kill("SIGKILL")
        runners[index] = yield* start
      } else if (kind < 0.9) {
        events.push("SIGSTOP")
        runner.kill("SIGSTOP")
        yield* Effect.forkIn(
          Effect.delay(
            Effect.sync(() => runner.kill("SIGCONT")),
            "14 seconds"
          ),
          scope
        )
      } else {
        events.push("restart")
        yield* postgres.restart
      }
    })
    return yield* Effect.gen(function* () {
      const unattended = yield* longestUnattended(() => (performance.now() - lastFault) / 1000)
      const chaos = yield* Effect.forkScoped(
        Effect.forever(Effect.suspend(() => Effect.delay(hurt, 2000 + random() * 3000)))
      )
      for (let flip = 1; flip <= flips; flip++) {
        yield* Effect.retry(
          Fleet.set(changesOf(rows, flip)),
          Schedule.intersect(Schedule.spaced("500 millis"), Schedule.recurs(40))
        )
        if (flip < flips) yield* Effect.sleep(8000 + random() * 8000)
      }
      yield* Effect.sleep(12_000)
      yield* chaos.interruptAsFork(chaos.id())
      yield* Stream.runDrain(Fleet.progress).pipe(Effect.retry({ times: 10 }), Effect.timeout("3 minutes"))
      const report = yield* api.report(flips)
      return [
        exactly("lost", rows - report.newest, 0),
        exactly("out of order", report.outOfOrder, 0),
        show("duplicates", report.duplicates),
        show("updates", report.updates),
        atMost("takeover", yield* unattended, 15, " s"),
        show("killed", events.filter((event) => event === "SIGKILL").length),
        show("frozen", events.filter((event) => event === "SIGSTOP").length),
        show("restarts of PostgreSQL", events.filter((event) => event === "restart").length)
      ]
    }).pipe(Effect.provide(Layer.provideMerge(Fleet.layer, Postgres.client(postgres.url))))
  }).pipe(Effect.scoped)
