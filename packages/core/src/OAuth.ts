/**
 * OAuth tokens of an app's customers, stored and refreshed.
 *
 * @since 0.1.0
 * @module
 */
import type { ConfigError } from "effect/ConfigError"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { bearer, type Credentials } from "./Credentials.ts"
import { BadRequest, type InstallationError, type Issue, Unauthorized } from "./InstallationError.ts"
import { checkUrl, tokenEndpoints } from "./internal/contract/servers.ts"
import * as internal from "./internal/credentials/credentials.ts"
import { optional, required, unset } from "./internal/credentials/variables.ts"
import { locate } from "./internal/http/failure.ts"
import { put } from "./internal/oauth/refresh.ts"
import { Sessions } from "./internal/oauth/sessions.ts"
import type * as TokenEndpoint from "./internal/oauth/tokenEndpoint.ts"
import { TokenStore } from "./TokenStore.ts"

type ClientAuthentication = TokenEndpoint.App["clientAuthentication"]

interface App {
  readonly clientId: string
  /** `"production"` (the default), `"staging"`, or a URL: `https`, or `http` to this machine. */
  readonly tokenEndpoint?: keyof typeof tokenEndpoints | (string & {}) | URL | undefined
}

/**
 * The app's own credentials, and how its customers' tokens are refreshed.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends App {
  /** For servers only: a browser reveals it, and cannot tell whether a refresh token was sent. */
  readonly clientSecret: Redacted.Redacted
  /** How the app authenticates to the token endpoint: in the form (the default), or by HTTP Basic. */
  readonly clientAuthentication?: ClientAuthentication | undefined
  /** The only customer, by your name for it. If absent, each update needs `Credentials.use(OAuth.tenant(...))`. */
  readonly tenant?: string | undefined
  /** Limits the token request, and then saving its result. A request that times out is lost. Default: 10 seconds. */
  readonly timeout?: Duration.DurationInput | undefined
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
    const { clientAuthentication = "client_secret_post", clientId, clientSecret, tenant } = options
    const timeout = Duration.toMillis(options.timeout ?? Duration.seconds(10))
    const { keyOf, url } = yield* parseApp(options, [
      ...(tenant === undefined ? [] : issuesOf("tenant", validateName(tenant))),
      ...issuesOf("clientSecret", internal.validateText(Redacted.value(clientSecret))),
      ...issuesOf("clientAuthentication", validateClientAuthentication(clientAuthentication)),
      ...(timeout > 0 && Number.isFinite(timeout)
        ? []
        : issuesOf("timeout", "expected a finite duration above 0"))
    ])
    const store = yield* TokenStore
    const sessions = yield* Effect.acquireRelease(
      Effect.sync(
        () =>
          new Sessions({ clientId, clientSecret, clientAuthentication, tokenEndpoint: url, store, timeout })
      ),
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
 * A grant of `config`, but for its tenant: `PLEO_CLIENT_ID` and `PLEO_TOKEN_ENDPOINT` (default: that of `PLEO_SERVER`). An
 * empty variable is unset.
 *
 * @example
 * ```ts
 * const connect = (tenant: string, tokens: OAuth.Tokens) =>
 *   Effect.flatMap(OAuth.grantConfig, (grant) => OAuth.storeTokens({ ...grant, tenant }, tokens))
 * ```
 * @since 0.1.0
 * @category config
 */
export const grantConfig: Effect.Effect<App, ConfigError> = /* @__PURE__ */ Effect.gen(function* () {
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
  return { clientId, tokenEndpoint }
})

/**
 * `credentials`, configured by `PLEO_CLIENT_SECRET`, `PLEO_CLIENT_AUTHENTICATION` (default: `client_secret_post`),
 * `PLEO_TENANT` (only for a single customer), and the variables of `grantConfig`. `PLEO_ACCESS_TOKEN` and `PLEO_API_KEY`
 * have to be unset.
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
      const grant = yield* grantConfig
      const clientSecret = yield* required(
        "PLEO_CLIENT_SECRET",
        "Set PLEO_CLIENT_SECRET to the app's client secret"
      )
      const clientAuthentication = yield* optional("PLEO_CLIENT_AUTHENTICATION", validateClientAuthentication)
      const tenant = yield* optional("PLEO_TENANT")
      yield* unset(
        ["PLEO_ACCESS_TOKEN", "PLEO_API_KEY"],
        "is not used beside PLEO_CLIENT_ID and PLEO_CLIENT_SECRET: unset it, or them"
      )
      return yield* credentials({
        ...grant,
        clientSecret: Redacted.make(clientSecret),
        clientAuthentication: clientAuthentication as ClientAuthentication | undefined,
        tenant
      })
    })
  )
