import { describe, expect, it } from "@effect/vitest"
import * as ConfigError from "effect/ConfigError"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Credentials from "../src/Credentials.ts"
import * as OAuth from "../src/OAuth.ts"
import { TokenStore } from "../src/TokenStore.ts"
import * as FakeOAuth from "./support/fakeOAuth.ts"
import { activated, answering, authorizationOf, bearer, installation, send } from "./support/http.ts"
import { leaks } from "./support/probes.ts"

const complete = { PLEO_CLIENT_ID: "id", PLEO_CLIENT_SECRET: "secret" }

const configured = (variables: Readonly<Record<string, string>>, shelf = new FakeOAuth.Shelf()) =>
  OAuth.config.pipe(
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables)))),
    Effect.provideService(TokenStore, shelf.store)
  )

describe("OAuth.config", () => {
  it.scoped.each<Readonly<Record<string, string>>>([
    complete,
    { ...complete, PLEO_SERVER: "staging", PLEO_TENANT: "customer" },
    { ...complete, PLEO_SERVER: "https://proxy.test", PLEO_TOKEN_ENDPOINT: "https://proxy.test/token" },
    { ...complete, PLEO_TOKEN_ENDPOINT: "staging" },
    { ...complete, PLEO_CLIENT_AUTHENTICATION: "client_secret_post" },
    { ...complete, PLEO_CLIENT_AUTHENTICATION: "client_secret_basic" },
    { ...complete, PLEO_TENANT: "", PLEO_SERVER: "", PLEO_TOKEN_ENDPOINT: "", PLEO_API_KEY: "" }
  ])("takes %j", (variables) => Effect.asVoid(configured(variables)))

  it.effect("takes empty variables for unset ones", () =>
    Effect.gen(function* () {
      const variables = {
        PLEO_CLIENT_ID: "id",
        PLEO_CLIENT_SECRET: "secret",
        PLEO_CLIENT_AUTHENTICATION: "",
        PLEO_SERVER: "",
        PLEO_TOKEN_ENDPOINT: ""
      }
      const client = yield* Effect.withConfigProvider(
        OAuth.clientConfig,
        ConfigProvider.fromMap(new Map(Object.entries(variables)))
      )
      expect(client).toEqual({
        clientId: "id",
        clientSecret: Redacted.make("secret"),
        clientAuthentication: undefined,
        server: "production",
        tokenEndpoint: "production"
      })
    })
  )

  const noEndpoint =
    '(Missing data at PLEO_TOKEN_ENDPOINT: "Set PLEO_TOKEN_ENDPOINT to a URL, since PLEO_SERVER is neither production nor staging")'
  const noClient = `(Missing data at PLEO_CLIENT_ID: "Set PLEO_CLIENT_ID to the app's client ID")`
  const noSecret = `(Missing data at PLEO_CLIENT_SECRET: "Set PLEO_CLIENT_SECRET to the app's client secret")`
  const fixed = (name: string) =>
    `(Invalid data at ${name}: "is not used beside PLEO_CLIENT_ID and PLEO_CLIENT_SECRET: unset it, or them")`

  it.scoped.each<readonly [string, Readonly<Record<string, string>>]>([
    [noClient, { PLEO_CLIENT_SECRET: "canary" }],
    [noClient, { ...complete, PLEO_CLIENT_ID: "" }],
    [noSecret, { PLEO_CLIENT_ID: "id" }],
    [noSecret, { ...complete, PLEO_CLIENT_SECRET: "" }],
    [
      '(Invalid data at PLEO_CLIENT_SECRET: "ends with a line break")',
      { ...complete, PLEO_CLIENT_SECRET: "canary\n" }
    ],
    ['(Invalid data at PLEO_CLIENT_ID: "ends with a line break")', { ...complete, PLEO_CLIENT_ID: "id\n" }],
    ['(Invalid data at PLEO_TENANT: "is blank")', { ...complete, PLEO_TENANT: " " }],
    [
      '(Invalid data at PLEO_CLIENT_AUTHENTICATION: "expected client_secret_post or client_secret_basic")',
      { ...complete, PLEO_CLIENT_AUTHENTICATION: "client_secret_jwt" }
    ],
    [fixed("PLEO_ACCESS_TOKEN"), { ...complete, PLEO_ACCESS_TOKEN: "canary" }],
    [fixed("PLEO_API_KEY"), { ...complete, PLEO_API_KEY: "canary" }],
    [
      '(Invalid data at PLEO_TOKEN_ENDPOINT: "expected an https URL, or an http URL of this machine (127.0.0.1, localhost)")',
      { ...complete, PLEO_TOKEN_ENDPOINT: "http://elsewhere.test/token" }
    ],
    [
      '(Invalid data at PLEO_TOKEN_ENDPOINT: "expected a URL without user info")',
      { ...complete, PLEO_TOKEN_ENDPOINT: "https://user:canary@elsewhere.test/token" }
    ],
    [noEndpoint, { ...complete, PLEO_SERVER: "https://proxy.test" }]
  ])("fails with %s: %j", ([message, variables]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(configured(variables))
      expect(ConfigError.isConfigError(error)).toBe(true)
      expect(String(error)).toBe(message)
    })
  )
})

describe("OAuth.credentials", () => {
  it.scoped("refuses a client secret that ends with a line break, and does not show it", () =>
    Effect.gen(function* () {
      const options = { clientId: "id", clientSecret: Redacted.make("canary\n") }
      const error = yield* Effect.flip(
        Effect.provideService(OAuth.credentials(options), TokenStore, new FakeOAuth.Shelf().store)
      )
      expect(error.issues).toEqual([{ path: ["clientSecret"], message: "ends with a line break" }])
      expect(leaks(error, "canary")).toEqual([])
    })
  )
})

describe("PLEO_CLIENT_AUTHENTICATION", () => {
  it.scoped.each([
    [{}, undefined],
    [{ PLEO_CLIENT_AUTHENTICATION: "client_secret_basic" }, `Basic ${btoa("id:secret")}`]
  ] as const)("decides how the app authenticates: %j", ([variables, authorization]) =>
    Effect.gen(function* () {
      const server = new FakeOAuth.Server()
      const shelf = new FakeOAuth.Shelf()
      yield* OAuth.storeTokens(
        { clientId: "id", tenant: "acme" },
        { accessToken: Redacted.make("a"), refreshToken: Redacted.make("r"), expiresIn: 0 }
      ).pipe(Effect.provideService(TokenStore, shelf.store))
      const credentials = configured({ ...complete, ...variables, PLEO_TENANT: "acme" }, shelf)
      yield* Effect.flip(Credentials.use(send(server.client, { credentials: bearer("other") }), credentials))
      expect(server.tokenRequests.map(authorizationOf)).toEqual([authorization])
    })
  )
})

describe("OAuth.tenant", () => {
  it.effect("is refused by name when it is empty", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(OAuth.tenant(""))
      expect(error).toMatchObject({ _tag: "BadRequest", issues: [{ path: ["tenant"], message: "is empty" }] })
    })
  )

  it.effect("is named when the layer has no OAuth credentials, and nothing is sent", () =>
    Effect.gen(function* () {
      const { client, requests } = answering(() => installation())
      const error = yield* Effect.flip(
        Credentials.use(send(client, { credentials: bearer("token") }), OAuth.tenant("customer"))
      )
      expect(error._tag).toBe("BadRequest")
      expect(error.message).toContain("tenant: the layer has no OAuth credentials")
      expect(requests).toEqual([])
    })
  )
})

describe("a layer for many customers", () => {
  const many = Effect.gen(function* () {
    const server = new FakeOAuth.Server()
    const shelf = new FakeOAuth.Shelf()
    for (const tenant of ["default", "acme"])
      yield* FakeOAuth.storeTokens(shelf.store, server.authorize(tenant))
    return { server, update: yield* FakeOAuth.startProcess(server, shelf.store, { tenant: undefined }) }
  })

  it.scoped("refuses an update without Credentials.use, and sends nothing for any customer", () =>
    Effect.gen(function* () {
      const { server, update } = yield* many
      const error = yield* Effect.flip(update(activated))
      expect(error).toMatchObject({ _tag: "BadRequest", isRetryable: false, mayHaveBeenApplied: false })
      expect(error.message).toContain("Credentials.use(OAuth.tenant(...))")
      expect([server.updates, server.tokenRequests]).toEqual([[], []])
      yield* Credentials.use(update(activated), OAuth.tenant("acme"))
      expect(server.updates).toEqual(["access-canary-2 200"])
    })
  )

  it.scoped("has no customer of its own unless PLEO_TENANT names it", () =>
    Effect.gen(function* () {
      const { client, requests } = answering(() => installation())
      const without = yield* Effect.flip(
        Credentials.use(send(client, { credentials: bearer("token") }), configured(complete))
      )
      expect(without.message).toContain("Credentials.use(OAuth.tenant(...))")
      const named = configured({ ...complete, PLEO_TENANT: "acme" })
      const error = yield* Effect.flip(Credentials.use(send(client, { credentials: bearer("token") }), named))
      expect(error.message).toContain('tenant "acme"')
      expect(requests).toEqual([])
    })
  )

  it.effect("stores no tokens without a tenant", () =>
    Effect.gen(function* () {
      const shelf = new FakeOAuth.Shelf()
      const pair = new FakeOAuth.Server().authorize()
      for (const tenant of [undefined, ""]) {
        // JavaScript has no compiler that asks for it.
        const nameless = { ...pair, tenant: tenant as string }
        const error = yield* Effect.flip(FakeOAuth.storeTokens(shelf.store, nameless))
        expect(error).toMatchObject({ _tag: "BadRequest", issues: [{ path: ["tenant"] }] })
      }
      expect(shelf.history).toEqual([])
    })
  )
})

describe("closing the layer", () => {
  it.live("waits until what was sent is answered and stored", () =>
    Effect.gen(function* () {
      const server = new FakeOAuth.Server()
      const shelf = new FakeOAuth.Shelf()
      yield* FakeOAuth.storeTokens(shelf.store, server.authorize(), 0)
      const scope = yield* Scope.make()
      const update = yield* Scope.extend(FakeOAuth.startProcess(server, shelf.store), scope)
      const isSent = yield* Deferred.make<void>()
      const goOn = yield* Deferred.make<void>()
      server.tokenFaults.push((answer) =>
        Effect.zipRight(Deferred.succeed(isSent, undefined), Effect.as(Deferred.await(goOn), undefined)).pipe(
          Effect.map(answer)
        )
      )
      const fiber = yield* Effect.fork(update(activated))
      yield* Deferred.await(isSent)
      yield* Fiber.interrupt(fiber)
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* FakeOAuth.settled
      expect(closing.unsafePoll()).toBeNull()
      yield* Deferred.succeed(goOn, undefined)
      yield* Fiber.join(closing)
      expect(shelf.only._tag).toBe("Active")
      expect(server.presented).toEqual(["refresh-canary-1"])
      const other = yield* Effect.scoped(
        Effect.flatMap(FakeOAuth.startProcess(server, shelf.store), (update) => update(activated))
      )
      expect(other).toMatchObject({ status: "ACTIVATED" })
      expect(server.presented).toEqual(["refresh-canary-1"])
    })
  )

  it.live("leaves expired tokens alone from then on", () =>
    Effect.gen(function* () {
      const server = new FakeOAuth.Server()
      const shelf = new FakeOAuth.Shelf()
      yield* FakeOAuth.storeTokens(shelf.store, server.authorize(), 0)
      const update = yield* Effect.scoped(FakeOAuth.startProcess(server, shelf.store))
      expect(yield* Effect.flip(update(activated))).toMatchObject({
        reason: "TokenEndpoint",
        code: "UND_ERR_CLOSED"
      })
      expect(server.tokenRequests).toEqual([])
      expect(shelf.history).toEqual(["Active"])
    })
  )
})
