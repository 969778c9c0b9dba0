/**
 * OAuth tokens of an app's customers, from their consent on: requested, stored, and refreshed.
 *
 * @since 0.1.0
 * @module
 */
import { HttpClient } from "@effect/platform/HttpClient"
import type { ConfigError } from "effect/ConfigError"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { bearer, type Credentials } from "./Credentials.ts"
import * as InstallationClient from "./InstallationClient.ts"
import {
  BadRequest,
  type Infrastructure,
  type InstallationError,
  type Issue,
  Unauthorized
} from "./InstallationError.ts"
import { baseUrl, checkUrl, type Server, servers, tokenEndpoints } from "./internal/contract/servers.ts"
import * as internal from "./internal/credentials/credentials.ts"
import { optional, required, unset } from "./internal/credentials/variables.ts"
import { locate } from "./internal/http/failure.ts"
import { senderOver } from "./internal/httpClient.ts"
import type { AuthorizationError, PendingAuthorization } from "./internal/oauth/authorizationCode.ts"
import * as Code from "./internal/oauth/authorizationCode.ts"
import { put, putInTime } from "./internal/oauth/refresh.ts"
import { Sessions } from "./internal/oauth/sessions.ts"
import { list, type Tenant } from "./internal/oauth/tenants.ts"
import { exchange, type App as TokenApp } from "./internal/oauth/tokenEndpoint.ts"
import * as RetryPolicy from "./RetryPolicy.ts"
import { TokenStore } from "./TokenStore.ts"

export { AuthorizationError, PendingAuthorization } from "./internal/oauth/authorizationCode.ts"
export type { Tenant }

type ClientAuthentication = TokenApp["clientAuthentication"]

interface App {
  readonly clientId: string
  /** `"production"` (the default), `"staging"`, or a URL: `https`, or `http` to this machine. */
  readonly tokenEndpoint?: keyof typeof tokenEndpoints | (string & {}) | URL | undefined
}

interface Client extends App {
  /** For servers only: a browser reveals it, and cannot tell whether a refresh token was sent. */
  readonly clientSecret: Redacted.Redacted
  /** How the app authenticates to the token endpoint: in the form (the default), or by HTTP Basic. */
  readonly clientAuthentication?: ClientAuthentication | undefined
  /** Limits the token request, and then saving its result. A request that times out is lost. Default: 10 seconds. */
  readonly timeout?: Duration.DurationInput | undefined
}

/**
 * The app's own credentials, and how its customers' tokens are refreshed.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Client {
  /** The only customer, by your name for it. If absent, each update needs `Credentials.use(OAuth.tenant(...))`. */
  readonly tenant?: string | undefined
}

/**
 * The tokens in a response of the token endpoint.
 *
 * @since 0.1.0
 * @category models
 */
export interface Tokens {
  readonly accessToken: Redacted.Redacted
  readonly refreshToken: Redacted.Redacted
  /** `expires_in`, from now on. If absent, the access token is used until it is rejected. */
  readonly expiresIn?: Duration.DurationInput | undefined
}

const issuesOf = (path: string, message: string | undefined): ReadonlyArray<Issue> =>
  message === undefined ? [] : [{ path: [path], message }]

/** Why a name cannot be part of a key. */
const validateName = (name: string | undefined): string | undefined =>
  internal.validateText(name ?? "") ??
  (/\p{Surrogate}/u.test(name ?? "") ? "has half of a character (a lone surrogate)" : undefined)

const parseApp = (
  { clientId, tokenEndpoint = "production" }: App,
  others: ReadonlyArray<Issue>
): Either.Either<{ readonly url: URL; readonly keyOf: (tenant: string) => string }, BadRequest> => {
  const url = checkUrl(tokenEndpoint, tokenEndpoints)
  const issues = [
    ...issuesOf("clientId", validateName(clientId)),
    ...others,
    ...(Either.isLeft(url) ? issuesOf("tokenEndpoint", url.left) : [])
  ]
  if (Either.isLeft(url) || issues.length > 0) return Either.left(new BadRequest({ issues }))
  const app = [url.right.href, clientId].map(encodeURIComponent).join("/")
  const keyOf = (tenant: string) => `${app}/${encodeURIComponent(tenant)}`
  return Either.right({ url: url.right, keyOf })
}

/** Valid settings of the token endpoint, and the keys of its customers in the store. */
const parseClient = (client: Client, tenant: string | undefined, others: ReadonlyArray<Issue> = []) => {
  const { clientAuthentication = "client_secret_post", clientId, clientSecret } = client
  const timeout = Duration.toMillis(client.timeout ?? Duration.seconds(10))
  const app = parseApp(client, [
    ...(tenant === undefined ? [] : issuesOf("tenant", validateName(tenant))),
    ...issuesOf("clientSecret", internal.validateText(Redacted.value(clientSecret))),
    ...issuesOf("clientAuthentication", validateClientAuthentication(clientAuthentication)),
    ...(timeout > 0 && Number.isFinite(timeout)
      ? []
      : issuesOf("timeout", "expected a finite duration above 0")),
    ...others
  ])
  return Either.map(app, ({ keyOf, url }) => ({
    keyOf,
    settings: { clientId, clientSecret, clientAuthentication, tokenEndpoint: url, timeout }
  }))
}

const validateClientAuthentication = (name: string): string | undefined =>
  name === "client_secret_post" || name === "client_secret_basic"
    ? undefined
    : "expected client_secret_post or client_secret_basic"

const noTenant = () =>
  new BadRequest({
    issues: [{ path: ["tenant"], message: "expected Credentials.use(OAuth.tenant(...)) around the update" }]
  })

/**
 * OAuth tokens in the `TokenStore`, refreshed once for all updates and processes: before they expire, or after a 401.
 * Updates fail with `Unauthorized`, reason `ReauthorizationRequired`, if the customer has to authorize the app again.
 *
 * @example
 * ```ts
 * const credentials = OAuth.credentials({ clientId: "my-app", clientSecret: Redacted.make("secret") })
 * const live = NodeInstallationService.layer({ credentials }).pipe(Layer.provide(TokenStore.layerMemory))
 * ```
 * @since 0.1.0
 * @category constructors
 */
export const credentials = (
  options: Options
): Effect.Effect<Credentials, BadRequest, TokenStore | Scope.Scope> =>
  Effect.gen(function* () {
    const { tenant } = options
    const { keyOf, settings } = yield* parseClient(options, tenant)
    const store = yield* TokenStore
    const sessions = yield* Effect.acquireRelease(
      Effect.sync(() => new Sessions({ ...settings, store })),
      ({ close }) => close
    )
    return internal.make({
      _tag: "App",
      tenant,
      sessionOf: (tenant, clock) => (tenant === undefined ? noTenant() : sessions.of(keyOf(tenant), clock))
    })
  })

/**
 * Selects a customer for `Credentials.use`, in a layer that has `OAuth.credentials`.
 *
 * @example
 * ```ts
 * InstallationService.update({ status: "ACTIVATED" }).pipe(Credentials.use(OAuth.tenant("acme")))
 * ```
 * @since 0.1.0
 * @category constructors
 */
export const tenant = (tenant: string): Effect.Effect<Credentials, BadRequest> => {
  const issues = issuesOf("tenant", validateName(tenant))
  return issues.length > 0
    ? Either.left(new BadRequest({ issues }))
    : Either.right(internal.make({ _tag: "Tenant", tenant }))
}

/**
 * Stores the tokens of a new grant, and replaces previous ones. Running processes pick them up. `tenant` is your name for
 * the customer.
 *
 * @example
 * ```ts
 * const connect = (tenant: string, tokens: OAuth.Tokens) =>
 *   OAuth.storeTokens({ clientId: "my-app", tenant }, tokens)
 * ```
 * @since 0.1.0
 * @category combinators
 */
export const storeTokens = (
  grant: App & { readonly tenant: string },
  tokens: Tokens
): Effect.Effect<void, InstallationError, TokenStore> =>
  Effect.flatMap(parseApp(grant, issuesOf("tenant", validateName(grant.tenant))), ({ keyOf }) =>
    Effect.gen(function* () {
      const { accessToken, expiresIn, refreshToken } = tokens
      yield* bearer(accessToken)
      const issues = issuesOf("refreshToken", internal.validateText(Redacted.value(refreshToken)))
      if (issues.length > 0)
        return yield* Effect.fail(new Unauthorized({ reason: "Unauthenticated", issues }))
      yield* put(yield* TokenStore, keyOf(grant.tenant), {
        accessToken,
        refreshToken,
        receivedAt: yield* DateTime.now,
        ...(expiresIn === undefined ? {} : { expiresIn: Duration.decode(expiresIn) })
      })
    }).pipe(Effect.mapError((error) => locate(error, undefined, grant.tenant)))
  )

/**
 * Begins to connect a customer: `url` is where to redirect its browser, and `pending` what to keep in its session until
 * Pleo redirects it back to `redirectUri`, which has to be registered for the app exactly so.
 *
 * @example
 * ```ts
 * OAuth.authorizationRequest({ clientId: "my-app", redirectUri: "https://example.com/callback", scopes: ["users:read"] })
 * ```
 * @since 0.1.0
 * @category authorization
 */
export const authorizationRequest = (
  options: App & { readonly redirectUri: string; readonly scopes: ReadonlyArray<string> }
): Effect.Effect<{ readonly url: URL; readonly pending: PendingAuthorization }, BadRequest> =>
  Effect.gen(function* () {
    const { clientId, redirectUri, scopes } = options
    const { url } = yield* parseApp(options, [
      ...issuesOf("redirectUri", Code.validateRedirectUri(redirectUri)),
      ...issuesOf("scopes", Code.validateScopes(scopes))
    ])
    const pending = Code.begin(redirectUri)
    return { url: yield* Code.authorizationUrl(url, clientId, scopes, pending), pending }
  })

/** The customer's name at Pleo. */
const subjectOf = (
  server: Server,
  accessToken: Redacted.Redacted
): Effect.Effect<string, AuthorizationError, HttpClient> =>
  InstallationClient.make({ credentials: bearer(accessToken), server }).pipe(
    Effect.flatMap(({ introspect }) => introspect()),
    RetryPolicy.retry(),
    Effect.mapError(({ message }) => Code.lost(`introspection names no tenant. ${message}`)),
    Effect.flatMap(({ subject }) =>
      subject ? Effect.succeed(subject) : Effect.fail(Code.lost("introspection names no tenant"))
    )
  )

/**
 * Connects a customer who comes back with a `callback`, the URL of the request or its path and query: exchanges the code for
 * tokens, stores them, and returns the tenant. After an error that is not retryable, the customer has to start again.
 *
 * @example
 * ```ts
 * const complete = (callback: string, pending: OAuth.PendingAuthorization) =>
 *   Effect.flatMap(OAuth.clientConfig, (client) => OAuth.completeAuthorization({ ...client, callback, pending }))
 * ```
 * @since 0.1.0
 * @category authorization
 */
export const completeAuthorization = (
  options: Client & {
    readonly callback: string | URL
    readonly pending: PendingAuthorization
    /** Your name for the customer. Default: the subject of `introspect`, such as `urn:pleo:company:...`. */
    readonly tenant?: string | undefined
    /** The API, which names the tenant. Default: that of the token endpoint, if this is `"production"` or `"staging"`. */
    readonly server?: Server | undefined
  }
): Effect.Effect<string, AuthorizationError | InstallationError, HttpClient | TokenStore> =>
  Effect.gen(function* () {
    const { callback, pending, tenant, tokenEndpoint = "production" } = options
    const server = options.server ?? (Object.hasOwn(servers, String(tokenEndpoint)) ? tokenEndpoint : "")
    const { keyOf, settings } = yield* parseClient(options, tenant, [
      ...(tenant === undefined && Either.isLeft(baseUrl(server))
        ? issuesOf("server", "expected production, staging or a URL, or the name of a tenant")
        : [])
    ])
    const code = yield* Code.codeOf(callback, pending)
    const sender = senderOver(yield* HttpClient)
    const store = yield* TokenStore
    const grant = {
      grant_type: "authorization_code",
      code,
      redirect_uri: pending.redirectUri,
      code_verifier: Redacted.value(pending.codeVerifier)
    } as const
    const connect = Effect.gen(function* () {
      const tokens = yield* Code.tokensOf(yield* exchange(settings, grant, sender, settings.timeout))
      const name = tenant ?? (yield* subjectOf(server, tokens.accessToken))
      yield* Effect.mapError(putInTime(store, keyOf(name), tokens, settings.timeout), () =>
        Code.lost("they could not be stored")
      )
      return name
    })
    // A code can be used only once: a customer who closes the browser is connected all the same.
    return yield* Effect.mapError(Effect.uninterruptible(connect), (error) =>
      error._tag === "AuthorizationError" ? error : locate(error, settings.tokenEndpoint.host, tenant)
    )
  })

/**
 * The app, configured by `PLEO_CLIENT_ID`, `PLEO_CLIENT_SECRET`, `PLEO_CLIENT_AUTHENTICATION` (default:
 * `client_secret_post`), `PLEO_SERVER` (default: `production`), and `PLEO_TOKEN_ENDPOINT` (default: that of the server). An
 * empty variable is unset.
 *
 * @example
 * ```ts
 * const connect = (tenant: string, tokens: OAuth.Tokens) =>
 *   Effect.flatMap(OAuth.clientConfig, (client) => OAuth.storeTokens({ ...client, tenant }, tokens))
 * ```
 * @since 0.1.0
 * @category config
 */
export const clientConfig: Effect.Effect<Client & { readonly server: string }, ConfigError> =
  /* @__PURE__ */ Effect.gen(function* () {
    const clientId = yield* required("PLEO_CLIENT_ID", "Set PLEO_CLIENT_ID to the app's client ID")
    const server = (yield* optional("PLEO_SERVER")) ?? "production"
    const checkEndpoint = (url: string) => Either.getOrUndefined(Either.flip(checkUrl(url, tokenEndpoints)))
    const tokenEndpoint = Object.hasOwn(tokenEndpoints, server)
      ? ((yield* optional("PLEO_TOKEN_ENDPOINT", checkEndpoint)) ?? server)
      : yield* required(
          "PLEO_TOKEN_ENDPOINT",
          "Set PLEO_TOKEN_ENDPOINT to a URL, since PLEO_SERVER is neither production nor staging",
          checkEndpoint
        )
    const clientSecret = yield* required(
      "PLEO_CLIENT_SECRET",
      "Set PLEO_CLIENT_SECRET to the app's client secret"
    )
    const clientAuthentication = yield* optional("PLEO_CLIENT_AUTHENTICATION", validateClientAuthentication)
    return {
      clientId,
      clientSecret: Redacted.make(clientSecret),
      clientAuthentication: clientAuthentication as ClientAuthentication | undefined,
      server,
      tokenEndpoint
    }
  })

/**
 * `credentials`, configured by the variables of `clientConfig`, and `PLEO_TENANT` (only for a single customer).
 * `PLEO_ACCESS_TOKEN` and `PLEO_API_KEY` have to be unset.
 *
 * @example
 * ```ts
 * const live = NodeInstallationService.layerConfig({ credentials: OAuth.config })
 * ```
 * @since 0.1.0
 * @category config
 */
export const config: Effect.Effect<Credentials, ConfigError | BadRequest, TokenStore | Scope.Scope> =
  /* @__PURE__ */ Effect.suspend(() =>
    Effect.gen(function* () {
      const client = yield* clientConfig
      const tenant = yield* optional("PLEO_TENANT")
      yield* unset(
        ["PLEO_ACCESS_TOKEN", "PLEO_API_KEY"],
        "is not used beside PLEO_CLIENT_ID and PLEO_CLIENT_SECRET: unset it, or them"
      )
      return yield* credentials({ ...client, tenant })
    })
  )

/**
 * The customers of an app in the store, without their tokens, in the store's order. An `Ended` one has to connect again.
 *
 * @example
 * ```ts
 * const lost = Stream.filter(OAuth.tenants({ clientId: "my-app" }), ({ _tag }) => _tag === "Ended")
 * ```
 * @since 0.1.0
 * @category getters
 */
export const tenants = (app: App): Stream.Stream<Tenant, BadRequest | Infrastructure, TokenStore> =>
  Stream.unwrap(Effect.zipWith(parseApp(app, []), TokenStore, ({ keyOf }, store) => list(store, keyOf(""))))
