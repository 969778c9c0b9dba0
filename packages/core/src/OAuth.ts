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
import { put } from "./internal/oauth/refresh.ts"
import { Sessions } from "./internal/oauth/sessions.ts"
import { TokenStore } from "./TokenStore.ts"

/**
 * Identifies the tokens of one customer in a `TokenStore`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Grant {
  readonly clientId: string
  /** `"production"` (the default), `"staging"`, or a URL: `https`, or `http` to this machine. */
  readonly tokenEndpoint?: keyof typeof tokenEndpoints | (string & {}) | URL | undefined
  /** Your name for the customer. Default: `"default"`. */
  readonly tenant?: string | undefined
}

/**
 * The app's own credentials, and how its customers' tokens are refreshed.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Grant {
  readonly clientSecret: Redacted.Redacted
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
const validateName = (name: string): string | undefined =>
  internal.validateText(name) ??
  (/\p{Surrogate}/u.test(name) ? "has half of a character (a lone surrogate)" : undefined)

const parseGrant = (
  grant: Grant
): Either.Either<
  { readonly url: URL; readonly keyOf: (tenant: string) => string; readonly tenant: string },
  ReadonlyArray<Issue>
> => {
  const { clientId, tenant = "default", tokenEndpoint = "production" } = grant
  const url = checkUrl(tokenEndpoint, tokenEndpoints)
  const issues = [
    ...issuesOf("clientId", validateName(clientId)),
    ...issuesOf("tenant", validateName(tenant)),
    ...(Either.isLeft(url) ? issuesOf("tokenEndpoint", url.left) : [])
  ]
  if (Either.isLeft(url) || issues.length > 0) return Either.left(issues)
  const app = [url.right.href, clientId].map(encodeURIComponent).join("/")
  const keyOf = (tenant: string) => `${app}/${encodeURIComponent(tenant)}`
  return Either.right({ url: url.right, keyOf, tenant })
}

const refuseOptions = (issues: ReadonlyArray<Issue>) => new BadRequest({ issues })

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
    const { clientId, clientSecret } = options
    const timeout = Duration.toMillis(options.timeout ?? Duration.seconds(10))
    const { keyOf, tenant, url } = yield* Either.mapLeft(parseGrant(options), refuseOptions)
    const issues = [
      ...issuesOf("clientSecret", internal.validateText(Redacted.value(clientSecret))),
      ...(timeout > 0 && Number.isFinite(timeout)
        ? []
        : issuesOf("timeout", "expected a finite duration above 0"))
    ]
    if (issues.length > 0) return yield* Effect.fail(refuseOptions(issues))
    const store = yield* TokenStore
    const sessions = yield* Effect.acquireRelease(
      Effect.sync(() => new Sessions({ clientId, clientSecret, tokenEndpoint: url, store, timeout })),
      ({ close }) => close
    )
    return internal.make({
      _tag: "App",
      tenant,
      sessionOf: (tenant, clock) => sessions.of(keyOf(tenant), clock)
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
    ? Either.left(refuseOptions(issues))
    : Either.right(internal.make({ _tag: "Tenant", tenant }))
}

/**
 * Stores the tokens of a new grant, and replaces previous ones. Running processes pick them up.
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
  grant: Grant,
  tokens: Tokens
): Effect.Effect<void, InstallationError, TokenStore> =>
  Effect.gen(function* () {
    const { accessToken, expiresIn, refreshToken } = tokens
    const { keyOf, tenant } = yield* Either.mapLeft(parseGrant(grant), refuseOptions)
    yield* bearer(accessToken)
    const issues = issuesOf("refreshToken", internal.validateText(Redacted.value(refreshToken)))
    if (issues.length > 0) return yield* Effect.fail(new Unauthorized({ reason: "Unauthenticated", issues }))
    yield* put(yield* TokenStore, keyOf(tenant), {
      accessToken,
      refreshToken,
      receivedAt: yield* DateTime.now,
      ...(expiresIn === undefined ? {} : { expiresIn: Duration.decode(expiresIn) })
    })
  })

/**
 * The grant of `config`: `PLEO_CLIENT_ID`, `PLEO_TENANT` (default: `default`), and `PLEO_TOKEN_ENDPOINT` (default: that of
 * `PLEO_SERVER`). An empty variable is unset.
 *
 * @example
 * ```ts
 * const connect = (tenant: string, tokens: OAuth.Tokens) =>
 *   Effect.flatMap(OAuth.grantConfig, (grant) => OAuth.storeTokens({ ...grant, tenant }, tokens))
 * ```
 * @since 0.1.0
 * @category config
 */
export const grantConfig: Effect.Effect<Grant, ConfigError> = /* @__PURE__ */ Effect.gen(function* () {
  const clientId = yield* required("PLEO_CLIENT_ID", "Set PLEO_CLIENT_ID to the app's client ID")
  const tenant = yield* optional("PLEO_TENANT")
  const server = (yield* optional("PLEO_SERVER")) ?? "production"
  const checkEndpoint = (url: string) => Either.getOrUndefined(Either.flip(checkUrl(url, tokenEndpoints)))
  const tokenEndpoint = Object.hasOwn(tokenEndpoints, server)
    ? ((yield* optional("PLEO_TOKEN_ENDPOINT", checkEndpoint)) ?? server)
    : yield* required(
        "PLEO_TOKEN_ENDPOINT",
        "Set PLEO_TOKEN_ENDPOINT to a URL, since PLEO_SERVER is neither production nor staging",
        checkEndpoint
      )
  return { clientId, tenant: tenant ?? "default", tokenEndpoint }
})

/**
 * `credentials`, configured by `PLEO_CLIENT_SECRET` and the variables of `grantConfig`. `PLEO_ACCESS_TOKEN` and
 * `PLEO_API_KEY` have to be unset.
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
      yield* unset(
        ["PLEO_ACCESS_TOKEN", "PLEO_API_KEY"],
        "is not used beside PLEO_CLIENT_ID and PLEO_CLIENT_SECRET: unset it, or them"
      )
      return yield* credentials({ ...grant, clientSecret: Redacted.make(clientSecret) })
    })
  )
