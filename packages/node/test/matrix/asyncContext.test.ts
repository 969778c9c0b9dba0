import { AsyncLocalStorage } from "node:async_hooks"
import { subscribe, unsubscribe } from "node:diagnostics_channel"
import { describe, expect, it } from "@effect/vitest"
import * as OAuth from "@effect-pleo/core/OAuth"
import * as RetryPolicy from "@effect-pleo/core/RetryPolicy"
import * as TokenStore from "@effect-pleo/core/TokenStore"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Redacted from "effect/Redacted"
import * as NodeInstallationService from "../../src/NodeInstallationService.ts"
import { answer, answerText, as, bearer, ok, open, openNode, request, type Side } from "../support/faults.ts"
import { clientId, clientSecret } from "../support/oauth.ts"
import * as RawServer from "../support/rawServer.ts"

const storage = new AsyncLocalStorage<string>()

/** Runs an effect as a server does, in the async context of one of its own requests; then reads the context. */
const within = <A, E>(context: string, self: Effect.Effect<A, E>) =>
  Effect.promise(() =>
    storage.run(context, () =>
      Effect.runPromise(
        Effect.map(Effect.exit(self), (exit) => ({
          isSuccess: Exit.isSuccess(exit),
          context: storage.getStore()
        }))
      )
    )
  )

const contexts = ["a", "b", "c"]

const success = (context: string) => ({ isSuccess: true, context })

const together = { concurrency: "unbounded" } as const

const over = (transport: Side["transport"], server: string) => open({ transport, credential: bearer }, server)

describe("75 the async context of a caller", () => {
  for (const transport of ["node", "NodeHttpClient"] as const)
    it.scopedLive(`is kept when a socket of another caller is reused, over ${transport}`, () =>
      Effect.gen(function* () {
        const server = yield* RawServer.make(ok)
        const update = yield* over(transport, server.url)
        const seen = yield* Effect.forEach(contexts, (context) => within(context, update(request)))
        expect(seen).toEqual(contexts.map(success))
        expect(server.sockets.opened).toBe(1)
      })
    )

  for (const transport of ["node", "NodeHttpClient", "fetch", "FetchHttpClient"] as const)
    it.scopedLive(`is kept by an update that waited for its turn, over ${transport}`, () =>
      Effect.gen(function* () {
        const server = yield* RawServer.make(ok)
        const update = yield* over(transport, server.url)
        const seen = yield* Effect.forEach(contexts, (context) => within(context, update(request)), together)
        expect(seen).toEqual(contexts.map(success))
      })
    )

  it.scopedLive("is kept, and has the request in it, when all sockets are in use", () =>
    Effect.gen(function* () {
      const began: Array<string | undefined> = []
      const onRequest = () => began.push(storage.getStore())
      yield* Effect.acquireRelease(
        Effect.sync(() => subscribe("undici:request:create", onRequest)),
        () => Effect.sync(() => unsubscribe("undici:request:create", onRequest))
      )
      const server = yield* RawServer.make(ok)
      const update = yield* openNode(server.url, { connections: 1 })
      const seen = yield* Effect.forEach(
        contexts,
        (context) => within(context, as(context)(update(request))),
        together
      )
      expect(seen).toEqual(contexts.map(success))
      expect(began).toEqual(contexts)
    })
  )

  it.scopedLive("is kept by those that share a refresh", () =>
    Effect.gen(function* () {
      const tokens = { access_token: "access-1", refresh_token: "refresh-1", expires_in: 3600 }
      const server = yield* RawServer.make((request, socket) =>
        (request.requestLine.startsWith("POST") ? answerText(JSON.stringify(tokens)) : ok)(request, socket)
      )
      const grant = { clientId, tenant: "acme", tokenEndpoint: `${server.url}/oauth/token` }
      const shared = yield* OAuth.credentials({ ...grant, clientSecret })
      yield* OAuth.storeTokens(grant, {
        accessToken: Redacted.make("access-0"),
        refreshToken: Redacted.make("refresh-0"),
        expiresIn: 0
      })
      // The updates of one service would take turns.
      const seen = yield* Effect.forEach(
        contexts,
        (context) =>
          Effect.flatMap(
            NodeInstallationService.make({ server: server.url, credentials: Effect.succeed(shared) }),
            ({ update }) => within(context, update(request))
          ),
        together
      )
      expect(seen).toEqual(contexts.map(success))
      expect(server.requests.filter(({ requestLine }) => requestLine.startsWith("POST"))).toHaveLength(1)
    }).pipe(Effect.provide(TokenStore.layerMemory))
  )

  it.scopedLive("is kept by retries, timeouts, log lines and `onDrift`", () =>
    Effect.gen(function* () {
      const noted: Array<string | undefined> = []
      const note = Effect.sync(() => {
        noted.push(storage.getStore())
      })
      const logger = Logger.make(() => noted.push(storage.getStore()))
      const server = yield* RawServer.make(
        RawServer.inTurn(
          ok,
          RawServer.send(RawServer.respond(503)),
          answer({ unheardOf: 1 }),
          RawServer.ignore
        )
      )
      const service = yield* NodeInstallationService.make({
        server: server.url,
        credentials: bearer.credentials,
        onDrift: () => note
      })
      const update = service.update(request)
      expect(yield* within("a", update)).toEqual(success("a"))
      expect(noted).toEqual([])
      const retried = within(
        "b",
        update.pipe(
          RetryPolicy.retry({ baseDelay: 1 }),
          Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
          Logger.withMinimumLogLevel(LogLevel.Debug)
        )
      )
      expect(yield* retried).toEqual(success("b"))
      expect(new Set(noted)).toEqual(new Set(["b"]))
      expect(noted.length).toBeGreaterThan(1)
      const late = update.pipe(RetryPolicy.timeout(50))
      expect(yield* within("c", late)).toEqual({ isSuccess: false, context: "c" })
    })
  )
})
