import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type { Authorization } from "../src/Authorization.ts"
import * as OAuth from "../src/OAuth.ts"
import { layerMemory, TokenStore } from "../src/TokenStore.ts"
import { Shelf } from "./support/fakeOAuth.ts"
import { leaks } from "./support/probes.ts"

const tokens: OAuth.Tokens = {
  accessToken: Redacted.make("canary-of-the-access-token"),
  refreshToken: Redacted.make("canary-of-the-refresh-token")
}

const app = { clientId: "my-app" }

const listOf = (of: Parameters<typeof OAuth.tenants>[0]) =>
  Effect.map(Stream.runCollect(OAuth.tenants(of)), Chunk.toReadonlyArray)

describe("tenants", () => {
  it.effect("has the state of each, and no token", () =>
    Effect.gen(function* () {
      const store = yield* TokenStore
      for (const tenant of ["active", "refreshing", "refused", "lost", "deleted"])
        yield* OAuth.storeTokens({ ...app, tenant }, tokens)
      const change = (tenant: string, f: (stored: Authorization) => Authorization) =>
        Effect.gen(function* () {
          const { entries } = yield* store.list("", undefined)
          const { authorization, key } = entries.find(({ key }) => key.endsWith(`/${tenant}`)) ?? {}
          if (key === undefined || authorization === undefined) return yield* Effect.dieMessage(tenant)
          yield* store.save(key, 1, f(authorization))
        })
      yield* change("refreshing", (stored) =>
        stored._tag === "Active"
          ? { ...stored, _tag: "Refreshing", lease: "1", duration: Duration.seconds(20) }
          : stored
      )
      for (const reason of ["Refused", "Lost", "Deleted"] as const)
        yield* change(reason.toLowerCase(), () => ({ _tag: "Ended", reason, lease: "1" }))
      const found = yield* listOf(app)
      expect(found).toEqual([
        { tenant: "active", _tag: "Active" },
        { tenant: "refreshing", _tag: "Refreshing" },
        { tenant: "refused", _tag: "Ended", reason: "Refused" },
        { tenant: "lost", _tag: "Ended", reason: "Lost" },
        { tenant: "deleted", _tag: "Ended", reason: "Deleted" }
      ])
      expect(leaks(found, "canary")).toEqual([])
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("goes through all pages, and names a tenant whose value is damaged", () =>
    Effect.gen(function* () {
      const prefix = "https%3A%2F%2Fauth.pleo.io%2Foauth%2Ftoken/my-app/"
      const asked: Array<string | undefined> = []
      // Keys that no tenant has: a foreign program's.
      const foreign = ["%", "a/b", "%41"].map((rest) => ({
        key: `${prefix}${rest}`,
        authorization: undefined
      }))
      const store = TokenStore.of({
        ...new Shelf().store,
        list: (asking, cursor) =>
          Effect.sync(() => {
            expect(asking).toBe(prefix)
            asked.push(cursor)
            const page = Number(cursor ?? 0)
            return {
              // An empty page in the middle, as a scan may have.
              entries:
                page === 1
                  ? []
                  : [{ key: `${prefix}customer%20${page}`, authorization: undefined }, ...foreign],
              cursor: page === 2 ? undefined : String(page + 1)
            }
          })
      })
      const found = yield* Effect.provideService(listOf(app), TokenStore, store)
      expect(found).toEqual([
        { tenant: "customer 0", _tag: "Invalid" },
        { tenant: "customer 2", _tag: "Invalid" }
      ])
      expect(asked).toEqual([undefined, "1", "2"])
    })
  )

  it.effect("fails as an update does when the store fails, or the app is invalid", () =>
    Effect.gen(function* () {
      const shelf = new Shelf()
      shelf.isDown = true
      const failed = Effect.provideService(Effect.flip(listOf(app)), TokenStore, shelf.store)
      expect(yield* failed).toMatchObject({ _tag: "Infrastructure", reason: "TokenStore", code: "ENOSPC" })
      const invalid = Effect.provideService(Effect.flip(listOf({ clientId: "" })), TokenStore, shelf.store)
      expect(yield* invalid).toMatchObject({ _tag: "BadRequest", issues: [{ path: ["clientId"] }] })
    })
  )

  const name = FastCheck.oneof(
    FastCheck.string({ minLength: 1, unit: "grapheme" }),
    FastCheck.stringMatching(/^[a-c/%_.]{1,4}$/)
  ).filter((text) => text.trim() !== "" && !/[\r\n]$/.test(text))

  it.effect.prop(
    "has exactly the customers of the app, whatever their names are",
    [
      FastCheck.dictionary(name, FastCheck.uniqueArray(name, { maxLength: 4 }), {
        maxKeys: 4,
        noNullPrototype: true
      })
    ],
    ([apps]) =>
      Effect.gen(function* () {
        for (const [clientId, tenants] of Object.entries(apps))
          for (const tenant of tenants) yield* OAuth.storeTokens({ clientId, tenant }, tokens)
        for (const [clientId, tenants] of Object.entries(apps))
          expect((yield* listOf({ clientId })).map(({ tenant }) => tenant).toSorted()).toEqual(
            tenants.toSorted()
          )
      }).pipe(Effect.provide(layerMemory))
  )
})
