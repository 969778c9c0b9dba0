import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqlClient from "@effect/sql/SqlClient"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import { describe, expect, it } from "@effect/vitest"
import * as OAuth from "@effect-pleo/core/OAuth"
import * as Fault from "@effect-pleo/testing/Fault"
import * as InstallationServiceTest from "@effect-pleo/testing/InstallationServiceTest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import * as Embedded from "../src/internal/embedded.ts"
import * as Limiter from "../src/internal/limiter.ts"
import { Queue } from "../src/internal/queue.ts"
import * as Runner from "../src/internal/runner.ts"
import * as Store from "../src/internal/store.ts"
import { file, request, until } from "./support/fixtures.ts"

const options = { credentials: OAuth.tenant, concurrency: 1, rateLimit: undefined, timeout: 5000 }
const desired = { tenant: "acme", request: JSON.stringify(request(1)) }

/** A store in a new file. */
const makeStore = Effect.gen(function* () {
  const sql = yield* Layer.build(LibsqlClient.layer({ url: `file:${yield* file}` }))
  return yield* Effect.provide(Store.make, sql)
})

describe("a runner", () => {
  it.live("sends nothing of a partition that another process may have taken over", () =>
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
      const store = yield* makeStore
      const runner = yield* Runner.make(store, options, fence)
      yield* store.set([desired], 0)
      yield* Effect.forkScoped(runner.drain(Store.partitionOf("acme")))
      yield* until(() => asked >= 3)
      expect(yield* updates).toEqual([])
      left = 5000
      expect(yield* awaitUpdates(1)).toMatchObject([{ tenant: "acme" }])
    }).pipe(Effect.scoped, Effect.provide(InstallationServiceTest.layerTest()))
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

  it.live("gives up a partition only when its update in flight has ended, and sends none of its others", () =>
    Effect.gen(function* () {
      const { awaitUpdates, inject, updates } = yield* InstallationServiceTest.InstallationServiceTest
      yield* inject(Fault.delay("300 millis"))
      const store = yield* makeStore
      const runner = yield* Runner.make(store, options, Embedded.fence)
      const names = Array.from({ length: 100 }, (_, index) => `customer-${index}`)
      const [first = "", second = ""] = names.filter((name) => Store.partitionOf(name) === 7)
      yield* store.set(
        [
          { ...desired, tenant: first },
          { ...desired, tenant: second }
        ],
        0
      )
      const drain = yield* Effect.fork(runner.drain(7))
      yield* awaitUpdates(1)
      yield* Fiber.interrupt(drain)
      expect((yield* updates).map(({ outcome }) => outcome._tag)).toEqual(["Succeeded"])
      expect(yield* store.load(7, 0, 10)).toMatchObject([{ tenant: second }])
    }).pipe(Effect.scoped, Effect.provide(InstallationServiceTest.layerTest()))
  )

  it.live("does not send a row again that a load saw pending before its outcome was stored", () =>
    Effect.gen(function* () {
      const { awaitUpdates, inject, updates } = yield* InstallationServiceTest.InstallationServiceTest
      yield* inject(Fault.delay("50 millis"))
      const store = yield* makeStore
      const marked = yield* Deferred.make<void>()
      let loads = 0
      const late: Store.Store = {
        ...store,
        load: (...page) => {
          loads += 1
          const rows = store.load(...page)
          // Longer than the row takes to land, once its outcome is stored.
          return loads === 2
            ? Effect.tap(rows, () => Effect.zipRight(Deferred.await(marked), Effect.sleep("20 millis")))
            : rows
        },
        mark: (...outcomes) => Effect.zipLeft(store.mark(...outcomes), Deferred.succeed(marked, undefined))
      }
      const runner = yield* Runner.make(late, options, Embedded.fence)
      yield* store.set([desired], 0)
      yield* Effect.forkScoped(runner.drain(Store.partitionOf("acme")))
      yield* awaitUpdates(1)
      yield* runner.wake
      yield* until(() => loads >= 3)
      expect(yield* updates).toHaveLength(1)
    }).pipe(Effect.scoped, Effect.provide(InstallationServiceTest.layerTest()))
  )

  it.scoped("reserves its places of the rate for a tenth of a second, at the pace of the last ones", () =>
    Effect.gen(function* () {
      const store = yield* makeStore
      const reserved: Array<number> = []
      const limiter = yield* Limiter.make(
        {
          ...store,
          reserve: (count, most) => {
            reserved.push(count)
            return store.reserve(count, most)
          }
        },
        undefined
      )
      // A reservation at once after the last one is the largest.
      while (reserved.length < 3) yield* limiter.take() ?? Effect.void
      for (let left = reserved[2] ?? 0; left > 1; left--) expect(limiter.take()).toBeUndefined()
      yield* TestClock.adjust("4 seconds")
      yield* limiter.take() ?? Effect.void
      expect(reserved.slice(2)).toEqual([1000, 25])
    })
  )
})

describe("loaded rows", () => {
  const page = (rows: Array<string>) => {
    const emptied: Array<string> = []
    return { rows, emptied, onEmpty: () => emptied.push("empty") }
  }

  it("are taken from one page after another, so that a long one holds up no other", () => {
    const queue = new Queue<string, ReturnType<typeof page>>()
    const [long, short] = [page(["a3", "a2", "a1"]), page(["b1"])]
    queue.add(long)
    queue.add(short)
    const take = () => queue.take()?.[1]
    expect([take(), take()]).toEqual(["a1", "b1"])
    expect([long.emptied, short.emptied]).toEqual([[], ["empty"]])
    expect([take(), take(), take()]).toEqual(["a2", "a3", undefined])
    expect(long.emptied).toEqual(["empty"])
  })

  it("are taken no more once their page is removed, or the queue stops", () => {
    const queue = new Queue<string, ReturnType<typeof page>>()
    const [first, second] = [page(["a2", "a1"]), page(["b2", "b1"])]
    queue.add(first)
    queue.add(second)
    queue.remove(first)
    expect(queue.take()?.[1]).toBe("b1")
    queue.stop()
    expect(queue.take()).toBeUndefined()
  })

  it.effect("wake as many of the fibers that wait as there are rows", () =>
    Effect.gen(function* () {
      const queue = new Queue<string, ReturnType<typeof page>>()
      const woken: Array<number> = []
      for (const index of [1, 2, 3]) yield* Effect.fork(Effect.map(queue.wait, () => woken.push(index)))
      yield* Effect.yieldNow()
      queue.add(page(["a2", "a1"]))
      yield* Effect.yieldNow()
      expect(woken).toHaveLength(2)
      yield* queue.wait
    })
  )
})
