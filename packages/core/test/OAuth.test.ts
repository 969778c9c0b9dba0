import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/TestClock"
import * as Credentials from "../src/Credentials.ts"
import type { InstallationError } from "../src/InstallationError.ts"
import * as OAuth from "../src/OAuth.ts"
import * as RetryPolicy from "../src/RetryPolicy.ts"
import { fromStrings, type StoredString, TokenStore } from "../src/TokenStore.ts"
import * as FakeOAuth from "./support/fakeOAuth.ts"
import { activated, authorizationOf, bodyOf } from "./support/http.ts"
import { Leaky, leaks, probes } from "./support/probes.ts"
import { recordingTracer } from "./support/tracer.ts"

const reauthorize = { _tag: "Unauthorized", reason: "ReauthorizationRequired" }

const accessTokenOf = (shelf: FakeOAuth.Shelf) =>
  "tokens" in shelf.only ? Redacted.value(shelf.only.tokens.accessToken) : shelf.only._tag

describe("OAuth.credentials", () => {
  describe("a 401", () => {
    it.scoped("is final for a new token, until tokens are stored again", () =>
      Effect.gen(function* () {
        const { server, shelf, update } = yield* FakeOAuth.setUp(0)
        server.updateFaults.push(FakeOAuth.status(401), FakeOAuth.status(401))
        for (let time = 0; time < 2; time++)
          expect(yield* Effect.flip(update(activated))).toMatchObject({
            reason: "Unauthenticated",
            status: 401
          })
        expect(server.presented).toEqual(["refresh-canary-1"])
        server.revoke()
        yield* FakeOAuth.storeTokens(shelf.store, server.authorize())
        expect(yield* update(activated)).toMatchObject({ status: "ACTIVATED" })
        expect(server.presented).toEqual(["refresh-canary-1"])
        expect(server.updates.slice(2)).toEqual(["access-canary-2 401", "access-canary-3 200"])
      })
    )

    it.scoped("is a TokenStore failure when the store cannot be read", () =>
      Effect.gen(function* () {
        const { server, shelf, update } = yield* FakeOAuth.setUp(0)
        server.updateFaults.push(FakeOAuth.status(401), FakeOAuth.status(401))
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
          const { server, update } = yield* FakeOAuth.setUp(0)
          server.updateFaults.push(FakeOAuth.status(status))
          expect(yield* Effect.flip(update(activated))).toMatchObject({ status })
          server.updateFaults.push(FakeOAuth.status(401))
          expect(yield* update(activated)).toMatchObject({ status: "ACTIVATED" })
          expect(server.presented).toEqual(["refresh-canary-1", "refresh-canary-2"])
        })
    )

    it.scoped("does not renew a token that was met by a 503 before", () =>
      Effect.gen(function* () {
        const { server, update } = yield* FakeOAuth.setUp(0)
        server.updateFaults.push(FakeOAuth.status(503), FakeOAuth.status(401))
        yield* Effect.flip(update(activated))
        expect(yield* Effect.flip(update(activated))).toMatchObject({ reason: "Unauthenticated" })
        expect(server.presented).toEqual(["refresh-canary-1"])
      })
    )

    it.scoped("to a token leaves it unused, also while the app is not accepted", () =>
      Effect.gen(function* () {
        const { server, update } = yield* FakeOAuth.setUp()
        server.updateFaults.push(FakeOAuth.status(401))
        server.tokenFaults.push(
          FakeOAuth.oauthError("invalid_client", 401),
          FakeOAuth.oauthError("invalid_client", 401)
        )
        for (let time = 0; time < 2; time++)
          expect((yield* Effect.flip(update(activated))).message).toContain("invalid_client")
        expect(server.updates).toEqual(["access-canary-1 401"])
        expect(yield* update(activated)).toMatchObject({ status: "ACTIVATED" })
        expect(server.updates).toEqual(["access-canary-1 401", "access-canary-2 200"])
      })
    )
  })

  describe("a refresh", () => {
    interface Case {
      readonly name: string
      readonly fault: FakeOAuth.Fault
      readonly error: Readonly<Record<string, unknown>>
      readonly says: string
      readonly stored: "Active" | "Refused" | "Lost"
    }

    const broken =
      (cause: object): FakeOAuth.Fault =>
      (_, request) =>
        FakeOAuth.broken(request, cause)

    const refused = (name: string, fault: FakeOAuth.Fault): Case => ({
      name,
      fault,
      error: { ...reauthorize, isRetryable: false },
      says: "the authorization server rejected the refresh token",
      stored: "Refused"
    })

    const lost = (name: string, fault: FakeOAuth.Fault): Case => ({
      name,
      fault,
      error: { ...reauthorize, isRetryable: false },
      says: "the refresh token was sent, but no response arrived",
      stored: "Lost"
    })

    const ofApp = (code: string, status: number): Case => ({
      name: `${code} with the status ${status}`,
      fault: FakeOAuth.oauthError(code, status),
      error: { _tag: "Unauthorized", reason: "Unauthenticated", isRetryable: false },
      says: `clientId: the authorization server responded with ${code} (status ${status})`,
      stored: "Active"
    })

    const unavailable = (
      name: string,
      fault: FakeOAuth.Fault,
      error: { readonly isRetryable: boolean } & Readonly<Record<string, unknown>>,
      says: string
    ): Case => ({
      name,
      fault,
      error: { _tag: "Infrastructure", reason: "TokenEndpoint", ...error },
      says: `Pleo issued no new access token (${says}`,
      stored: "Active"
    })

    const ofStatus = (
      status: number,
      isRetryable: boolean,
      body = "",
      headers: Readonly<Record<string, string>> = {}
    ): Case =>
      unavailable(
        `the status ${status}${body === "" ? "" : `, ${body}`}`,
        FakeOAuth.status(status, body, headers),
        { status, isRetryable },
        `status ${status}, server auth.pleo.io, tenant "default")`
      )

    const unsent = (code: string, cause: object = {}): Case =>
      unavailable(`${code} while connecting`, broken({ code, ...cause }), { code, isRetryable: true }, code)

    /** What Node.js reports of a host with several addresses. */
    const ofAddresses = (...errors: ReadonlyArray<object>) =>
      Object.assign(new AggregateError(errors), { code: "ETIMEDOUT" })

    const timedOut = { code: "ETIMEDOUT", syscall: "connect" }
    const unreachable = { code: "EHOSTUNREACH", syscall: "connect" }

    const cases: ReadonlyArray<Case> = [
      ...[
        "invalid_grant",
        "access_denied",
        "invalid_token",
        "consent_required",
        "interaction_required",
        "login_required"
      ].map((code) => refused(code, FakeOAuth.oauthError(code))),
      refused("invalid_grant with the status 401", FakeOAuth.oauthError("invalid_grant", 401)),
      refused("invalid_grant with the status 403", FakeOAuth.oauthError("invalid_grant", 403)),
      ofApp("invalid_client", 401),
      ofApp("invalid_client", 400),
      ofApp("unauthorized_client", 400),
      ofApp("unsupported_grant_type", 400),
      ofApp("invalid_request", 400),
      // As some servers answer a wrong secret: nobody's consent is gone.
      ofApp("access_denied", 401),
      {
        ...unavailable(
          "429 with Retry-After",
          FakeOAuth.status(429, "", { "retry-after": "7" }),
          { status: 429, isRetryable: true, retryAfter: Duration.seconds(7) },
          'status 429, server auth.pleo.io, tenant "default")'
        ),
        says: "Try again after 7s."
      },
      ofStatus(429, true, '{"error":"too_many_requests"}'),
      ofStatus(429, true, '{"error":"access_denied"}'),
      ofStatus(408, true, '{"error":"request_timeout"}'),
      ...["temporarily_unavailable", "server_error", "slow_down"].map((code) =>
        unavailable(
          `400 with ${code}`,
          FakeOAuth.oauthError(code),
          { code, isRetryable: true },
          `${code}, server auth.pleo.io`
        )
      ),
      ...[520, 524, 530].map((status) =>
        lost(`the status ${status} of a gateway`, FakeOAuth.status(status, "<html></html>"))
      ),
      ofStatus(500, true),
      ofStatus(500, true, '{"error":"server_error"}'),
      ofStatus(503, true),
      ofStatus(503, true, "<html></html>"),
      ofStatus(501, false),
      ofStatus(302, false, "", { location: "https://elsewhere.test/oauth/token" }),
      ofStatus(307, false, "", { location: "https://elsewhere.test/oauth/token" }),
      ofStatus(404, false, "<!doctype html>"),
      ofStatus(400, false, "not JSON"),
      ofStatus(400, false, "null"),
      ofStatus(400, false, '{"error":"Not a code, but a sentence."}'),
      ofStatus(400, false, '{"error":{"code":"invalid_grant"}}'),
      unsent("ECONNREFUSED"),
      unsent("ENOTFOUND"),
      unsent("ENETUNREACH", { syscall: "connect" }),
      unsent("EHOSTUNREACH", { syscall: "connect" }),
      unsent("ETIMEDOUT", { syscall: "connect" }),
      unavailable(
        "a failure to connect to each of several addresses",
        broken(ofAddresses(timedOut, unreachable)),
        { code: "ETIMEDOUT", isRetryable: true },
        "ETIMEDOUT, server auth.pleo.io"
      ),
      unavailable(
        "the same, inside of another error",
        broken(new Error("fetch failed", { cause: ofAddresses(timedOut, unreachable) })),
        { code: "ETIMEDOUT", isRetryable: true },
        "ETIMEDOUT, server auth.pleo.io"
      ),
      lost(
        "failures of which one was not to connect",
        broken(ofAddresses(timedOut, { code: "ETIMEDOUT", syscall: "read" }))
      ),
      lost("several failures of which nothing is known", broken(ofAddresses())),
      lost("an error that the transport throws", () => {
        throw new Error("thrown by the transport")
      }),
      lost("a defect of the transport", () => Effect.dieMessage("a defect of the transport")),
      unavailable(
        "a certificate that is refused",
        broken({ code: "CERT_HAS_EXPIRED" }),
        { code: "CERT_HAS_EXPIRED", isRetryable: false },
        "CERT_HAS_EXPIRED, server auth.pleo.io"
      ),
      lost("a connection that is reset", FakeOAuth.lost),
      lost("ETIMEDOUT while reading", broken({ code: "ETIMEDOUT", syscall: "read" })),
      lost("an error that says nothing", broken({})),
      lost("no response in time", FakeOAuth.hang),
      lost("502", FakeOAuth.status(502)),
      lost("504", FakeOAuth.status(504)),
      lost(
        "a page",
        FakeOAuth.answered(() => "<!doctype html>")
      ),
      lost(
        "an empty success",
        FakeOAuth.answered(() => "")
      ),
      lost(
        "null",
        FakeOAuth.answered(() => null)
      ),
      lost(
        "no tokens",
        FakeOAuth.answered(() => ({}))
      ),
      lost(
        "an empty access token",
        FakeOAuth.answered((pair) => ({ ...pair, access_token: "" }))
      ),
      lost(
        "an access token that is a number",
        FakeOAuth.answered((pair) => ({ ...pair, access_token: 1 }))
      ),
      lost(
        "an access token that splits headers",
        FakeOAuth.answered((pair) => ({ ...pair, access_token: "a\nb" }))
      ),
      lost(
        "tokens of another type",
        FakeOAuth.answered((pair) => ({ ...pair, token_type: "mac" }))
      ),
      lost(
        "invalid_grant as a success",
        FakeOAuth.answered(() => ({ error: "invalid_grant" }))
      )
    ]

    it.scoped.each(cases)("answered with $name ends as it should, and so does what is stored", (each) =>
      Effect.gen(function* () {
        const { server, shelf, update } = yield* FakeOAuth.setUp(0)
        server.tokenFaults.push(each.fault)
        const fiber = yield* Effect.fork(Effect.flip(update(activated)))
        yield* TestClock.adjust("10 seconds")
        const error = yield* Fiber.join(fiber)
        expect(error).toMatchObject({ ...each.error, mayHaveBeenApplied: false })
        expect(error.message).toContain(each.says)
        expect(leaks(error, FakeOAuth.clientSecret, "access-canary", "refresh-canary")).toEqual([])
        expect(server.updates).toEqual([])
        expect(server.tokenRequests).toHaveLength(1)
        if (each.stored === "Active") {
          expect(accessTokenOf(shelf)).toBe("access-canary-1")
          expect(yield* update(activated)).toMatchObject({ status: "ACTIVATED" })
          expect(server.tokenRequests).toHaveLength(2)
        } else {
          expect(shelf.only).toMatchObject({ _tag: "Ended", reason: each.stored })
          yield* Effect.flip(update(activated))
          expect(server.tokenRequests).toHaveLength(1)
          yield* FakeOAuth.storeTokens(shelf.store, server.authorize())
          expect(yield* update(activated)).toMatchObject({ status: "ACTIVATED" })
        }
        expect(server.replayed).toEqual([])
      })
    )

    it.scoped("is a form with these fields and headers, sent to the token endpoint alone", () =>
      Effect.gen(function* () {
        const { server, update } = yield* FakeOAuth.setUp(0)
        yield* update(activated)
        const [request] = server.tokenRequests
        expect(request?.method).toBe("POST")
        expect(request?.url).toBe("https://auth.pleo.io/oauth/token")
        expect(request?.urlParams).toEqual([])
        expect([...new URLSearchParams(bodyOf(request))]).toEqual([
          ["grant_type", "refresh_token"],
          ["refresh_token", "refresh-canary-1"],
          ["client_id", FakeOAuth.clientId],
          ["client_secret", FakeOAuth.clientSecret]
        ])
        expect(request?.headers["content-type"]).toBe("application/x-www-form-urlencoded")
        expect(request?.headers["accept-encoding"]).toBe("identity")
        expect(request?.headers).not.toHaveProperty("authorization")
      })
    )

    it.scoped(
      "has the client's id and secret in the Authorization header alone, each encoded as in a form",
      () =>
        Effect.gen(function* () {
          const { server, update } = yield* FakeOAuth.setUp(0, {
            clientId: FakeOAuth.clientId,
            clientSecret: Redacted.make("a b+c:d%&\u00fc\u20ac"),
            clientAuthentication: "client_secret_basic"
          })
          yield* update(activated)
          const [request] = server.tokenRequests
          expect([...new URLSearchParams(bodyOf(request))]).toEqual([
            ["grant_type", "refresh_token"],
            ["refresh_token", "refresh-canary-1"]
          ])
          const [scheme, encoded = ""] = authorizationOf(request)?.split(" ") ?? []
          expect(scheme).toBe("Basic")
          expect(atob(encoded)).toBe(`${FakeOAuth.clientId}:a+b%2Bc%3Ad%25%26%C3%BC%E2%82%AC`)
        })
    )

    it.scoped.each(["client_secret_post", "client_secret_basic"] as const)(
      "that is refused with invalid_client names the option clientAuthentication: %s",
      (clientAuthentication) =>
        Effect.gen(function* () {
          const { server, update } = yield* FakeOAuth.setUp(0, { clientAuthentication })
          server.tokenFaults.push(FakeOAuth.oauthError("invalid_client", 401))
          expect((yield* Effect.flip(update(activated))).message).toContain(
            `check the client secret, and the option clientAuthentication, which is ${clientAuthentication}`
          )
        })
    )

    // A code that a response could have in the place of an error code.
    const secretLikeACode = "canary_of_the_secret"

    it.scoped.each([
      ...[400, 401, 403, 429, 500, 503].map((status) => [status, "client_secret_basic"] as const),
      [400, "client_secret_post"] as const
    ])(
      "quotes the secret in no error, in whatever form a response quotes it: %i, %s",
      ([status, clientAuthentication]) =>
        Effect.gen(function* () {
          const secrets = [
            secretLikeACode,
            btoa(`${FakeOAuth.clientId}:${secretLikeACode}`).replace(/=+$/, ""),
            "refresh-canary"
          ]
          for (const prefix of ["", "x_"]) {
            const { server, update } = yield* FakeOAuth.setUp(0, {
              clientAuthentication,
              clientSecret: Redacted.make(secretLikeACode)
            })
            server.tokenFaults.push((_, request) =>
              Effect.succeed(
                new Response(
                  JSON.stringify({
                    error: prefix + secretLikeACode,
                    error_description: `${authorizationOf(request)} ${bodyOf(request)}`
                  }),
                  { status, headers: { "x-request-id": String(authorizationOf(request)) } }
                )
              )
            )
            expect(leaks(yield* Effect.flip(update(activated)), ...secrets)).toEqual([])
          }
        })
    )

    it.scoped("whose response has no refresh token goes on with the one that was sent", () =>
      Effect.gen(function* () {
        const { server, shelf, update } = yield* FakeOAuth.setUp(0)
        server.tokenFaults.push(() => Effect.succeed(new Response('{"access_token":"access-canary-x"}')))
        yield* Effect.flip(update(activated))
        expect(accessTokenOf(shelf)).toBe("access-canary-x")
        expect("tokens" in shelf.only && Redacted.value(shelf.only.tokens.refreshToken)).toBe(
          "refresh-canary-1"
        )
      })
    )

    it.scoped.each<readonly [string, Record<string, unknown>]>([
      ["refresh_token null", { refresh_token: null }],
      ["refresh_token empty", { refresh_token: "" }],
      ["token_type null", { token_type: null }],
      ["token_type empty", { token_type: "" }],
      ["token_type with a space", { token_type: "Bearer " }],
      ["scope null", { scope: null }]
    ])("whose response has %s brings an access token all the same", ([_, members]) =>
      Effect.gen(function* () {
        const { server, shelf, update } = yield* FakeOAuth.setUp(0)
        server.tokenFaults.push(FakeOAuth.answered((pair) => ({ ...pair, ...members })))
        expect(yield* update(activated)).toMatchObject({ status: "ACTIVATED" })
        expect(server.updates).toEqual(["access-canary-2 200"])
        const refreshToken = "tokens" in shelf.only ? Redacted.value(shelf.only.tokens.refreshToken) : ""
        expect(refreshToken).toBe("refresh_token" in members ? "refresh-canary-1" : "refresh-canary-2")
      })
    )

    it.scoped("that is refused for a while by a 400 leaves a token that is good in use, and waits", () =>
      Effect.gen(function* () {
        const { server, update } = yield* FakeOAuth.setUp("1 hour")
        yield* TestClock.adjust("59.5 minutes")
        server.tokenFaults.push(
          FakeOAuth.status(400, '{"error":"temporarily_unavailable"}', { "retry-after": "20" })
        )
        expect(yield* update(activated)).toMatchObject({ status: "ACTIVATED" })
        yield* TestClock.adjust("19 seconds")
        expect(yield* update(activated)).toMatchObject({ status: "ACTIVATED" })
        expect(server.tokenRequests).toHaveLength(1)
        yield* TestClock.adjust("1 second")
        expect(yield* update(activated)).toMatchObject({ status: "ACTIVATED" })
        expect(server.updates).toEqual(["access-canary-1 200", "access-canary-1 200", "access-canary-2 200"])
      })
    )

    const lives: ReadonlyArray<readonly [unknown, number | undefined]> = [
      [3600, 3_600_000],
      ["3600", 3_600_000],
      [" 60 ", 60_000],
      [59.5, 59_500],
      [0, 0],
      [undefined, undefined],
      [-1, undefined],
      ["", undefined],
      ["soon", undefined],
      [null, undefined],
      [1e306, undefined],
      ["Infinity", undefined]
    ]

    it.scoped.each(lives)(
      "whose expires_in is %j brings a life of %j ms, in every store",
      ([seconds, millis]) =>
        Effect.gen(function* () {
          const { server, shelf, update } = yield* FakeOAuth.setUp(0)
          server.expiresIn = seconds
          yield* update(activated)
          const stored = shelf.only
          if (stored._tag !== "Active") throw new Error(stored._tag)
          const { expiresIn } = stored.tokens
          expect(expiresIn === undefined ? undefined : Duration.toMillis(expiresIn)).toBe(millis)
          let kept = Option.none<StoredString>()
          const strings = fromStrings({
            load: () => Effect.sync(() => kept),
            save: (_, generation, value) =>
              Effect.sync(() => {
                kept = Option.some({ generation: generation + 1, value })
                return true
              }),
            list: () => Effect.succeed({ entries: [], cursor: undefined })
          })
          yield* strings.save("key", 0, stored)
          expect(Option.getOrThrow(yield* strings.load("key")).authorization).toEqual(stored)
        })
    )
  })

  describe("expiry", () => {
    it.scoped.each([
      { life: "1 hour", seconds: 3600, margin: 60 },
      { life: "10 minutes", seconds: 600, margin: 60 },
      { life: "100 seconds", seconds: 100, margin: 10 }
    ] as const)("of tokens that live $life is met $margin seconds before, and not earlier", (each) =>
      Effect.gen(function* () {
        const { server, update } = yield* FakeOAuth.setUp(each.life)
        yield* TestClock.adjust(Duration.seconds(each.seconds - each.margin - 1))
        yield* update(activated)
        expect(server.presented).toEqual([])
        yield* TestClock.adjust("1 second")
        yield* update(activated)
        expect(server.presented).toEqual(["refresh-canary-1"])
        expect(server.updates).toEqual(["access-canary-1 200", "access-canary-2 200"])
      })
    )

    it.scoped("that is not known is when Pleo says so", () =>
      Effect.gen(function* () {
        const { server, update } = yield* FakeOAuth.setUp(undefined)
        server.expiresIn = undefined
        server.updateFaults.push(FakeOAuth.status(401))
        yield* update(activated)
        yield* TestClock.adjust("300 days")
        yield* update(activated)
        expect(server.presented).toEqual(["refresh-canary-1"])
      })
    )

    const inMargin = Effect.gen(function* () {
      const customer = yield* FakeOAuth.setUp("1 hour")
      yield* customer.update(activated)
      yield* TestClock.adjust("3545 seconds")
      return customer
    })

    it.scoped("is not told before it, while the endpoint is down, and the endpoint is left alone", () =>
      Effect.gen(function* () {
        const { server, update } = yield* inMargin
        for (let time = 0; time < 9; time++) server.tokenFaults.push(FakeOAuth.status(503))
        for (let time = 0; time < 3; time++) yield* update(activated)
        yield* TestClock.adjust("4999 millis")
        yield* update(activated)
        expect(server.tokenRequests).toHaveLength(1)
        yield* TestClock.adjust("1 millis")
        yield* update(activated)
        expect(server.tokenRequests).toHaveLength(2)
        yield* TestClock.adjust("50 seconds")
        expect(yield* Effect.flip(update(activated))).toMatchObject({ reason: "TokenEndpoint", status: 503 })
        server.tokenFaults.length = 0
        yield* update(activated)
        expect(server.updates.at(-1)).toBe("access-canary-2 200")
      })
    )

    it.scoped("is not met before the time for which the endpoint asks to be left alone", () =>
      Effect.gen(function* () {
        const { server, update } = yield* inMargin
        server.tokenFaults.push(FakeOAuth.status(429, "", { "retry-after": "30" }))
        yield* update(activated)
        yield* TestClock.adjust("29 seconds")
        yield* update(activated)
        expect(server.tokenRequests).toHaveLength(1)
        yield* TestClock.adjust("1 second")
        yield* update(activated)
        expect(server.tokenRequests).toHaveLength(2)
      })
    )

    it.scoped("is not told before it, while the store cannot be read", () =>
      Effect.gen(function* () {
        const { server, shelf, update } = yield* inMargin
        shelf.isDown = true
        yield* update(activated)
        expect(server.updates).toEqual(["access-canary-1 200", "access-canary-1 200"])
        yield* TestClock.adjust("55 seconds")
        expect(yield* Effect.flip(update(activated))).toMatchObject({ reason: "TokenStore", code: "ENOSPC" })
        shelf.isDown = false
        yield* update(activated)
      })
    )
  })

  describe("an endpoint that asks to be left alone, of expired tokens", () => {
    const asked = (status: number) =>
      Effect.gen(function* () {
        const customer = yield* FakeOAuth.setUp(0)
        customer.server.tokenFaults.push(FakeOAuth.status(status, "", { "retry-after": "30" }))
        const refusal = { reason: "TokenEndpoint", status, retryAfter: Duration.seconds(30) }
        expect(yield* Effect.flip(customer.update(activated))).toMatchObject(refusal)
        return { ...customer, refusal }
      })

    it.scoped.each([429, 503])("is left alone until then, and updates are told at once: %i", (status) =>
      Effect.gen(function* () {
        const { refusal, server, shelf, update } = yield* asked(status)
        yield* TestClock.adjust("28 seconds")
        for (let time = 0; time < 3; time++)
          expect(yield* Effect.flip(update(activated))).toMatchObject({
            ...refusal,
            retryAfter: Duration.seconds(2)
          })
        yield* TestClock.adjust("1999 millis")
        yield* Effect.flip(update(activated))
        expect(server.tokenRequests).toHaveLength(1)
        expect(shelf.only._tag).toBe("Active")
        yield* TestClock.adjust("1 millis")
        expect(yield* update(activated)).toMatchObject({ status: "ACTIVATED" })
        expect(server.presented).toEqual(["refresh-canary-1"])
      })
    )

    it.scoped("is not needed for tokens that are stored meanwhile", () =>
      Effect.gen(function* () {
        const { server, shelf, update } = yield* asked(429)
        yield* TestClock.adjust("1 second")
        const anew = server.authorize()
        yield* FakeOAuth.storeTokens(shelf.store, anew)
        yield* update(activated)
        expect(server.updates).toEqual([`${anew.accessToken} 200`])
        expect(server.tokenRequests).toHaveLength(1)
      })
    )
  })

  describe("a store", () => {
    it.scoped.each([
      ["its first load", ["dies"]],
      ["its first load", ["throws"]],
      ["storing the lease", ["works", "dies"]],
      ["storing the lease", ["works", "throws"]]
    ] as const)("that breaks at %s, %j, is one that fails, and nothing is lost", ([, steps]) =>
      Effect.gen(function* () {
        const { server, shelf, update } = yield* FakeOAuth.setUp(0)
        shelf.next.push(...steps)
        const fiber = yield* Effect.fork(
          Effect.replicateEffect(Effect.either(update(activated)), 3, { concurrency: "unbounded" })
        )
        yield* TestClock.adjust("1 second")
        const [first, ...others] = yield* Fiber.join(fiber)
        expect(first).toMatchObject({ left: { reason: "TokenStore", code: "DEFECT", isRetryable: true } })
        expect(others).toMatchObject([{ _tag: "Right" }, { _tag: "Right" }])
        expect(server.presented).toEqual(["refresh-canary-1"])
        expect(accessTokenOf(shelf)).toBe("access-canary-2")
      })
    )

    it.scoped.each(["dies", "throws"] as const)(
      "that breaks at storing new tokens is asked again until it has them: %s",
      (step) =>
        Effect.gen(function* () {
          const { server, shelf, update } = yield* FakeOAuth.setUp(0)
          shelf.next.push("works", "works", step, step, step)
          const fiber = yield* Effect.fork(
            Effect.replicateEffect(update(activated), 3, { concurrency: "unbounded" })
          )
          yield* TestClock.adjust("1 second")
          expect(yield* Fiber.join(fiber)).toHaveLength(3)
          expect(shelf.next).toEqual([])
          expect(accessTokenOf(shelf)).toBe("access-canary-2")
          expect(server.presented).toEqual(["refresh-canary-1"])
        })
    )

    it.scoped("that hangs is one that fails, after the timeout", () =>
      Effect.gen(function* () {
        const { shelf, update } = yield* FakeOAuth.setUp(0, { timeout: "3 seconds" })
        for (const steps of [["hangs"], ["works", "hangs"]] as const) {
          shelf.next.push(...steps)
          const fiber = yield* Effect.fork(Effect.flip(update(activated)))
          yield* TestClock.adjust("3 seconds")
          expect(yield* Fiber.join(fiber)).toMatchObject({ reason: "TokenStore", code: "TIMEOUT" })
        }
        yield* update(activated)
      })
    )

    const notConnected = { _tag: "Unauthorized", reason: "NotConnected", isRetryable: false }

    it.scoped.each<readonly [string, string]>([
      ["Acme ", '"Acme "'],
      ["Acme\n\u00a0\u200b\u202e/%2F", String.raw`"Acme\n\u{a0}\u{200b}\u{202e}/%2F"`],
      ["A".repeat(201), `"${"A".repeat(200)}" and more`]
    ])("without tokens of the customer %j names it in quotes, and sends nothing", ([tenant, quoted]) =>
      Effect.gen(function* () {
        const { server, update } = yield* FakeOAuth.setUp()
        const error = yield* Effect.flip(Credentials.use(update(activated), OAuth.tenant(tenant)))
        expect(error).toMatchObject({ ...notConnected, mayHaveBeenApplied: false })
        expect(error.message).toBe(
          `The customer is not connected (server auth.pleo.io, tenant ${quoted}) (no tokens are stored under ` +
            `client ID "${FakeOAuth.clientId}" and token endpoint https://auth.pleo.io/oauth/token). Nothing was applied. ` +
            "Check the tenant's name, or connect the customer."
        )
        expect([server.updates, server.tokenRequests]).toEqual([[], []])
      })
    )

    it.scoped.each<Partial<OAuth.Options>>([{ clientId: "another" }, { tokenEndpoint: "staging" }])(
      "with tokens of another app or endpoint has none of this one: %j",
      (options) =>
        Effect.gen(function* () {
          const { server, update } = yield* FakeOAuth.setUp("1 hour", options)
          expect(yield* Effect.flip(update(activated))).toMatchObject(notConnected)
          expect([server.updates, server.tokenRequests]).toEqual([[], []])
        })
    )

    it.scoped("whose tokens were deleted is not connected, and its old token is not used on", () =>
      Effect.gen(function* () {
        const { server, shelf, update } = yield* FakeOAuth.setUp("1 hour")
        yield* update(activated)
        shelf.stored.clear()
        server.updateFaults.push(FakeOAuth.status(401))
        for (let time = 0; time < 2; time++)
          expect(yield* Effect.flip(update(activated))).toMatchObject(notConnected)
        expect(server.updates).toEqual(["access-canary-1 200", "access-canary-1 401"])
      })
    )
  })

  describe("the refresh under way", () => {
    const underWay = Effect.gen(function* () {
      const customer = yield* FakeOAuth.setUp(0)
      customer.server.tokenFaults.push(FakeOAuth.slow("3 seconds"))
      return customer
    })

    it.scoped("is one for all that ask", () =>
      Effect.gen(function* () {
        const { server, update } = yield* underWay
        const fiber = yield* Effect.fork(
          Effect.replicateEffect(update(activated), 100, { concurrency: "unbounded" })
        )
        yield* TestClock.adjust("3 seconds")
        expect(yield* Fiber.join(fiber)).toHaveLength(100)
        expect(server.presented).toEqual(["refresh-canary-1"])
        expect(new Set(server.updates)).toEqual(new Set(["access-canary-2 200"]))
      })
    )

    it.scoped.each(["first", "second"] as const)("continues when the %s caller is interrupted", (which) =>
      Effect.gen(function* () {
        const { server, update } = yield* underWay
        const first = yield* Effect.fork(update(activated))
        yield* FakeOAuth.settled
        const second = yield* Effect.fork(update(activated))
        yield* TestClock.adjust("1 second")
        yield* Fiber.interrupt(which === "first" ? first : second)
        yield* TestClock.adjust("2 seconds")
        yield* Fiber.join(which === "first" ? second : first)
        expect(server.presented).toEqual(["refresh-canary-1"])
        expect(server.updates).toEqual(["access-canary-2 200"])
      })
    )

    it.scoped(
      "is joined by the next caller, without another read of the store, when the first caller is gone",
      () =>
        Effect.gen(function* () {
          const { server, shelf, update } = yield* underWay
          const { loads } = shelf
          const first = yield* Effect.fork(update(activated))
          yield* FakeOAuth.settled
          yield* Fiber.interrupt(first)
          const second = yield* Effect.fork(update(activated))
          yield* TestClock.adjust("3 seconds")
          yield* Fiber.join(second)
          expect(shelf.loads - loads).toBe(1)
          expect(server.presented).toEqual(["refresh-canary-1"])
        })
    )

    it.scoped("has its lease stored before the refresh token is sent", () =>
      Effect.gen(function* () {
        const { server, shelf, update } = yield* FakeOAuth.setUp(0, { timeout: "1 second" })
        const stored: Array<string> = []
        server.tokenFaults.push((answer, request) => {
          stored.push(shelf.only._tag)
          return FakeOAuth.slow("500 millis")(answer, request)
        })
        const fiber = yield* Effect.fork(update(activated))
        yield* FakeOAuth.settled
        expect(stored).toEqual(["Refreshing"])
        yield* TestClock.adjust("500 millis")
        yield* Fiber.join(fiber)
      })
    )

    it.scoped("does not hold its caller beyond the caller's timeout, and is stored all the same", () =>
      Effect.gen(function* () {
        const { server, shelf, update } = yield* underWay
        const fiber = yield* Effect.fork(Effect.flip(update(activated).pipe(RetryPolicy.timeout("1 second"))))
        yield* TestClock.adjust("1 second")
        const error = yield* Fiber.join(fiber)
        expect(error).toMatchObject({ reason: "Timeout", phase: "AccessToken", mayHaveBeenApplied: false })
        expect(error.message).toContain("waiting for an access token")
        yield* TestClock.adjust("2 seconds")
        expect(accessTokenOf(shelf)).toBe("access-canary-2")
        yield* update(activated)
        expect(server.updates).toEqual(["access-canary-2 200"])
      })
    )
  })

  describe("a refusal", () => {
    it.scoped("ends all requests of the customer, and of no other, until tokens are stored", () =>
      Effect.gen(function* () {
        const { server, shelf, update } = yield* FakeOAuth.setUp(0)
        const ofOther = Credentials.use(update(activated), OAuth.tenant("other"))
        yield* FakeOAuth.storeTokens(shelf.store, server.authorize("other"), 0)
        server.tokenFaults.push(FakeOAuth.oauthError("invalid_grant"))
        for (let time = 0; time < 3; time++)
          expect(yield* Effect.flip(update(activated))).toMatchObject(reauthorize)
        expect(server.tokenRequests).toHaveLength(1)
        expect(server.updates).toEqual([])
        yield* ofOther
        expect(server.updates).toEqual(["access-canary-3 200"])
        const anew = server.authorize()
        yield* FakeOAuth.storeTokens(shelf.store, anew)
        yield* update(activated)
        expect(server.updates.at(-1)).toBe(`${anew.accessToken} 200`)
      })
    )
  })

  describe("options", () => {
    const options = { clientId: "id", clientSecret: Redacted.make("secret") }
    const tokens = { accessToken: Redacted.make("access"), refreshToken: Redacted.make("refresh") }
    const { store } = new FakeOAuth.Shelf()

    it.scoped.each<readonly [string, Partial<OAuth.Options>]>([
      ["clientId", { clientId: "" }],
      ["clientSecret", { clientSecret: Redacted.make("") }],
      ["tenant", { tenant: "" }],
      ["tokenEndpoint", { tokenEndpoint: "http://auth.pleo.io/oauth/token" }],
      ["tokenEndpoint", { tokenEndpoint: "https://user:password@auth.pleo.io/oauth/token" }],
      ["tokenEndpoint", { tokenEndpoint: "https://auth.pleo.io/oauth/token?a=b" }],
      ["tokenEndpoint", { tokenEndpoint: "nowhere" }],
      ["clientAuthentication", JSON.parse('{"clientAuthentication":"client_secret_jwt"}')],
      ["timeout", { timeout: 0 }],
      ["timeout", { timeout: Number.POSITIVE_INFINITY }]
    ])("that cannot be used are refused by name: %s, %j", ([name, changes]) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(
          Effect.provideService(OAuth.credentials({ ...options, ...changes }), TokenStore, store)
        )
        expect(error._tag).toBe("BadRequest")
        expect(error.issues?.map(({ path }) => path)).toEqual([[name]])
      })
    )

    it.effect.each<readonly [string, Partial<OAuth.Tokens>]>([
      ["accessToken", { accessToken: Redacted.make("") }],
      ["accessToken", { accessToken: Redacted.make("canary\n") }],
      ["refreshToken", { refreshToken: Redacted.make("") }]
    ])("tokens that cannot be used are not stored: %s", ([name, changes]) =>
      Effect.gen(function* () {
        const error: InstallationError = yield* Effect.flip(
          Effect.provideService(
            OAuth.storeTokens({ clientId: "id", tenant: "acme" }, { ...tokens, ...changes }),
            TokenStore,
            store
          )
        )
        expect(error).toMatchObject({ _tag: "Unauthorized", issues: [{ path: [name] }] })
        expect(leaks(error, "canary")).toEqual([])
      })
    )

    it.effect("tokens that never expire are stored as such, in a store of strings too", () =>
      Effect.gen(function* () {
        const shelf = new FakeOAuth.Shelf()
        const pair = new FakeOAuth.Server().authorize()
        yield* FakeOAuth.storeTokens(shelf.store, pair, Duration.infinity)
        expect("tokens" in shelf.only && shelf.only.tokens.expiresIn).toBeUndefined()
      })
    )

    it.effect("a failing store fails storeTokens", () =>
      Effect.gen(function* () {
        const shelf = new FakeOAuth.Shelf()
        shelf.isDown = true
        const error = yield* Effect.flip(
          FakeOAuth.storeTokens(shelf.store, new FakeOAuth.Server().authorize())
        )
        expect(error).toMatchObject({ reason: "TokenStore", code: "ENOSPC", isRetryable: true })
      })
    )
  })

  describe("secrets", () => {
    const secrets = [FakeOAuth.clientSecret, "access-canary", "refresh-canary"]

    it("are found by every probe where there is no defence", () => {
      for (const secret of secrets) expect(leaks(new Leaky(secret), ...secrets)).toEqual(probes)
    })

    it.scoped("stand in no log and no span, also while new tokens cannot be stored", () => {
      const logged: Array<string> = []
      const { spans, tracer } = recordingTracer()
      const logger = Logger.map(Logger.jsonLogger, (line) => logged.push(line))
      return Effect.gen(function* () {
        const { server, shelf, update } = yield* FakeOAuth.setUp(0)
        server.tokenFaults.push((answer) =>
          Effect.sync(() => {
            shelf.isReadOnly = true
            return answer()
          })
        )
        const fiber = yield* Effect.fork(update(activated))
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.join(fiber)
        shelf.isReadOnly = false
        yield* TestClock.adjust("5 seconds")
        expect(shelf.only._tag).toBe("Active")
        expect(logged.join()).toContain("New tokens are not stored yet")
        expect(secrets.filter((secret) => logged.join().includes(secret))).toEqual([])
        yield* Effect.logInfo(secrets.join())
        expect(secrets.filter((secret) => logged.join().includes(secret))).toEqual(secrets)
        expect(spans.map(({ name }) => name)).toEqual([
          "InstallationService.update",
          "POST /oauth/token",
          "PUT /v1/installations/me"
        ])
        const shown = spans.map(({ attributes, events, status }) => [
          [...attributes],
          events,
          status._tag === "Ended" && status.exit
        ])
        expect(leaks(shown, ...secrets)).toEqual([])
      }).pipe(
        Effect.withTracer(tracer),
        Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
        Effect.scoped
      )
    })
  })
})
