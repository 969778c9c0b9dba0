import type * as SqlClient from "@effect/sql/SqlClient"
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
import { change, request, settled } from "./support/fixtures.ts"

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
  })
})
