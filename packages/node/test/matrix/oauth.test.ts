import { describe, expect, it } from "@effect/vitest"
import { type InstallationError, Unauthorized } from "@effect-pleo/core/InstallationError"
import * as Fault from "@effect-pleo/testing/Fault"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import { certificate, trustAuthority } from "../support/certificates.ts"
import * as ConnectProxy from "../support/connectProxy.ts"
import * as OAuth from "../support/oauth.ts"
import * as RawServer from "../support/rawServer.ts"

const newTokens = JSON.stringify({
  access_token: "new-access-token",
  refresh_token: "new-refresh-token",
  expires_in: 3600
})

const ofToken: Fault.Options = { when: ({ path }) => path === "/oauth/token" }
const request = { status: "ACTIVATED" } as const

const turnOfTheEventLoop = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

const untilFirst = (seen: Effect.Effect<ReadonlyArray<unknown>>) =>
  Effect.repeat(Effect.zipRight(turnOfTheEventLoop, seen), { until: ({ length }) => length > 0 })

const reasonOf = (error: InstallationError) => ("reason" in error ? error.reason : error._tag)

for (const transport of ["node", "fetch"] as const)
  describe(`over ${transport}`, () => {
    const setUp = (options: OAuth.Options = {}) => OAuth.setUp({ transport, ...options })

    describe("a 401", () => {
      it.scopedLive("22 leads to one refresh, and the update is sent again", () =>
        Effect.gen(function* () {
          const { grantId, refreshes, sandbox, update, updates } = yield* setUp()
          yield* sandbox.expire(grantId)
          expect(yield* update(request)).toMatchObject({ status: "ACTIVATED" })
          expect(yield* refreshes).toEqual(["1 rotated"])
          expect(yield* updates).toEqual(["1 401", "2 200"])
        })
      )

      it.scopedLive("22 to a new token too is the last word, and refreshes no more", () =>
        Effect.gen(function* () {
          const { refreshes, sandbox, update, updates } = yield* setUp()
          yield* sandbox.inject(
            Fault.status(401, { times: 4, when: ({ path }) => path === "/v1/installations/me" })
          )
          const errors = yield* Effect.replicateEffect(Effect.flip(update(request)), 3)
          for (const error of errors)
            expect(error).toMatchObject({ _tag: "Unauthorized", reason: "Unauthenticated", status: 401 })
          expect(yield* refreshes).toEqual(["1 rotated"])
          expect(yield* updates).toEqual(["1 401", "2 401", "2 401", "2 401"])
          expect(yield* update(request)).toMatchObject({ status: "ACTIVATED" })
          yield* sandbox.inject(Fault.status(401, { when: ({ path }) => path === "/v1/installations/me" }))
          yield* update(request)
          expect(yield* refreshes).toEqual(["1 rotated", "2 rotated"])
        })
      )
    })

    describe("an expired token", () => {
      it.scopedLive("64 is refreshed once for 1000 fibers", () =>
        Effect.gen(function* () {
          const server = yield* RawServer.make((request, socket) => {
            const isRefresh = request.requestLine.startsWith("POST ")
            socket.write(isRefresh ? RawServer.respond(200, {}, newTokens) : RawServer.updated)
          })
          const store = yield* OAuth.makeMemoryStore
          yield* OAuth.storeTokens(server.url, store, {
            accessToken: Redacted.make("old-access-token"),
            refreshToken: Redacted.make("old-refresh-token"),
            expiresIn: 0
          })
          const update = yield* OAuth.open(transport, server.url, store)
          yield* Effect.replicateEffect(update(request), 1000, { concurrency: "unbounded", discard: true })
          const lines = server.requests.map(({ requestLine }) => requestLine.split(" ")[0])
          expect(lines).toEqual(["POST", ...Array.from({ length: 1000 }, () => "PUT")])
          expect(new Set(server.requests.flatMap(RawServer.authorizationsOf))).toEqual(
            new Set(["Bearer new-access-token"])
          )
        })
      )

      it.scopedLive("66 is refreshed once, though the fiber that asked first is interrupted", () =>
        Effect.gen(function* () {
          const { refreshes, sandbox, update, updates } = yield* setUp({ storedFor: 0 })
          yield* sandbox.inject(Fault.delay("100 millis", ofToken))
          const leader = yield* Effect.fork(update(request))
          const others = yield* Effect.fork(Effect.replicateEffect(update(request), 10, { concurrency: 10 }))
          yield* untilFirst(refreshes)
          yield* Fiber.interrupt(leader)
          yield* Fiber.join(others)
          expect(yield* refreshes).toEqual(["1 rotated"])
          expect(yield* updates).toEqual(Array.from({ length: 10 }, () => "2 200"))
        })
      )
    })

    it.scopedLive(
      "65 a late 401 to a token already replaced leads to no refresh, and the update is sent again",
      () =>
        Effect.gen(function* () {
          const { another, refreshes, sandbox, update, updates } = yield* setUp()
          yield* update(request)
          // Another process replaces the token that this one goes on with.
          const other = yield* another()
          yield* sandbox.inject(Fault.status(401, { when: ({ path }) => path === "/v1/installations/me" }))
          yield* other(request)
          yield* update(request)
          expect(yield* refreshes).toEqual(["1 rotated"])
          expect(yield* updates).toEqual(["1 200", "1 401", "2 200", "1 401", "2 200"])
        })
    )

    describe("a refresh whose response is lost", () => {
      const faults = {
        "is reset": Fault.loseResponse(ofToken),
        "stalls until it is late": Fault.stallResponse(ofToken),
        "is a 502": Fault.status(502, ofToken),
        "is a 504": Fault.status(504, ofToken),
        "is a page": Fault.malformedResponse(ofToken)
      }
      for (const [name, fault] of Object.entries(faults))
        it.scopedLive(
          `67 is not sent again when it ${name}: the customer has to authorize the app again`,
          () =>
            Effect.gen(function* () {
              const { another, authorizeAgain, refreshes, sandbox, updates } = yield* setUp({ storedFor: 0 })
              const update = yield* another({ timeout: "200 millis" })
              yield* sandbox.inject(fault)
              for (let time = 0; time < 3; time++) {
                const error = yield* Effect.flip(update(request))
                expect(error).toBeInstanceOf(Unauthorized)
                expect(reasonOf(error)).toBe("ReauthorizationRequired")
                expect(error.message).toContain("the refresh token was sent, but no response arrived")
              }
              expect(yield* Effect.flip((yield* another())(request))).toBeInstanceOf(Unauthorized)
              expect((yield* refreshes).length).toBe(1)
              expect(yield* updates).toEqual([])
              yield* authorizeAgain
              yield* update(request)
              expect((yield* refreshes).length).toBe(2)
            })
        )

      it.scopedLive("67 is found in the store, when another process has stored new tokens meanwhile", () =>
        Effect.gen(function* () {
          const { another, authorizeAgain, refreshes, sandbox, updates } = yield* setUp()
          const update = yield* another({ timeout: "1 second" })
          yield* sandbox.inject(Fault.status(401, { when: ({ path }) => path === "/v1/installations/me" }))
          yield* sandbox.inject(Fault.stallResponse(ofToken))
          const fiber = yield* Effect.fork(update(request))
          yield* untilFirst(refreshes)
          yield* authorizeAgain
          expect(yield* Fiber.join(fiber)).toMatchObject({ status: "ACTIVATED" })
          expect((yield* refreshes).length).toBe(1)
          expect(yield* updates).toEqual(["1 401", "1 200"])
        })
      )
    })

    it.scopedLive.each([-1, 1])("68 a clock that is %i hours off changes nothing about the expiry", (hours) =>
      Effect.gen(function* () {
        const { refreshes, update } = yield* setUp({ expiresIn: "30 minutes" })
        yield* update(request)
        const live = yield* Effect.clock
        const off: Clock.Clock = {
          ...live,
          [Clock.ClockTypeId]: Clock.ClockTypeId,
          currentTimeMillis: Effect.map(live.currentTimeMillis, (now) => now + hours * 3_600_000),
          unsafeCurrentTimeMillis: () => live.unsafeCurrentTimeMillis() + hours * 3_600_000,
          unsafeCurrentTimeNanos: () => live.unsafeCurrentTimeNanos(),
          sleep: (duration) => live.sleep(duration)
        }
        yield* Effect.withClock(update(request), off)
        expect(yield* refreshes).toEqual([])
      })
    )
  })

describe("a token endpoint without a connection", () => {
  const proxyCredentials = "user:canary-of-the-proxy"

  const refusals: Readonly<Record<string, readonly [handler: ConnectProxy.Handler, facts: object]>> = {
    "a proxy that closes": [(socket) => socket.end(), { code: "ECONNRESET", isRetryable: true }],
    "a proxy that resets": [(socket) => socket.resetAndDestroy(), { code: "ECONNRESET", isRetryable: true }],
    ...Object.fromEntries(
      [403, 407, 502, 503].map((proxyStatus) => [
        `a proxy that answers ${proxyStatus}`,
        [
          ConnectProxy.refuse(`HTTP/1.1 ${proxyStatus} No\r\n\r\n`),
          { proxyStatus, isRetryable: proxyStatus > 500 }
        ]
      ])
    )
  }
  for (const [name, [handler, facts]] of Object.entries(refusals))
    it.scopedLive(`67 is not sent the refresh token by ${name}: a later update sends it`, () =>
      Effect.gen(function* () {
        const proxy = yield* ConnectProxy.make(ConnectProxy.inTurn(handler, ConnectProxy.tunnel))
        const { refreshes, update, updates } = yield* OAuth.setUp({
          storedFor: 0,
          sockets: { proxy: new URL(`http://${proxyCredentials}@127.0.0.1:${proxy.port}`) }
        })
        const error = yield* Effect.flip(update(request))
        expect(error).toMatchObject({
          _tag: "Infrastructure",
          reason: "TokenEndpoint",
          mayHaveBeenApplied: false,
          ...facts
        })
        expect(proxy.opened).toBe(1)
        expect(yield* update(request)).toMatchObject({ status: "ACTIVATED" })
        expect(yield* refreshes).toEqual(["1 rotated"])
        expect(yield* updates).toEqual(["2 200"])
      })
    )

  const handshakes: Readonly<
    Record<string, readonly [server: RawServer.Options, isRetryable: boolean, code: RegExp]>
  > = {
    "a server that closes in the TLS handshake": [
      { onConnection: (socket) => socket.once("data", () => socket.destroy()) },
      true,
      /^ECONNRESET$/
    ],
    "a server that resets in the TLS handshake": [
      { onConnection: (socket) => socket.once("data", () => socket.resetAndDestroy()) },
      true,
      /^ECONNRESET$/
    ],
    "a server that speaks no cipher of ours": [
      {
        tls: {
          ...certificate("trusted"),
          maxVersion: "TLSv1.2",
          ciphers: "ECDHE-RSA-AES128-GCM-SHA256"
        }
      },
      false,
      /^ERR_SSL_.*ALERT/
    ],
    "a server with an expired certificate": [{ tls: certificate("expired") }, false, /^CERT_HAS_EXPIRED$/]
  }
  for (const [name, [options, isRetryable, code]] of Object.entries(handshakes))
    it.scopedLive(`67 is not sent the refresh token by ${name}: a later update sends it`, () =>
      Effect.gen(function* () {
        yield* trustAuthority
        const port = yield* RawServer.freePort
        const url = `https://127.0.0.1:${port}`
        const store = yield* OAuth.makeMemoryStore
        yield* OAuth.storeTokens(url, store, {
          accessToken: Redacted.make("old-access-token"),
          refreshToken: Redacted.make("old-refresh-token"),
          expiresIn: 0
        })
        const update = yield* OAuth.open("node", url, store)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const broken = yield* RawServer.make(RawServer.ignore, { ...options, port })
            expect(yield* Effect.flip(update(request))).toMatchObject({
              _tag: "Infrastructure",
              reason: "TokenEndpoint",
              code: expect.stringMatching(code),
              isRetryable,
              mayHaveBeenApplied: false
            })
            expect(broken.requests).toEqual([])
          })
        )
        const server = yield* RawServer.make(
          ({ requestLine }, socket) =>
            socket.write(
              requestLine.startsWith("POST ") ? RawServer.respond(200, {}, newTokens) : RawServer.updated
            ),
          { port, tls: certificate("trusted") }
        )
        yield* update(request)
        const [refresh, updated, ...others] = server.requests
        expect(String(refresh?.body)).toContain("refresh_token=old-refresh-token")
        expect(updated && RawServer.authorizationsOf(updated)).toEqual(["Bearer new-access-token"])
        expect(others).toEqual([])
      })
    )
})
