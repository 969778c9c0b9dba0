import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqlClient from "@effect/sql/SqlClient"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import { describe, expect, it } from "@effect/vitest"
import * as OAuth from "@effect-pleo/core/OAuth"
import * as InstallationServiceTest from "@effect-pleo/testing/InstallationServiceTest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { Crew } from "../src/internal/crew.ts"
import * as Runner from "../src/internal/runner.ts"
import * as Store from "../src/internal/store.ts"
import { file, request } from "./support/fixtures.ts"

const options = { credentials: OAuth.tenant, concurrency: 1, rateLimit: undefined, timeout: 5000 }
const desired = { tenant: "acme", request: JSON.stringify(request(1)) }

describe("a runner", () => {
  it.scopedLive("sends nothing of a partition that another process may have taken over", () =>
    Effect.gen(function* () {
      const { awaitUpdates, updates } = yield* InstallationServiceTest.InstallationServiceTest
      let asked = 0
      let left = 999
      const fence = {
        left: () => {
          asked += 1
          return left
        }
      }
      const sql = yield* Layer.build(LibsqlClient.layer({ url: `file:${yield* file}` }))
      yield* Effect.gen(function* () {
        const store = yield* Store.make
        const runner = yield* Runner.make(store, options, fence)
        yield* store.set([desired], 0)
        yield* Effect.forkScoped(runner.drain(Store.partitionOf("acme")))
        yield* Effect.iterate(0, {
          while: () => asked < 3,
          body: () => Effect.as(Effect.sleep("10 millis"), 0)
        })
        expect(yield* updates).toEqual([])
        left = 5000
        expect(yield* awaitUpdates(1)).toMatchObject([{ tenant: "acme" }])
      }).pipe(Effect.provide(sql), Effect.scoped)
    }).pipe(Effect.provide(InstallationServiceTest.layerTest()))
  )

  it.scopedLive("has its updates in flight counted beside those of others, until it is lost", () =>
    Effect.gen(function* () {
      const sql = yield* LibsqlClient.make({ url: `file:${yield* file}` })
      const store = yield* Effect.provideService(Store.make, SqlClient.SqlClient, sql)
      yield* store.noteActive("first", 1)
      yield* store.noteActive("first", 2)
      yield* store.noteActive("second", 3)
      expect(yield* store.active).toBe(5)
      const age = (millis: number) =>
        sql`UPDATE effect_pleo_fleet_active SET seen_at = seen_at - ${millis} WHERE runner = 'first'`
      yield* age(3000)
      expect(yield* store.active).toBe(3)
      yield* age(60_000)
      yield* store.purge(0)
      expect(yield* sql`SELECT runner FROM effect_pleo_fleet_active`).toEqual([{ runner: "second" }])
    }).pipe(Effect.provide(Reactivity.layer))
  )

  it.scoped(
    "gives a fiber that is free to the job that has waited longest, and takes it back from one interrupted",
    () =>
      Effect.gen(function* () {
        const crew = yield* Crew.make<never>(1)
        yield* Effect.yieldNow()
        const worker = yield* crew.take
        const order: Array<number> = []
        const wait = (name: number) =>
          Effect.fork(Effect.map(crew.take, (worker) => worker(Effect.sync(() => order.push(name)))))
        const first = yield* wait(1)
        yield* Effect.yieldNow()
        const second = yield* wait(2)
        const third = yield* wait(3)
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(second)
        worker(Effect.void)
        yield* Fiber.join(first)
        yield* Fiber.join(third)
        yield* crew.take
        expect(order).toEqual([1, 3])
      })
  )
})
