// Three runners on PostgreSQL, of which one after another is killed or frozen, while all installations are flipped.
import * as SqlClient from "@effect/sql/SqlClient"
import { Fleet } from "@effect-pleo/fleet"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Postgres from "../../packages/sql/test/support/postgres.ts"
import { changesOf } from "./changes.ts"
import { atMost, exactly, show } from "./figures.ts"
import { type Api, type Runner, startApi, startRunner } from "./processes.ts"

const flips = 3

const startRunning = (
  api: Api,
  database: string,
  rateLimit?: number
): Effect.Effect<Runner, never, Scope.Scope> =>
  Effect.tap(startRunner(api), (runner) => Effect.sync(() => runner.run(database, rateLimit)))

interface Lock {
  readonly shard: string
  readonly address: string
  /** Seconds since the epoch, when its owner refreshed it last. */
  readonly at: number
  /** Seconds since then. */
  readonly age: number
}

/**
 * Watches the locks. Gives, in seconds, the longest time for which a shard lacked a living owner after the latest fault, and
 * the longest from one owner's last refresh until another runner had its lock, in which more than one may have died.
 */
const watchTakeovers = (sinceFault: () => number) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const owners = new Map<string, Lock>()
    const longest = { afterFault: 0, inAll: 0 }
    const look = sql<Lock>`SELECT shard_id AS shard, address,
        CAST(extract(epoch FROM acquired_at) AS DOUBLE PRECISION) AS at,
        CAST(extract(epoch FROM now()::timestamp - acquired_at) AS DOUBLE PRECISION) AS age
      FROM effect_pleo_fleet_locks`.pipe(
      Effect.tap((locks) =>
        Effect.sync(() => {
          for (const lock of locks) {
            const { at, address } = owners.get(lock.shard) ?? lock
            longest.afterFault = Math.max(longest.afterFault, Math.min(lock.age, sinceFault()))
            longest.inAll = Math.max(longest.inAll, lock.age, address === lock.address ? 0 : lock.at - at)
            owners.set(lock.shard, lock)
          }
        })
      )
    )
    // It fails while PostgreSQL restarts, and before the first runner has made the table.
    yield* Effect.forkScoped(Effect.repeat(Effect.ignore(look), Schedule.spaced("250 millis")))
    return longest
  })

export const chaos = (rows: number, seed: number) =>
  Effect.gen(function* () {
    const random = Random.make(seed)
    const scope = yield* Effect.scope
    const api = yield* startApi
    const postgres = yield* Postgres.make
    const database = yield* postgres.create
    yield* api.reset({ latency: 50 })
    const start = Scope.extend(startRunning(api, database, 300), scope)
    const runners = yield* Effect.all([start, start, start])
    const events: Array<string> = []
    let lastFault = 0
    const hurt = Effect.gen(function* () {
      const index = yield* random.nextIntBetween(0, runners.length)
      const runner = runners[index]
      const kind = yield* random.next
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
      const takeover = yield* watchTakeovers(() => (performance.now() - lastFault) / 1000)
      const chaos = yield* Effect.forkScoped(
        Effect.forever(Effect.flatMap(random.nextRange(2000, 5000), (pause) => Effect.delay(hurt, pause)))
      )
      for (let flip = 1; flip <= flips; flip++) {
        yield* Effect.retry(
          Fleet.set(changesOf(rows, flip)),
          Schedule.intersect(Schedule.spaced("500 millis"), Schedule.recurs(40))
        )
        if (flip < flips) yield* Effect.flatMap(random.nextRange(8000, 16_000), Effect.sleep)
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
        atMost("takeover after the latest fault", takeover.afterFault, 15, " s"),
        show("longest without an owner, through several faults", takeover.inAll, " s"),
        show("killed", events.filter((event) => event === "SIGKILL").length),
        show("frozen", events.filter((event) => event === "SIGSTOP").length),
        show("restarts of PostgreSQL", events.filter((event) => event === "restart").length)
      ]
    }).pipe(Effect.provide(Layer.provideMerge(Fleet.layer, Postgres.client(database))))
  }).pipe(Effect.scoped)
