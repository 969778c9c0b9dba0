import * as SqlClient from "@effect/sql/SqlClient"
import { describe, expect, layer } from "@effect/vitest"
import type { Authorization } from "@effect-pleo/core/Authorization"
import * as OAuth from "@effect-pleo/core/OAuth"
import { TokenStore, TokenStoreError } from "@effect-pleo/core/TokenStore"
import * as TokenStoreConformance from "@effect-pleo/testing/TokenStoreConformance"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Tracer from "effect/Tracer"
import { run } from "../../cli/test/support/command.ts"
import { probes, probesThatFind } from "../../node/test/support/secrets.ts"
import * as SqlTokenStore from "../src/SqlTokenStore.ts"
import { canaries, secret } from "./support/authorization.ts"
import { compete } from "./support/competition.ts"
import * as Postgres from "./support/postgres.ts"

const ended = (lease: string): Authorization => ({ _tag: "Ended", reason: "Refused", lease })

const codeOf = (error: { readonly cause?: unknown }) => (error.cause as { readonly code?: string }).code

/** A store in a database of its own, with the client it uses. */
const store = Effect.gen(function* () {
  const url = yield* Effect.flatMap(Postgres.Postgres, ({ create }) => create)
  const sql = yield* Postgres.connect(url)
  return { url, sql, store: yield* SqlTokenStore.make.pipe(Effect.provideService(SqlClient.SqlClient, sql)) }
})

const conforming = (prepare: (sql: SqlClient.SqlClient, url: string) => Effect.Effect<unknown, unknown>) =>
  Layer.unwrapScoped(
    Effect.gen(function* () {
      const url = yield* Effect.flatMap(Postgres.Postgres, ({ create }) => create)
      const sql = yield* Postgres.connect(url)
      yield* Effect.orDie(prepare(sql, url))
      return Layer.provide(Layer.orDie(SqlTokenStore.layer), Postgres.client(url))
    })
  )

layer(Postgres.layer, { excludeTestServices: true, timeout: 60_000 })("PostgreSQL", (it) => {
  it.scoped(
    "loses nothing between processes",
    () =>
      Effect.gen(function* () {
        const { store: service, url } = yield* store
        yield* compete(url).pipe(Effect.provideService(TokenStore, service))
      }),
    60_000
  )

  it.scoped("lists the customers of an app on the command line, page by page, and shows no password", () =>
    Effect.gen(function* () {
      const { sql, store: service, url } = yield* store
      const app = { clientId: "one", tokenEndpoint: "https://auth.example/oauth/token" }
      const tokens = { accessToken: Redacted.make(canaries[0]), refreshToken: Redacted.make(canaries[1]) }
      // More than a page.
      const tenants = Array.from({ length: 101 }, (_, index) => `tenant-${String(index).padStart(3, "0")}`)
      for (const tenant of tenants)
        yield* Effect.provideService(OAuth.storeTokens({ ...app, tenant }, tokens), TokenStore, service)
      yield* Effect.provideService(
        OAuth.storeTokens({ ...app, clientId: "other", tenant: "elsewhere" }, tokens),
        TokenStore,
        service
      )
      const list = run(["tenants", "--json"], {
        PLEO_CLIENT_ID: app.clientId,
        PLEO_CLIENT_SECRET: "secret",
        PLEO_SERVER: "https://api.example",
        PLEO_STORE: url,
        PLEO_TOKEN_ENDPOINT: app.tokenEndpoint
      })
      const { code, stderr, stdout } = yield* list
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
      expect(JSON.parse(stdout)).toEqual(tenants.map((tenant) => ({ tenant, state: "Active" })))

      yield* sql`DROP TABLE effect_pleo_tokens`
      yield* sql`CREATE TABLE effect_pleo_tokens (key INTEGER)`
      const failed = yield* list
      expect(failed.code).toBe(1)
      expect(`${failed.stdout}${failed.stderr}`).toContain("token store")
      expect(`${failed.stdout}${failed.stderr}`).not.toContain(new URL(url).password)
    })
  )

  it.scoped("keeps a token of a transaction that is rolled back", () =>
    Effect.gen(function* () {
      const { sql, store: service, url } = yield* store
      const elsewhere = yield* Postgres.connect(url)
      yield* sql`CREATE TABLE business (id INTEGER)`
      yield* service.save("key", 0, ended("1"))
      const exit = yield* Effect.gen(function* () {
        yield* sql`INSERT INTO business VALUES (1)`
        expect(yield* service.save("key", 1, ended("2"))).toBe(true)
        // Without the transaction, which every client of this fiber would take part in.
        expect(
          yield* elsewhere`SELECT generation FROM effect_pleo_tokens`.pipe(
            Effect.mapInputContext((_: Context.Context<never>) => Context.empty())
          )
        ).toEqual([{ generation: 2 }])
        expect(yield* service.load("key")).toMatchObject({ value: { generation: 2 } })
        return yield* Effect.fail("rolled back")
      }).pipe(sql.withTransaction, Effect.exit)
      expect(exit).toEqual(Exit.fail("rolled back"))
      expect(yield* sql`SELECT * FROM business`).toEqual([])
      expect(yield* service.load("key")).toEqual(Option.some({ generation: 2, authorization: ended("2") }))
    })
  )

  it.scoped("keeps the table when its layer was built in a transaction that is rolled back", () =>
    Effect.gen(function* () {
      const url = yield* Effect.flatMap(Postgres.Postgres, ({ create }) => create)
      const sql = yield* Postgres.connect(url)
      const service = yield* SqlTokenStore.make.pipe(
        Effect.provideService(SqlClient.SqlClient, sql),
        Effect.tap(() => sql`CREATE TABLE business (id INTEGER)`),
        Effect.flatMap(Effect.fail),
        sql.withTransaction,
        Effect.flip
      )
      expect(codeOf(yield* Effect.flip(sql`SELECT * FROM business`))).toBe("42P01")
      if (!("load" in service)) return yield* Effect.die(service)
      expect(yield* service.load("key")).toEqual(Option.none())
    })
  )

  describe("the table", () => {
    it.scoped("that another process is creating at the same time is no failure", () =>
      Effect.gen(function* () {
        const url = yield* Effect.flatMap(Postgres.Postgres, ({ create }) => create)
        const other = yield* Postgres.connect(url)
        const another = yield* Postgres.connect(url)
        const observer = yield* Postgres.connect(url)
        const waiting = (count: number) =>
          observer`SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'`.pipe(
            Effect.repeat({ until: (rows) => rows.length === count })
          )

        const [created, commit] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const creating = yield* other
          .unsafe(SqlTokenStore.ddl)
          .pipe(
            Effect.zipRight(Deferred.succeed(created, undefined)),
            Effect.zipRight(Deferred.await(commit)),
            other.withTransaction,
            Effect.fork
          )
        yield* Deferred.await(created)
        const plain = yield* Effect.fork(Effect.flip(another.unsafe(SqlTokenStore.ddl)))
        yield* waiting(1)
        const building = yield* Effect.fork(
          SqlTokenStore.make.pipe(Effect.provideService(SqlClient.SqlClient, another))
        )
        yield* waiting(2)
        yield* Deferred.succeed(commit, undefined)
        yield* Fiber.join(creating)

        expect(codeOf(yield* Fiber.join(plain))).toBe("23505")
        const service = yield* Fiber.join(building)
        expect(yield* service.save("key", 0, ended("1"))).toBe(true)
      })
    )

    it.scoped("is all that a role needs rights to", () =>
      Effect.gen(function* () {
        const { sql, url } = yield* store
        yield* sql.unsafe(`CREATE ROLE reader LOGIN PASSWORD 'password'`)
        yield* sql.unsafe("GRANT SELECT, INSERT, UPDATE ON effect_pleo_tokens TO reader")
        const reader = yield* Postgres.connect(url.replace("postgres:password", "reader:password"))
        expect(codeOf(yield* Effect.flip(reader.unsafe(SqlTokenStore.ddl)))).toBe("42501")

        const service = yield* SqlTokenStore.make.pipe(Effect.provideService(SqlClient.SqlClient, reader))
        expect(yield* service.save("key", 0, ended("1"))).toBe(true)
        expect(yield* service.save("key", 1, ended("2"))).toBe(true)

        yield* sql`DROP TABLE effect_pleo_tokens`
        const failure = yield* SqlTokenStore.make.pipe(
          Effect.provideService(SqlClient.SqlClient, reader),
          Effect.flip
        )
        expect(codeOf(failure)).toBe("42501")
      })
    )
  })

  describe("an error", () => {
    /** A table that refuses every row, and says of the row what it holds. */
    const refusing = Effect.gen(function* () {
      const { sql, store: service } = yield* store
      yield* service.save("stored", 0, ended("1"))
      yield* sql`ALTER TABLE effect_pleo_tokens ADD CHECK (generation < 0) NOT VALID`
      return { sql, store: service }
    })

    const insert = (sql: SqlClient.SqlClient) =>
      sql`INSERT INTO effect_pleo_tokens VALUES ('key', 1, ${canaries.join()})`

    it.scoped.each(probes)("shows no token by %s, where the client's does by some", (probe) =>
      Effect.gen(function* () {
        const { sql, store: service } = yield* refusing
        const raw = yield* Effect.flip(insert(sql))
        expect(probesThatFind(canaries, raw)).toContain("util.inspect")

        for (const [key, expected] of [
          ["key", 0],
          ["stored", 1]
        ] as const) {
          const error = yield* Effect.flip(service.save(key, expected, secret))
          expect(error).toEqual(new TokenStoreError({ operation: "save", code: "23514" }))
          expect(probesThatFind(canaries, error)).not.toContain(probe)
        }
      })
    )

    it.scoped("has the SQLSTATE", () =>
      Effect.gen(function* () {
        const { sql, store: service } = yield* store
        expect(yield* Effect.flip(service.load("\0"))).toMatchObject({ operation: "load", code: "22021" })
        yield* sql`DROP TABLE effect_pleo_tokens`
        expect(yield* Effect.flip(service.load("key"))).toMatchObject({ operation: "load", code: "42P01" })
        expect(yield* Effect.flip(service.save("key", 0, secret))).toMatchObject({
          operation: "save",
          code: "42P01"
        })
      })
    )

    it.scoped("leaves no span, where the client's leaves one that shows the row", () =>
      Effect.gen(function* () {
        const { sql, store: service } = yield* refusing
        const ends: Array<Exit.Exit<unknown, unknown>> = []
        const tracer = Tracer.make({
          context: (run) => run(),
          span: (name, parent, context, links, startTime, kind) => ({
            _tag: "Span",
            name,
            parent,
            context,
            links,
            kind,
            spanId: name,
            traceId: "trace",
            sampled: true,
            status: { _tag: "Started", startTime },
            attributes: new Map(),
            attribute: () => {},
            event: () => {},
            addLinks: () => {},
            end: (_, exit) => void ends.push(exit)
          })
        })
        yield* Effect.flip(service.save("key", 0, secret)).pipe(Effect.withTracer(tracer))
        expect(ends).toEqual([])

        yield* Effect.flip(insert(sql)).pipe(Effect.withTracer(tracer))
        expect(ends).toHaveLength(1)
        expect(probesThatFind(canaries, ends[0])).toContain("util.inspect")
      })
    )
  })

  // Last, since `layer` changes what `it` is for all that follows.
  describe.each([
    ["as it comes", () => Effect.void],
    [
      "serializable",
      (sql: SqlClient.SqlClient, url: string) =>
        sql.unsafe(
          `ALTER DATABASE ${new URL(url).pathname.slice(1)} SET default_transaction_isolation = 'serializable'`
        )
    ]
  ] as const)("%s", (_, prepare) => {
    it.layer(conforming(prepare))((it) => {
      for (const { check, title } of TokenStoreConformance.laws) it.effect(title, () => check)
    })
  })
})
