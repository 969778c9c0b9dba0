// An authorisation server and Pleo's API in memory, behind an HttpClient, and processes that share a store.
import * as HttpClient from "@effect/platform/HttpClient"
import { type HttpClientError, RequestError } from "@effect/platform/HttpClientError"
import type { HttpClientRequest } from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { Authorization } from "../../src/Authorization.ts"
import * as InstallationClient from "../../src/InstallationClient.ts"
import { InstallationService } from "../../src/InstallationService.ts"
import * as OAuth from "../../src/OAuth.ts"
import { type Stored, TokenStore, TokenStoreError } from "../../src/TokenStore.ts"
import { authorizationOf, bodyOf, installation } from "./http.ts"

export const clientId = "client-of-the-tests"
export const clientSecret = "canary-of-the-client-secret"

export type Store = TokenStore["Type"]

interface Pair {
  readonly tenant: string
  readonly accessToken: string
  readonly refreshToken: string
}

/** What becomes of a request: `answer` is what the server does with it, when it is carried out. */
export type Fault = (
  answer: () => Response,
  request: HttpClientRequest
) => Effect.Effect<Response, HttpClientError>

export const broken = (request: HttpClientRequest, cause: object) =>
  Effect.fail(new RequestError({ request, reason: "Transport", cause }))

export const status =
  (status: number, body = "", headers: Readonly<Record<string, string>> = {}): Fault =>
  () =>
    Effect.succeed(new Response(body === "" ? null : body, { status, headers }))

export const oauthError = (code: string, of = 400): Fault => status(of, JSON.stringify({ error: code }))

export const unsent: Fault = (_, request) => broken(request, { code: "ECONNREFUSED" })

/** Carried out, and the response does not arrive. */
export const lost: Fault = (answer, request) =>
  Effect.suspend(() => {
    answer()
    return broken(request, { code: "ECONNRESET" })
  })

/** Carried out, and not answered. */
export const hang: Fault = (answer) =>
  Effect.suspend(() => {
    answer()
    return Effect.never
  })

export const slow =
  (duration: Duration.DurationInput): Fault =>
  (answer) =>
    Effect.delay(Effect.sync(answer), duration)

/** Carried out, with this in the place of the response. */
export const answered =
  (change: (answer: Record<string, unknown>) => unknown): Fault =>
  (answer) =>
    Effect.promise(async () => {
      const changed = change((await answer().json()) as Record<string, unknown>)
      return new Response(typeof changed === "string" ? changed : JSON.stringify(changed))
    })

export class Server {
  expiresIn: unknown = 3600
  readonly tokenFaults: Array<Fault> = []
  readonly updateFaults: Array<Fault> = []
  /** The refresh tokens that arrived. */
  readonly presented: Array<string> = []
  /** Those of them that had been used up, or were never given out. */
  readonly replayed: Array<string> = []
  /** The requests to the token endpoint, as they were sent. */
  readonly tokenRequests: Array<HttpClientRequest> = []
  /** The access token of each update, and the status it was answered with. */
  readonly updates: Array<string> = []
  exchanging = 0
  mostExchanging = 0
  readonly #active = new Map<string, Pair>()
  readonly #tenants = new Map<string, string>()
  #issued = 0

  readonly client: HttpClient.HttpClient = HttpClient.make((request) =>
    Effect.map(
      Effect.suspend(() => (request.url.endsWith("/token") ? this.#token(request) : this.#update(request))),
      (response) => HttpClientResponse.fromWeb(request, response)
    )
  )

  /** The tokens that a consent brings. Those of earlier ones stay. */
  authorize(tenant = "default"): Pair {
    const number = ++this.#issued
    const pair = {
      tenant,
      accessToken: `access-canary-${number}`,
      refreshToken: `refresh-canary-${number}`
    }
    this.#active.set(pair.refreshToken, pair)
    this.#tenants.set(pair.refreshToken, tenant)
    return pair
  }

  /** Ends every token of a customer. */
  revoke(tenant = "default"): void {
    for (const [refreshToken, pair] of this.#active)
      if (pair.tenant === tenant) this.#active.delete(refreshToken)
  }

  #token(request: HttpClientRequest) {
    this.tokenRequests.push(request)
    const refreshToken = new URLSearchParams(bodyOf(request)).get("refresh_token") ?? ""
    const answer = () => this.#rotate(refreshToken)
    const fault = this.tokenFaults.shift()
    return Effect.acquireUseRelease(
      Effect.sync(() => {
        this.exchanging += 1
        this.mostExchanging = Math.max(this.mostExchanging, this.exchanging)
      }),
      () => (fault === undefined ? Effect.sync(answer) : fault(answer, request)),
      () =>
        Effect.sync(() => {
          this.exchanging -= 1
        })
    )
  }

  #rotate(refreshToken: string): Response {
    this.presented.push(refreshToken)
    const pair = this.#active.get(refreshToken)
    if (pair === undefined) {
      this.replayed.push(refreshToken)
      const tenant = this.#tenants.get(refreshToken)
      if (tenant !== undefined) this.revoke(tenant)
      return new Response(JSON.stringify({ error: "invalid_grant" }), { status: 400 })
    }
    this.#active.delete(refreshToken)
    const next = this.authorize(pair.tenant)
    return new Response(
      JSON.stringify({
        access_token: next.accessToken,
        refresh_token: next.refreshToken,
        token_type: "Bearer",
        ...(this.expiresIn === undefined ? {} : { expires_in: this.expiresIn })
      })
    )
  }

  #update(request: HttpClientRequest) {
    const accessToken = authorizationOf(request)?.slice("Bearer ".length) ?? ""
    const answer = () =>
      [...this.#active.values()].some((pair) => pair.accessToken === accessToken)
        ? installation()
        : new Response("", { status: 401 })
    const fault = this.updateFaults.shift()
    return Effect.tap(fault === undefined ? Effect.sync(answer) : fault(answer, request), (response) =>
      Effect.sync(() => this.updates.push(`${accessToken} ${response.status}`))
    )
  }
}

/** A store in memory that does what it is told to: nothing, fail, hang, or keep what it says it has not. */
export class Shelf {
  readonly stored = new Map<string, Stored>()
  readonly history: Array<Authorization["_tag"]> = []
  /** What becomes of the next operations. */
  readonly next: Array<"works" | "fails" | "hangs" | "stores, and fails" | "dies" | "throws"> = []
  isDown = false
  isReadOnly = false
  loads = 0

  readonly store: Store = TokenStore.of({
    load: (key) =>
      this.#operate("load", () => {
        this.loads += 1
        return Option.fromNullable(this.stored.get(key))
      }),
    save: (key, expected, authorization) =>
      this.#operate("save", () => {
        if ((this.stored.get(key)?.generation ?? 0) !== expected) return false
        this.stored.set(key, { generation: expected + 1, authorization })
        this.history.push(authorization._tag)
        return true
      }),
    list: (prefix) =>
      this.#operate("list", () => ({
        entries: Array.from(this.stored, ([key, { authorization }]) => ({ key, authorization })).filter(
          ({ key }) => key.startsWith(prefix)
        ),
        cursor: undefined
      }))
  })

  /** What is stored, of the only customer. */
  get only(): Authorization {
    const [stored] = this.stored.values()
    if (stored === undefined) throw new Error("nothing is stored")
    return stored.authorization
  }

  #operate<A>(operation: TokenStoreError["operation"], run: () => A): Effect.Effect<A, TokenStoreError> {
    if (this.next[0] === "throws") {
      this.next.shift()
      throw new Error("thrown by the store")
    }
    return Effect.suspend(() => {
      const error = Effect.fail(new TokenStoreError({ operation, code: "ENOSPC" }))
      if (this.isDown || (this.isReadOnly && operation === "save")) return error
      switch (this.next.shift()) {
        case undefined:
        case "works":
          return Effect.sync(run)
        case "fails":
          return error
        case "hangs":
          return Effect.never
        case "stores, and fails":
          run()
          return error
        case "dies":
        case "throws":
          return Effect.dieMessage("a defect of the store")
      }
    })
  }
}

export const storeTokens = (
  store: Store,
  pair: Pair,
  expiresIn: Duration.DurationInput | undefined = "1 hour"
) =>
  OAuth.storeTokens(
    { clientId, tenant: pair.tenant },
    {
      accessToken: Redacted.make(pair.accessToken),
      refreshToken: Redacted.make(pair.refreshToken),
      ...(expiresIn === undefined ? {} : { expiresIn })
    }
  ).pipe(Effect.provideService(TokenStore, store))

/** A client as a process of its own would have it. */
const startService = (
  server: Server,
  store: Store,
  options: Partial<OAuth.Options> = {}
): Effect.Effect<InstallationService["Type"], never, Scope.Scope> =>
  InstallationClient.layer({
    credentials: OAuth.credentials({
      clientId,
      clientSecret: Redacted.make(clientSecret),
      tenant: "default",
      ...options
    })
  }).pipe(
    Layer.provide(
      Layer.merge(Layer.succeed(TokenStore, store), Layer.succeed(HttpClient.HttpClient, server.client))
    ),
    Layer.build,
    Effect.map((context) => Context.get(context, InstallationService)),
    Effect.orDie
  )

export const startProcess = (server: Server, store: Store, options?: Partial<OAuth.Options>) =>
  Effect.map(startService(server, store, options), ({ update }) => update)

/** A customer whose tokens are stored, and a process with its client. */
export const setUpService = (expiresIn?: Duration.DurationInput, options?: Partial<OAuth.Options>) =>
  Effect.gen(function* () {
    const server = new Server()
    const shelf = new Shelf()
    yield* storeTokens(shelf.store, server.authorize(), expiresIn)
    return { server, shelf, service: yield* startService(server, shelf.store, options) }
  })

/** A customer whose tokens are stored, and a process that updates the installation. */
export const setUp = (expiresIn?: Duration.DurationInput, options?: Partial<OAuth.Options>) =>
  Effect.map(setUpService(expiresIn, options), ({ service, ...others }) => ({
    ...others,
    update: service.update
  }))

/** Lets what can go on without the clock go on. */
export const settled = Effect.repeatN(Effect.yieldNow(), 100)
