import { join } from "node:path"
import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqlClient from "@effect/sql/SqlClient"
import * as Statement from "@effect/sql/Statement"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import { describe, expect, it, layer } from "@effect/vitest"
import type { Authorization } from "@effect-pleo/core/Authorization"
import { TokenStore, TokenStoreError } from "@effect-pleo/core/TokenStore"
import * as TokenStoreConformance from "@effect-pleo/testing/TokenStoreConformance"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import { probesThatFind } from "../../node/test/support/secrets.ts"
import { databaseDirectory } from "../../node/test/support/temporaryDirectory.ts"
import * as SqlTokenStore from "../src/SqlTokenStore.ts"
import { canaries, secret } from "./support/authorization.ts"
import { compete } from "./support/competition.ts"

const ended = (lease: string): Authorization => ({ _tag: "Ended", reason: "Refused", lease })

const file = Effect.map(databaseDirectory, (directory) => `file:${join(directory, "tokens.db")}`)

const connect = (url: string) =>
  Effect.map(Layer.build(LibsqlClient.layer({ url })), Context.get(SqlClient.SqlClient))

const storeOf = (sql: SqlClient.SqlClient) =>
  SqlTokenStore.make.pipe(Effect.provideService(SqlClient.SqlClient, sql))

const store = Effect.gen(function* () {
  const url = yield* file
  const sql = yield* connect(url)
  return { url, sql, store: yield* storeOf(sql) }
})

describe("SQLite", () => {
  it.scopedLive(
    "loses nothing between processes",
    () =>
      Effect.gen(function* () {
        const { store: service, url } = yield* store
        yield* compete(url).pipe(Effect.provideService(TokenStore, service))
      }),
    60_000
  )

  it.scopedLive("keeps its table and what is in it", () =>
    Effect.gen(function* () {
      const url = yield* file
      for (const generation of [1, 2]) {
        const service = yield* Effect.flatMap(connect(url), storeOf)
        expect(yield* service.save("key", generation - 1, ended(`${generation}`))).toBe(true)
      }
    })
  )

  it.scopedLive("keeps a token of another file's transaction that is rolled back", () =>
    Effect.gen(function* () {
      const { store: service } = yield* store
      const business = yield* Effect.flatMap(file, connect)
      const exit = yield* Effect.gen(function* () {
        expect(yield* service.save("key", 0, ended("1"))).toBe(true)
        return yield* Effect.fail("rolled back")
      }).pipe(business.withTransaction, Effect.exit)
      expect(exit).toEqual(Exit.fail("rolled back"))
      expect(yield* service.load("key")).toMatchObject({ value: { generation: 1 } })
    })
  )

  it.scopedLive(
    "fails when another client's transaction does not end, and then commits again or says it does not",
    () =>
      Effect.gen(function* () {
        const { store: service, url } = yield* store
        const other = yield* connect(url)
        const third = yield* Effect.flatMap(connect(url), storeOf)
        const error = yield* Effect.flip(service.save("key", 0, ended("1"))).pipe(other.withTransaction)
        expect(error).toEqual(new TokenStoreError({ operation: "save", code: "SQLITE_BUSY" }))

        const saved = yield* Effect.either(service.save("key", 0, ended("2")))
        if (Either.isLeft(saved)) expect(saved.left).toEqual(error)
        expect(yield* third.load("key")).toEqual(
          Either.isRight(saved) ? Option.some({ generation: 1, authorization: ended("2") }) : Option.none()
        )
      })
  )

  describe.each([
    ["can be interrupted", Effect.interruptible],
    ["cannot be interrupted", Effect.uninterruptible]
  ] as const)("within a transaction of its own client, in a caller that %s", (_, region) => {
    it.scoped("gives up after 10 seconds, and does not store it later", () =>
      Effect.gen(function* () {
        const { sql, store: service } = yield* store
        const error = yield* Effect.gen(function* () {
          const saving = yield* Effect.fork(region(Effect.flip(service.save("key", 0, ended("1")))))
          yield* TestClock.adjust("9 seconds")
          expect(yield* Fiber.poll(saving)).toEqual(Option.none())
          yield* TestClock.adjust("1 seconds")
          return yield* Fiber.join(saving)
        }).pipe(sql.withTransaction)
        expect(error).toEqual(new TokenStoreError({ operation: "save", code: "TIMEOUT" }))
        expect(yield* service.load("key")).toEqual(Option.none())
      })
    )
  })

  it.scopedLive("is interrupted with its caller, and not with one that cannot be", () =>
    Effect.gen(function* () {
      const { sql, store: service } = yield* store
      const saves = yield* Effect.gen(function* () {
        const begun = [yield* Deferred.make<void>(), yield* Deferred.make<void>()] as const
        const saves = [
          yield* Effect.fork(
            Effect.zipRight(Deferred.succeed(begun[0], undefined), service.save("a", 0, ended("1")))
          ),
          yield* Effect.forkDaemon(
            Effect.uninterruptible(
              Effect.zipRight(Deferred.succeed(begun[1], undefined), service.save("b", 0, ended("1")))
            )
          )
        ] as const
        for (const one of begun) yield* Deferred.await(one)
        for (let turn = 0; turn < 10; turn++) yield* Effect.yieldNow()
        for (const save of saves) yield* Fiber.interruptFork(save)
        expect(Exit.isInterrupted(yield* Fiber.await(saves[0]))).toBe(true)
        return saves
      }).pipe(sql.withTransaction)
      yield* Fiber.await(saves[1])
      expect(yield* service.load("a")).toEqual(Option.none())
      expect(yield* service.load("b")).toMatchObject({ value: { generation: 1 } })
    })
  )

  it.scopedLive("says what was wrong with its code alone", () =>
    Effect.gen(function* () {
      const { sql, store: service } = yield* store
      yield* sql.unsafe(
        "CREATE TRIGGER refuse BEFORE INSERT ON effect_pleo_tokens BEGIN SELECT RAISE(ABORT, 'no'); END"
      )
      const error = yield* Effect.flip(service.save("key", 0, secret))
      expect(error).toMatchObject({ operation: "save", code: expect.stringMatching(/^SQLITE_CONSTRAINT/) })
      expect(probesThatFind(canaries, error)).toEqual([])

      yield* sql`DROP TABLE effect_pleo_tokens`
      expect(yield* Effect.flip(service.load("key"))).toEqual(
        new TokenStoreError({ operation: "load", code: "SQLITE_ERROR" })
      )
    })
  )
})

it.effect.each([
  ["mysql", "MySQL"],
  ["mssql", "Microsoft SQL Server"],
  ["clickhouse", "ClickHouse"]
] as const)("a client for %s is a defect", ([dialect, name]) =>
  Effect.gen(function* () {
    const compiler = Statement.makeCompiler({
      dialect,
      placeholder: () => "?",
      onIdentifier: (name) => name,
      onRecordUpdate: () => ["", []],
      onCustom: () => ["", []]
    })
    const sql = yield* SqlClient.make({ acquirer: Effect.never, compiler, spanAttributes: [] })
    expect(yield* Effect.exit(storeOf(sql))).toMatchObject({
      cause: { _tag: "Die", defect: { message: `SqlTokenStore supports SQLite and PostgreSQL, not ${name}` } }
    })
  }).pipe(Effect.provide(Reactivity.layer))
)

// Last, since `layer` changes what `it` is for all that follows.
describe.each([
  ["as it comes", {}],
  [
    "with a client that changes names",
    {
      transformQueryNames: (name: string) => `not_${name}`,
      transformResultNames: (name: string) => name.toUpperCase()
    }
  ]
])("SQLite %s", (_, options) => {
  const client = Layer.unwrapScoped(Effect.map(file, (url) => LibsqlClient.layer({ url, ...options })))
  layer(Layer.provide(Layer.orDie(SqlTokenStore.layer), client), {
    excludeTestServices: true
  })((it) => {
    for (const { check, title } of TokenStoreConformance.laws) it.effect(title, () => check)
  })
})
