import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { activated } from "./support/http.ts"
import * as OAuth from "./support/oauth.ts"

const _reauthorise = { _tag: "Unauthorized", reason: "ReauthorizationRequired" }

describe("Credentials.oauth", () => {
  describe("a 401", () => {
    it.scoped("is the last word on a new token, until tokens are stored anew", () =>
      Effect.gen(function* () {
        const { server, shelf, update } = yield* OAuth.setUp(0)
        server.updateFaults.push(OAuth.status(401), OAuth.status(401))
        for (let time = 0; time < 2; time++)
          expect(yield* Effect.flip(update(activated))).toMatchObject({
            reason: "Unauthenticated",
            status: 401
          })
        expect(server.presented).toEqual(["refresh-canary-1"])
        server.revoke()
        yield* OAuth.storeTokens(shelf.store, server.authorize())
        expect(yield* update(activated)).toMatchObject({ status: "ACTIVATED" })
        expect(server.presented).toEqual(["refresh-canary-1"])
        expect(server.updates.slice(2)).toEqual(["access-canary-2 401", "access-canary-3 200"])
      })
    )

    it.scoped("is told as it is when the store cannot be read", () =>
      Effect.gen(function* () {
        const { server, shelf, update } = yield* OAuth.setUp(0)
        server.updateFaults.push(OAuth.status(401), OAuth.status(401))
        yield* Effect.flip(update(activated))
        shelf.isDown = true
        expect(yield* Effect.flip(update(activated))).toMatchObject({
          reason: "Unauthenticated",
          status: 401
        })
      })
    )

    it.scoped.each([403, 400, 404])(
      "renews a token that was known to Pleo when it answered another update with %i",
      (status) =>
        Effect.gen(function* () {
          const { server, update } = yield* OAuth.setUp(0)
          server.updateFaults.push(OAuth.status(status))
          expect(yield* Effect.flip(update(activated))).toMatchObject({ status })
          server.updateFaults.push(OAuth.status(401))
          expect(yield* update(activated)).toMatchObject({ status: "ACTIVATED" })
          expect(server.presented).toEqual(["refresh-canary-1", "refresh-canary-2"])
        })
    )

    it.scoped("does not renew a token that was met by a 503 before", () =>
      Effect.gen(function* () {
        const { server, update } = yield* OAuth.setUp(0)
        server.updateFaults.push(OAuth.status(503), OAuth.status(401))
        yield* Effect.flip(update(activated))
        expect(yield* Effect.flip(update(activated))).toMatchObject({ reason: "Unauthenticated" })
        expect(server.presented).toEqual(["refresh-canary-1"])
      })
    )

    it.scoped("to a token leaves it unused, also while the app is not accepted", () =>
      Effect.gen(function* () {
        const { server, update } = yield* OAuth.setUp()
        server.updateFaults.push(OAuth.status(401))
        server.tokenFaults.push(
          OAuth.oauthError("invalid_client", 401),
          OAuth.oauthError("invalid_client", 401)
        )
        for (let time = 0; time < 2; time++)
          expect((yield* Effect.flip(update(activated))).message).toContain("invalid_client")
        expect(server.updates).toEqual(["access-canary-1 401"])
        expect(yield* update(activated)).toMatchObject({ status: "ACTIVATED" })
        expect(server.updates).toEqual(["access-canary-1 401", "access-canary-2 200"])
      })
    )
  })
  //TABLE
})
