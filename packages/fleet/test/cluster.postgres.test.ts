import * as SqlClient from "@effect/sql/SqlClient"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import { describe, expect, layer } from "@effect/vitest"
import * as Fault from "@effect-pleo/testing/Fault"
import * as InstallationServiceTest from "@effect-pleo/testing/InstallationServiceTest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Postgres from "../../sql/test/support/postgres.ts"
import * as Fleet from "../src/Fleet.ts"
import { fromFile, migrate } from "../src/internal/migrate.ts"
import { change, connect, file, request, settled, start as single } from "./support/fixtures.ts"

/** A runner of its own, as if in a process of its own. */
const start = (client: Layer.Layer<SqlClient.SqlClient>) =>
  Effect.map(
    Layer.build(Layer.fresh(Fleet.layerCluster()).pipe(Layer.provide(Layer.fresh(client)))),
    Context.get(Fleet.Fleet)
  )

const tenants = Array.from({ length: 200 }, (_, index) => `customer-${index}`)
const changes = (number: number) => tenants.map((tenant) => change(tenant, number))

describe("a fleet of several processes", () => {
  layer(Postgres.layer, { excludeTestServices: true, timeout: 60_000 })((it) => {
    it.scoped(
      "hands over the share of a runner that ends, after its updates in flight",
      () =>
        Effect.gen(function* () {
          const { awaitUpdates, inject, updates } = yield* InstallationServiceTest.InstallationServiceTest
          const client = Postgres.client(yield* Effect.flatMap(Postgres.Postgres, ({ create }) => create))
          const scope = yield* Scope.make()
          const first = yield* Scope.extend(start(client), scope)
          yield* first.set(changes(1))
          expect(yield* settled(first)).toMatchObject({ applied: 200 })

          const second = yield* start(client)
          yield* inject(Fault.delay("1 second", { when: ({ tenant }) => tenant === "customer-7" }))
          yield* second.set([change("customer-7", 2)])
          yield* awaitUpdates(201)
          yield* second.set(changes(3))
          yield* Scope.close(scope, Exit.void)
          expect(yield* settled(second)).toMatchObject({ applied: 200 })

          const all = yield* updates
          for (const tenant of tenants) {
            const own = all.filter((update) => update.tenant === tenant)
            expect(own.map(({ request }) => request)).toEqual(
              tenant === "customer-7" ? [request(1), request(2), request(3)] : [request(1), request(3)]
            )
          }
          const seventh = all.filter(({ tenant }) => tenant === "customer-7")
          expect(seventh[2]?.receivedAt.epochMillis).toBeGreaterThanOrEqual(
            seventh[1]?.endedAt?.epochMillis ?? Number.POSITIVE_INFINITY
          )
        }).pipe(Effect.provide(InstallationServiceTest.layerTest())),
      60_000
    )

    it.scoped(
      "takes over the states of a fleet of one process, and gives them back, once neither is in use",
      () =>
        Effect.gen(function* () {
          const { inject, updates } = yield* InstallationServiceTest.InstallationServiceTest
          yield* inject(Fault.status(400, { when: ({ tenant }) => tenant === "bad" }))
          const [first, last] = [yield* file, yield* file]
          const client = Postgres.client(yield* Effect.flatMap(Postgres.Postgres, ({ create }) => create))
          const rowsOf = (client: Layer.Layer<SqlClient.SqlClient>) =>
            Effect.provide(
              Effect.flatMap(
                SqlClient.SqlClient,
                (sql) => sql`SELECT * FROM effect_pleo_fleet_updates ORDER BY tenant`
              ),
              client
            )
          const libsql = (name: string) => LibsqlClient.layer({ url: `file:${name}` })

          // More than a page.
          const many = Array.from({ length: 1001 }, (_, index) => change(`customer-${index}`, 1))
          const refused = yield* Effect.scoped(
            Effect.gen(function* () {
              const fleet = yield* single(first)
              yield* fleet.set([change("bad", 1), change("good", 1)])
              yield* settled(fleet)
              return yield* Effect.flip(migrate(fromFile(first), client))
            })
          )
          expect(refused).toMatchObject({ reason: "InUse", store: "source" })
          yield* Effect.scoped(
            Effect.flatMap(connect(first), ({ set }) =>
              Effect.zipRight(set([...many, change("good", 2)]), set([change("good", 3)]))
            )
          )
          const before = yield* rowsOf(libsql(first))
          expect(before).toHaveLength(1003)
          expect(before.find(({ tenant }) => tenant === "good")).toMatchObject({ generation: 3, state: 0 })

          // In the last page, and no INTEGER of PostgreSQL.
          const onFirst = (change: (sql: SqlClient.SqlClient) => Effect.Effect<unknown, unknown>) =>
            Effect.provide(Effect.flatMap(SqlClient.SqlClient, change), libsql(first))
          yield* onFirst(
            (sql) => sql`INSERT INTO effect_pleo_fleet_updates
              SELECT 'zeta', 31, '{}', 3000000000, 0, 0, 0, 0, '', '', 0`
          )
          expect(yield* Effect.flip(migrate(fromFile(first), client))).toMatchObject({
            _tag: "FleetError",
            code: "22003"
          })
          expect(yield* rowsOf(client)).toEqual([])
          yield* onFirst((sql) => sql`DELETE FROM effect_pleo_fleet_updates WHERE tenant = 'zeta'`)

          expect(yield* migrate(fromFile(first), client)).toBe(1003)
          expect(yield* rowsOf(client)).toEqual(before)
          const again = yield* Effect.flip(migrate(fromFile(first), client))
          expect(again).toMatchObject({ reason: "NotEmpty", store: "target" })
          yield* Effect.scoped(
            Effect.gen(function* () {
              const fleet = yield* start(client)
              yield* settled(fleet)
              const inUse = yield* Effect.flip(migrate(client, fromFile(last)))
              expect(inUse).toMatchObject({ reason: "InUse", store: "source" })
              const target = yield* Effect.flip(migrate(fromFile(last), client))
              expect(target).toMatchObject({ reason: "InUse", store: "target" })
            })
          )
          expect(yield* migrate(client, fromFile(last))).toBe(1003)
          const fleet = yield* single(last)
          const target = yield* Effect.flip(migrate(client, fromFile(last)))
          expect(target).toMatchObject({ reason: "InUse", store: "target" })
          expect(yield* settled(fleet)).toMatchObject({
            pending: 0,
            applied: 1002,
            superseded: 1,
            failed: { Refused: 1 }
          })
          expect(yield* fleet.failures()).toMatchObject([{ tenant: "bad", status: 400, attempts: 1 }])
          const sent = (yield* updates).filter(({ tenant }) => tenant === "good")
          expect(sent.map(({ request }) => request)).toEqual([request(1), request(3)])
        }).pipe(Effect.provide(InstallationServiceTest.layerTest())),
      60_000
    )
  })
})
