// A customer's grant in a sandbox, and a client that has it in its store.

import * as FetchInstallationService from "@effect-pleo/core/FetchInstallationService"
import type { InstallationError } from "@effect-pleo/core/InstallationError"
import { InstallationService } from "@effect-pleo/core/InstallationService"
import * as OAuth from "@effect-pleo/core/OAuth"
import * as TokenStore from "@effect-pleo/core/TokenStore"
import * as Sandbox from "@effect-pleo/testing/Sandbox"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type * as NodeHttpClient from "../../src/NodeHttpClient.ts"
import * as NodeInstallationService from "../../src/NodeInstallationService.ts"

export const tenant = "customer"
export const clientId = "client-of-the-tests"
export const clientSecret = Redacted.make("canary-of-the-client-secret")

export type Store = TokenStore.TokenStore["Type"]

export interface Customer {
  readonly sandbox: Sandbox.Sandbox["Type"]
  readonly store: Store
  readonly grantId: string
  readonly update: InstallationService["Type"]["update"]
  /** A client of its own on the same store. */
  readonly another: (options?: Partial<OAuth.Options>) => Client
  /** Stores the tokens of a new consent. */
  readonly authorizeAgain: Effect.Effect<void, InstallationError>
  /** The requests to the token endpoint: the generation of the token that was sent, and what became of it. */
  readonly refreshes: Effect.Effect<ReadonlyArray<string>>
  /** The status of each update that arrived, with the generation of the token that it carried. */
  readonly updates: Effect.Effect<ReadonlyArray<string>>
}

type Client = Effect.Effect<InstallationService["Type"]["update"], InstallationError, Scope.Scope>

export interface Options {
  readonly transport?: "node" | "fetch"
  /** The life of the tokens, as the sandbox counts it. Default: an hour. */
  readonly expiresIn?: Duration.DurationInput
  /** The life of the first tokens, as the store has it. Default: that of the sandbox. */
  readonly storedFor?: Duration.DurationInput
  readonly store?: Store
  /** Of the transport of this package. */
  readonly sockets?: NodeHttpClient.Options
}

export const makeMemoryStore: Effect.Effect<Store, never, Scope.Scope> = Effect.map(
  Layer.build(TokenStore.layerMemory),
  Context.get(TokenStore.TokenStore)
)

/** A client of this server and its token endpoint, on a store. */
export const open = (
  transport: "node" | "fetch",
  server: string,
  store: Store,
  options?: Partial<OAuth.Options>,
  sockets: NodeHttpClient.Options = {}
): Client => {
  const credentials = OAuth.credentials({
    tenant,
    clientId,
    clientSecret,
    tokenEndpoint: tokenEndpointOf(server),
    ...options
  })
  const service =
    transport === "node"
      ? NodeInstallationService.layer({ server, credentials, ...sockets })
      : FetchInstallationService.layer({ server, credentials })
  return Effect.map(
    Layer.build(Layer.provide(service, Layer.succeed(TokenStore.TokenStore, store))),
    (context) => Context.get(context, InstallationService).update
  )
}

/** Stores the tokens of a customer's consent. */
export const storeTokens = (server: string, store: Store, tokens: OAuth.Tokens) =>
  Effect.provideService(
    OAuth.storeTokens({ tenant, clientId, tokenEndpoint: tokenEndpointOf(server) }, tokens),
    TokenStore.TokenStore,
    store
  )

const tokenEndpointOf = (server: string) => `${server}/oauth/token`

export const setUp = (options: Options = {}): Effect.Effect<Customer, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const sandbox = Context.get(yield* Layer.build(Sandbox.layer()), Sandbox.Sandbox)
    const store = options.store ?? (yield* makeMemoryStore)
    const { expiresIn, sockets, transport = "node" } = options
    const authorize = Effect.gen(function* () {
      const grant = yield* sandbox.authorize(expiresIn === undefined ? {} : { expiresIn })
      yield* storeTokens(sandbox.url, store, { ...grant, expiresIn: options.storedFor ?? grant.expiresIn })
      return grant
    })
    const another: Customer["another"] = (own) => open(transport, sandbox.url, store, own, sockets)
    const grant = yield* authorize
    const seen = <A>(path: string, pick: (request: Recorded) => A) =>
      Effect.map(sandbox.requests, (requests) =>
        requests.filter((request) => request.path === path).map(pick)
      )
    return {
      sandbox,
      store,
      grantId: grant.id,
      update: yield* another(),
      another,
      authorizeAgain: Effect.asVoid(authorize),
      refreshes: seen("/oauth/token", ({ grant }) => `${grant?.generation} ${grant?.outcome}`),
      updates: seen("/v1/installations/me", ({ grant, status }) => `${grant?.generation} ${status}`)
    }
  })

type Recorded = Effect.Effect.Success<Sandbox.Sandbox["Type"]["requests"]>[number]
