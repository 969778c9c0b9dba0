// Throughput of 1, 2 and 3 runners at 200 ms of latency, and a rate limit that three of them share.
import { Fleet } from "@effect-pleo/fleet"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as Postgres from "../../packages/sql/test/support/postgres.ts"
import { changesOf } from "./changes.ts"
import { atLeast, atMost, type Figure, show } from "./figures.ts"
import { startApi, startRunner } from "./processes.ts"

/** Runs one flip by `count` runners, after one that brings all of them to their share. */
const flip = (count: number, rows: number, latency: number, rateLimit?: number) =>
  Effect.gen(function* () {
    const api = yield* startApi
    const postgres = yield* Postgres.make
    const database = yield* postgres.create
    yield* Effect.gen(function* () {
      yield* Fleet.set([])
      for (let index = 0; index < count; index++) (yield* startRunner(api)).run(database, rateLimit)
      // Until each has its share: a runner takes over from others within a few seconds.
      yield* Effect.sleep("8 seconds")
      yield* api.reset({ latency })
      yield* Fleet.set(changesOf(rows, 1))
      yield* Stream.runDrain(Fleet.progress)
    }).pipe(Effect.provide(Layer.provide(Fleet.layer, Postgres.client(database))))
    return yield* api.report(1)
  }).pipe(Effect.scoped)

const mean = (values: ReadonlyArray<number>) => values.reduce((sum, value) => sum + value, 0) / values.length

/** Updates a second in whole seconds, without those at either end. */
const steady = (seconds: ReadonlyArray<number>) => seconds.slice(1, -2)

const scaling = Effect.gen(function* () {
  const rates = []
  for (const count of [1, 2, 3]) rates.push(mean(steady((yield* flip(count, 2500 * count, 200)).seconds)))
  const [one = 0, two = 0, three = 0] = rates
  return [
    show("1 runner, updates a second", one),
    atLeast("2 runners", two / one, 1.7),
    atLeast("3 runners", three / one, 2.4)
  ]
})

const limit = Effect.gen(function* () {
  const { seconds } = yield* flip(3, 6000, 50, 300)
  const rate = mean(steady(seconds))
  return [
    atMost("deviation of the mean from 300 a second", (Math.abs(rate - 300) / 300) * 100, 2, " %"),
    atMost("most in a second", Math.max(...seconds), 400)
  ]
})

export const scale: Effect.Effect<ReadonlyArray<Figure>> = Effect.zipWith(
  Effect.orDie(scaling),
  Effect.orDie(limit),
  (scaling, limit) => [...scaling, ...limit]
)
