/**
 * OAuth tokens of an app's customers, stored and refreshed.
 *
 * @since 0.1.0
 * @module
 */
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
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
  /** For servers only: a browser reveals it, and cannot tell whether a refresh token was sent. */
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

/** Why a name cannot be part of a key. */
const validateName = (path: string, name: string): ReadonlyArray<Issue> => {
  if (name === "") return [{ path: [path], message: "is empty" }]
  return /\p{Surrogate}/u.test(name)
    ? [{ path: [path], message: "has half of a character (a lone surrogate)" }]
    : []
}

const parseGrant = (
  grant: Grant
): Either.Either<
  { readonly url: URL; readonly keyOf: (tenant: string) => string; readonly tenant: string },
  ReadonlyArray<Issue>
> => {
  const { clientId, tenant = "default", tokenEndpoint = "production" } = grant
  const url = checkUrl(tokenEndpoint, tokenEndpoints)
  const issues = [
    ...validateName("clientId", clientId),
    ...validateName("tenant", tenant),
    ...(Either.isLeft(url) ? [{ path: ["tokenEndpoint"], message: url.left }] : [])
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
      ...(Redacted.value(clientSecret) === "" ? [{ path: ["clientSecret"], message: "is empty" }] : []),
      ...(timeout > 0 && Number.isFinite(timeout)
        ? []
        : [{ path: ["timeout"], message: "expected a finite duration above 0" }])
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
  const issues = validateName("tenant", tenant)
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
    if (Redacted.value(refreshToken) === "")
      return yield* Effect.fail(
        new Unauthorized({
          reason: "Unauthenticated",
          issues: [{ path: ["refreshToken"], message: "is empty" }]
        })
      )
    yield* put(yield* TokenStore, keyOf(tenant), {
      accessToken,
      refreshToken,
      receivedAt: yield* DateTime.now,
      ...(expiresIn === undefined ? {} : { expiresIn: Duration.decode(expiresIn) })
    })
  })

/**
 * The grant of `config`: `PLEO_CLIENT_ID`, `PLEO_TENANT` (default: `default`), and `PLEO_TOKEN_ENDPOINT` (default: that of
 * `PLEO_SERVER`).
 *
 * @example
 * ```ts
 * const connect = (tenant: string, tokens: OAuth.Tokens) =>
 *   Effect.flatMap(OAuth.grantConfig, (grant) => OAuth.storeTokens({ ...grant, tenant }, tokens))
 * ```
 * @since 0.1.0
 * @category config
 */
export const grantConfig: Config.Config<Grant> = /* @__PURE__ */ Config.suspend(() =>
  Config.all({
    clientId: Config.nonEmptyString("PLEO_CLIENT_ID"),
    tenant: Config.withDefault(Config.string("PLEO_TENANT"), "default").pipe(
      Config.validate({
        message: "PLEO_TENANT is empty",
        validation: (tenant) => tenant !== ""
      })
    ),
    tokenEndpoint: Config.string("PLEO_TOKEN_ENDPOINT").pipe(
      Config.orElse(() =>
        Config.validate(Config.withDefault(Config.string("PLEO_SERVER"), "production"), {
          message: "PLEO_TOKEN_ENDPOINT is required when PLEO_SERVER is neither production nor staging",
          validation: (server) => Object.hasOwn(tokenEndpoints, server)
        })
      ),
      Config.mapOrFail((endpoint) =>
        Either.mapBoth(checkUrl(endpoint, tokenEndpoints), {
          onLeft: (message) =>
            ConfigError.InvalidData(["PLEO_TOKEN_ENDPOINT"], `PLEO_TOKEN_ENDPOINT ${message}`),
          onRight: () => endpoint
        })
      )
    )
  })
)

/**
 * `credentials`, configured by `PLEO_CLIENT_SECRET` and the variables of `grantConfig`.
 *
 * @example
 * ```ts
 * const live = NodeInstallationService.layerConfig({ credentials: OAuth.config })
 * ```
 * @since 0.1.0
 * @category config
 */
export const config: Effect.Effect<
  Credentials,
  ConfigError.ConfigError | BadRequest,
  TokenStore | Scope.Scope
> = /* @__PURE__ */ Effect.suspend(() =>
  Effect.flatMap(
    Config.all({
      grant: grantConfig,
      clientSecret: Config.redacted(Config.nonEmptyString("PLEO_CLIENT_SECRET"))
    }),
    ({ clientSecret, grant }) => credentials({ ...grant, clientSecret })
  )
)
