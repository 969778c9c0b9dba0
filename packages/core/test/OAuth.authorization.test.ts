import { createHash } from "node:crypto"
import * as HttpClient from "@effect/platform/HttpClient"
import { RequestError } from "@effect/platform/HttpClientError"
import type { HttpClientRequest } from "@effect/platform/HttpClientRequest"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import * as OAuth from "../src/OAuth.ts"
import * as RetryPolicy from "../src/RetryPolicy.ts"
import { TokenStore } from "../src/TokenStore.ts"
import { clientId, clientSecret, Shelf, settled } from "./support/fakeOAuth.ts"
import { answering, authorizationOf, bodyOf } from "./support/http.ts"
import { leaks } from "./support/probes.ts"
import { recordingTracer } from "./support/tracer.ts"

const redirectUri = "https://app.example/pleo/callback?from=pleo"
const scopes = ["users:read", "exports:write"]
const subject = "urn:pleo:company:5d0ec2c5-6f5a-4a6b-9b0b-9d1a2d6a1a11"

const code = "canary-of-the-code"
const accessToken = "canary-of-the-access-token"
const refreshToken = "canary-of-the-refresh-token"

const begin = OAuth.authorizationRequest({ clientId, redirectUri, scopes })

type Answer = (request: HttpClientRequest) => Response | Effect.Effect<Response, RequestError>

const json = (value: unknown, status = 200) => new Response(JSON.stringify(value), { status })

const issued = (changes: object = {}) =>
  json({ access_token: accessToken, refresh_token: refreshToken, expires_in: 3600, ...changes })

const introspected = (data: object = {}) =>
  json({ data: { authMethod: "OAUTH2", clientId, scope: "", subjectURN: subject, ...data } })

const broken = (cause: object) => (request: HttpClientRequest) =>
  Effect.fail(new RequestError({ request, reason: "Transport", cause }))

const inTurn = <A>(...values: ReadonlyArray<A>): (() => A) => {
  let index = 0
  return () => values[Math.min(index++, values.length - 1)] as A
}

interface Servers {
  /** The responses of the token endpoint. The last one is repeated. */
  readonly token?: ReadonlyArray<Answer>
  /** Those of the API. */
  readonly api?: ReadonlyArray<Answer>
}

/** An authorization server, an API and a store, and an application that completes authorizations with them. */
const setUp = ({ api = [() => introspected()], token = [() => issued()] }: Servers = {}) => {
  const shelf = new Shelf()
  const [nextToken, nextApi] = [inTurn(...token), inTurn(...api)]
  const { client, requests } = answering((request) =>
    (request.url.endsWith("/token") ? nextToken() : nextApi())(request)
  )
  const complete = (
    pending: OAuth.PendingAuthorization,
    callback: string | URL,
    options: Partial<Parameters<typeof OAuth.completeAuthorization>[0]> = {}
  ) =>
    OAuth.completeAuthorization({
      clientId,
      clientSecret: Redacted.make(clientSecret),
      callback,
      pending,
      ...options
    }).pipe(
      Effect.provide(
        Layer.merge(Layer.succeed(TokenStore, shelf.store), Layer.succeed(HttpClient.HttpClient, client))
      )
    )
  return { complete, requests, shelf }
}

const callbackWith = ({ state }: OAuth.PendingAuthorization, parameters: string = `code=${code}`) =>
  `/pleo/callback?from=pleo&${parameters}&state=${Redacted.value(state)}`

/** An authorization that comes back with a code, or with other parameters. */
const come = (
  servers?: Servers,
  options?: Partial<Parameters<typeof OAuth.completeAuthorization>[0]>,
  parameters?: string
) =>
  Effect.gen(function* () {
    const application = setUp(servers)
    const { pending } = yield* begin
    const completed = application.complete(pending, callbackWith(pending, parameters), options)
    return { ...application, completed, pending }
  })

describe("authorizationRequest", () => {
  it.effect.each([
    [undefined, "https://auth.pleo.io/oauth/authorize"],
    ["staging", "https://auth.staging.pleo.io/oauth/authorize"],
    ["http://127.0.0.1:8080/oauth/token", "http://127.0.0.1:8080/oauth/authorize"],
    [new URL("https://proxy.example/pleo/token"), "https://proxy.example/pleo/authorize"]
  ] as const)("with the token endpoint %s goes to %s", ([tokenEndpoint, expected]) =>
    Effect.gen(function* () {
      const { pending, url } = yield* OAuth.authorizationRequest({
        clientId,
        redirectUri,
        scopes,
        tokenEndpoint
      })
      expect(url.origin + url.pathname).toBe(expected)
      const verifier = Redacted.value(pending.codeVerifier)
      expect(Object.fromEntries(url.searchParams)).toEqual({
        response_type: "code",
        client_id: clientId,
        redirect_uri: redirectUri,
        scope: "users:read exports:write",
        state: Redacted.value(pending.state),
        code_challenge: createHash("sha256").update(verifier).digest("base64url"),
        code_challenge_method: "S256"
      })
      expect(verifier).toMatch(/^[A-Za-z0-9\-._~]{43,128}$/)
    })
  )

  it.effect("has another state and another verifier each time", () =>
    Effect.gen(function* () {
      const requests = yield* Effect.replicateEffect(begin, 50)
      const values = requests.flatMap(({ pending }) => [pending.state, pending.codeVerifier])
      expect(new Set(values.map(Redacted.value)).size).toBe(100)
      for (const { pending } of requests) expect(Redacted.value(pending.state).length).toBeGreaterThan(40)
    })
  )

  it.effect.each([
    ["redirectUri", { redirectUri: "http://app.example/callback" }],
    ["redirectUri", { redirectUri: "https://app.example/callback#top" }],
    ["redirectUri", { redirectUri: "https://app.example/callback#" }],
    ["redirectUri", { redirectUri: "/callback" }],
    ["redirectUri", { redirectUri: "" }],
    ["scopes", { scopes: [] }],
    ["scopes", { scopes: ["users:read exports:write"] }],
    ["scopes", { scopes: [""] }],
    ["scopes", { scopes: ['a"'] }],
    ["clientId", { clientId: "" }],
    ["tokenEndpoint", { tokenEndpoint: "http://auth.example/token" }]
  ] as const)("refuses %s of %j", ([path, options]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        OAuth.authorizationRequest({ clientId, redirectUri, scopes, ...options })
      )
      expect(error._tag).toBe("BadRequest")
      expect(error.issues?.map(({ path }) => path)).toEqual([[path]])
    })
  )

  it.effect("accepts a redirect to this machine", () =>
    Effect.gen(function* () {
      const local = "http://localhost:8080/callback"
      const { url } = yield* OAuth.authorizationRequest({ clientId, redirectUri: local, scopes })
      expect(url.searchParams.get("redirect_uri")).toBe(local)
    })
  )
})

describe("PendingAuthorization", () => {
  it.effect("survives a session that keeps it as JSON", () =>
    Effect.gen(function* () {
      const { pending } = yield* begin
      const schema = Schema.parseJson(OAuth.PendingAuthorization)
      const text = yield* Schema.encode(schema)(pending)
      expect(text).toContain(Redacted.value(pending.codeVerifier))
      expect(yield* Schema.decode(schema)(text)).toEqual(pending)
    })
  )

  it.effect("shows neither state nor verifier when printed", () =>
    Effect.gen(function* () {
      const { pending } = yield* begin
      expect(leaks(pending, Redacted.value(pending.state), Redacted.value(pending.codeVerifier))).toEqual([])
    })
  )
})

describe("completeAuthorization", () => {
  it.effect("exchanges the code, stores the tokens, and returns the tenant", () =>
    Effect.gen(function* () {
      const { completed, pending, requests, shelf } = yield* come({}, { tenant: "acme" })
      expect(yield* completed).toBe("acme")
      const [exchange] = requests
      expect(requests.map(({ method, url }) => `${method} ${url}`)).toEqual([
        "POST https://auth.pleo.io/oauth/token"
      ])
      expect(exchange?.headers["content-type"]).toBe("application/x-www-form-urlencoded")
      expect(Object.fromEntries(new URLSearchParams(bodyOf(exchange)))).toEqual({
        grant_type: "authorization_code",
        code,
        redirect_uri: redirectUri,
        code_verifier: Redacted.value(pending.codeVerifier),
        client_id: clientId,
        client_secret: clientSecret
      })
      const { only } = shelf
      if (only._tag !== "Active") return expect.fail(only._tag)
      expect(Redacted.value(only.tokens.accessToken)).toBe(accessToken)
      expect(Redacted.value(only.tokens.refreshToken)).toBe(refreshToken)
      expect([...shelf.stored.keys()]).toEqual([
        `https%3A%2F%2Fauth.pleo.io%2Foauth%2Ftoken/${clientId}/acme`
      ])
    })
  )

  it.effect("authenticates by HTTP Basic, and then not in the form", () =>
    Effect.gen(function* () {
      const { completed, requests } = yield* come(
        {},
        { tenant: "acme", clientAuthentication: "client_secret_basic" }
      )
      yield* completed
      expect(authorizationOf(requests[0])).toBe(`Basic ${btoa(`${clientId}:${clientSecret}`)}`)
      expect(bodyOf(requests[0])).not.toContain("client_")
    })
  )

  it.effect.each([
    ["staging", undefined, "https://external.staging.pleo.io/v1/introspect"],
    [undefined, undefined, "https://external.pleo.io/v1/introspect"],
    ["http://127.0.0.1:1/token", "http://127.0.0.1:2/api", "http://127.0.0.1:2/api/v1/introspect"]
  ] as const)("without a tenant, with the token endpoint %s and the server %s, asks %s who it is", (row) =>
    Effect.gen(function* () {
      const [tokenEndpoint, server, expected] = row
      const { completed, requests, shelf } = yield* come({}, { tokenEndpoint, server })
      expect(yield* completed).toBe(subject)
      expect(requests[1]?.url).toBe(expected)
      expect(authorizationOf(requests[1])).toBe(`Bearer ${accessToken}`)
      expect([...shelf.stored.keys()][0]).toContain(encodeURIComponent(subject))
    })
  )

  it.effect("needs a tenant or the API's server with a token endpoint of its own", () =>
    Effect.gen(function* () {
      const { completed, requests } = yield* come({}, { tokenEndpoint: "http://127.0.0.1:1/token" })
      const error = yield* Effect.flip(completed)
      expect(error).toMatchObject({ _tag: "BadRequest", issues: [{ path: ["server"] }] })
      expect(requests).toEqual([])
    })
  )

  it.effect("accepts the whole URL of the callback, as a string or a URL", () =>
    Effect.gen(function* () {
      const { complete } = setUp()
      for (const toCallback of [(url: string) => url, (url: string) => new URL(url)]) {
        const { pending } = yield* begin
        const callback = toCallback(`https://app.example${callbackWith(pending)}`)
        expect(yield* complete(pending, callback, { tenant: "acme" })).toBe("acme")
      }
    })
  )

  describe("a callback that is of another authorization", () => {
    const others: ReadonlyArray<
      readonly [title: string, (pending: OAuth.PendingAuthorization, other: string) => string]
    > = [
      ["the state of another request", (_, other) => `/?code=${code}&state=${other}`],
      ["a longer state", ({ state }) => `/?code=${code}&state=${Redacted.value(state)}A`],
      ["a shorter state", ({ state }) => `/?code=${code}&state=${Redacted.value(state).slice(0, -1)}`],
      ["an empty state", () => `/?code=${code}&state=`],
      ["no state", () => `/?code=${code}`],
      ["two states", (pending, other) => `${callbackWith(pending)}&state=${other}`],
      ["two codes", (pending) => callbackWith(pending, `code=${code}&code=other`)],
      ["an error under another state", (_, other) => `/?error=access_denied&state=${other}`],
      ["neither code nor error", (pending) => callbackWith(pending, "")],
      ["an empty code", (pending) => callbackWith(pending, "code=")],
      ["no valid URL", () => "http://["]
    ]
    it.effect.each(others)("with %s is refused, and nothing is sent", ([, make]) =>
      Effect.gen(function* () {
        const { complete, requests, shelf } = setUp()
        const { pending } = yield* begin
        const other = Redacted.value((yield* begin).pending.state)
        const error = yield* Effect.flip(complete(pending, make(pending, other), { tenant: "acme" }))
        expect(error).toMatchObject({ _tag: "AuthorizationError", reason: "InvalidCallback" })
        expect(leaks(error, code, Redacted.value(pending.state), other)).toEqual([])
        expect([requests.length, shelf.stored.size]).toEqual([0, 0])
      })
    )
  })

  it.effect.each([
    [
      "error=access_denied&error_description=The+user%0D%0Asaid+no",
      { reason: "Denied", code: "access_denied", detail: "The user said no" },
      "The customer did not authorize the app (access_denied): The user said no."
    ],
    [
      "error=invalid_scope",
      { reason: "Rejected", code: "invalid_scope", detail: undefined },
      "The authorization server rejected the authorization (invalid_scope)."
    ],
    [
      `error=%3Cscript%3E&error_description=${"x".repeat(500)}&code=${code}`,
      { reason: "Rejected", code: undefined, detail: "x".repeat(200) },
      `The authorization server rejected the authorization: ${"x".repeat(200)}.`
    ]
  ] as const)("fails with an error of the authorization server: %#", ([parameters, expected, message]) =>
    Effect.gen(function* () {
      const { completed, requests } = yield* come({}, { tenant: "acme" }, parameters)
      const error = yield* Effect.flip(completed)
      expect(error).toMatchObject({ _tag: "AuthorizationError", ...expected })
      expect(error.message).toBe(message)
      expect(requests).toEqual([])
    })
  )

  const reset = broken({ code: "ECONNRESET" })
  const final: ReadonlyArray<readonly [title: string, Answer, object]> = [
    [
      "a rejected code",
      () => json({ error: "invalid_grant", error_description: code }, 400),
      { reason: "Rejected", code: "invalid_grant" }
    ],
    ["a reset after the code was sent", reset, { reason: "Lost" }],
    ["a gateway that got no response", () => new Response("", { status: 504 }), { reason: "Lost" }],
    ["a response that is not JSON", () => new Response("<html>"), { reason: "Lost" }],
    ["a response without an access token", () => json({ refresh_token: refreshToken }), { reason: "Lost" }],
    [
      "a response without a refresh token",
      () => issued({ refresh_token: null }),
      { reason: "Lost", detail: "the response has no refresh token" }
    ]
  ]
  it.effect.each(final)("never sends the code again after %s", ([, answer, expected]) =>
    Effect.gen(function* () {
      const { completed, pending, requests, shelf } = yield* come({ token: [answer] }, { tenant: "acme" })
      const error = yield* Effect.flip(RetryPolicy.retry()(completed))
      expect(error).toMatchObject({ _tag: "AuthorizationError", ...expected })
      expect([requests.length, shelf.stored.size]).toEqual([1, 0])
      const secrets = [code, accessToken, refreshToken, clientSecret, Redacted.value(pending.codeVerifier)]
      expect(leaks(error, ...secrets)).toEqual([])
    })
  )

  it.effect("gives a code up that no response came for in time", () =>
    Effect.gen(function* () {
      const { completed, requests } = yield* come({ token: [() => Effect.never] }, { tenant: "acme" })
      const fiber = yield* Effect.fork(Effect.flip(completed))
      yield* settled
      yield* TestClock.adjust("11 seconds")
      expect(yield* Fiber.join(fiber)).toMatchObject({ _tag: "AuthorizationError", reason: "Lost" })
      expect(requests).toHaveLength(1)
    })
  )

  it.effect.each([
    ["was not sent", broken({ code: "ECONNREFUSED" })],
    ["was met by 503", () => new Response("", { status: 503 })],
    ["was met by temporarily_unavailable", () => json({ error: "temporarily_unavailable" }, 400)]
  ] as const)("leaves it to a retry policy to send a code again that %s", ([, answer]) =>
    Effect.gen(function* () {
      const { completed, requests } = yield* come({ token: [answer, () => issued()] }, { tenant: "acme" })
      const error = yield* Effect.flip(completed)
      expect(error).toMatchObject({ _tag: "Infrastructure", reason: "TokenEndpoint", server: "auth.pleo.io" })
      expect(requests).toHaveLength(1)

      const again = yield* come({ token: [answer, () => issued()] }, { tenant: "acme" })
      const fiber = yield* Effect.fork(RetryPolicy.retry()(again.completed))
      yield* settled
      yield* TestClock.adjust("20 seconds")
      expect(yield* Fiber.join(fiber)).toBe("acme")
      expect(again.requests).toHaveLength(2)
    })
  )

  it.effect("names the option for a client that is not known so", () =>
    Effect.gen(function* () {
      const { completed } = yield* come(
        { token: [() => json({ error: "invalid_client" }, 401)] },
        { tenant: "acme" }
      )
      const error = yield* Effect.flip(completed)
      expect(error).toMatchObject({ _tag: "Unauthorized", reason: "Unauthenticated", tenant: "acme" })
      expect(error.message).toContain("clientAuthentication, which is client_secret_post")
    })
  )

  it.effect("asks again who it is when the API fails for a while", () =>
    Effect.gen(function* () {
      const { completed, requests } = yield* come({
        api: [() => new Response("", { status: 503 }), broken({ code: "ECONNRESET" }), () => introspected()]
      })
      const fiber = yield* Effect.fork(completed)
      yield* settled
      yield* TestClock.adjust("30 seconds")
      expect(yield* Fiber.join(fiber)).toBe(subject)
      expect(requests).toHaveLength(4)
    })
  )

  it.effect.each([
    ["is refused", () => new Response(accessToken, { status: 401 })],
    ["names no subject", () => introspected({ subjectURN: undefined })],
    ["names an empty subject", () => introspected({ subjectURN: "" })]
  ] as const)("is lost when introspection %s", ([, answer]) =>
    Effect.gen(function* () {
      const { completed, shelf } = yield* come({ api: [answer] })
      const error = yield* Effect.flip(RetryPolicy.retry()(completed))
      expect(error).toMatchObject({ _tag: "AuthorizationError", reason: "Lost" })
      expect(error.message).toContain("introspection names no tenant")
      expect(leaks(error, accessToken)).toEqual([])
      expect(shelf.stored.size).toBe(0)
    })
  )

  it.effect("stores the tokens as soon as the store works again", () =>
    Effect.gen(function* () {
      const { completed, requests, shelf } = yield* come({}, { tenant: "acme" })
      shelf.next.push("fails", "works", "fails", "dies")
      const fiber = yield* Effect.fork(completed)
      yield* settled
      yield* TestClock.adjust("5 seconds")
      expect(yield* Fiber.join(fiber)).toBe("acme")
      expect([requests.length, shelf.only._tag]).toEqual([1, "Active"])
    })
  )

  it.effect.each(["down", "stuck"])("is lost when the store is %s for too long", (store) =>
    Effect.gen(function* () {
      const { completed, requests, shelf } = yield* come({}, { tenant: "acme" })
      if (store === "down") shelf.isDown = true
      else shelf.next.push("hangs")
      const fiber = yield* Effect.fork(Effect.flip(RetryPolicy.retry()(completed)))
      yield* settled
      yield* TestClock.adjust("11 seconds")
      const error = yield* Fiber.join(fiber)
      expect(error).toMatchObject({ _tag: "AuthorizationError", reason: "Lost" })
      expect(requests).toHaveLength(1)
    })
  )

  it.effect("connects a customer who closes the browser meanwhile", () =>
    Effect.gen(function* () {
      const { completed, requests, shelf } = yield* come(
        { token: [() => Effect.delay(Effect.succeed(issued()), "1 second")] },
        { tenant: "acme" }
      )
      const fiber = yield* Effect.fork(completed)
      while (requests.length === 0) yield* Effect.yieldNow()
      const interruption = yield* Effect.fork(Fiber.interrupt(fiber))
      yield* settled
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(interruption)
      expect(shelf.only._tag).toBe("Active")
    })
  )

  it.effect("replaces what an earlier consent left", () =>
    Effect.gen(function* () {
      const { complete, shelf } = setUp({
        token: [() => issued({ access_token: "first" }), () => issued({ access_token: "second" })]
      })
      for (const expected of ["first", "second"]) {
        const { pending } = yield* begin
        yield* complete(pending, callbackWith(pending), { tenant: "acme" })
        const { only } = shelf
        expect(only._tag === "Active" && Redacted.value(only.tokens.accessToken)).toBe(expected)
      }
      expect(shelf.stored.size).toBe(1)
    })
  )

  it.effect("writes no secret into spans and logs", () =>
    Effect.gen(function* () {
      const { spans, tracer } = recordingTracer()
      const lines: Array<string> = []
      const logger = Logger.map(Logger.logfmtLogger, (line) => lines.push(line))
      const { completed, pending } = yield* come()
      yield* completed.pipe(
        Effect.withTracer(tracer),
        Logger.withMinimumLogLevel(LogLevel.All),
        Effect.provide(Logger.replace(Logger.defaultLogger, logger))
      )
      expect(spans.map(({ name }) => name)).toContain("POST /oauth/token")
      expect(lines.join("\n")).toContain("POST /oauth/token Issued")
      const told = spans.map(({ attributes, events, name, status }) => ({
        attributes: [...attributes],
        events,
        name,
        exit: status._tag === "Ended" ? status.exit : undefined
      }))
      const secrets = [pending.state, pending.codeVerifier].map(Redacted.value)
      for (const secret of [code, accessToken, refreshToken, clientSecret, ...secrets]) {
        expect(lines.join("\n")).not.toContain(secret)
        expect(leaks(told, secret)).toEqual([])
      }
    })
  )

  it.effect.prop("accepts no state but its own", [Schema.String], ([state]) =>
    Effect.gen(function* () {
      const { complete, requests } = setUp()
      const { pending } = yield* begin
      const query = new URLSearchParams({ code, state })
      const result = yield* Effect.either(complete(pending, `/?${query}`, { tenant: "acme" }))
      expect(Either.isLeft(result)).toBe(true)
      expect(requests).toEqual([])
    })
  )
})
