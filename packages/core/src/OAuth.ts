/**
 * The OAuth tokens of an app's customers: kept in a `TokenStore`, and refreshed.
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
 * Which tokens of a `TokenStore` are meant.
 *
 * @example
 * ```ts
 * import { OAuth, TokenStore } from "@effect-pleo/core"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * const grantOf = (tenant: string): OAuth.Grant => ({
 *   clientId: "my-app",
 *   tokenEndpoint: "staging",
 *   tenant
 * })
 *
 * const tokens = { accessToken: Redacted.make("access"), refreshToken: Redacted.make("refresh") }
 * const program = OAuth.storeTokens(grantOf("acme"), tokens)
 * await Effect.runPromise(Effect.provide(program, TokenStore.layerMemory))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Grant {
  /** The app's client id. */
  readonly clientId: string
  /**
   * Where tokens are refreshed: `"production"` (the default), `"staging"`, or the URL of another token endpoint:
   * `https`, or `http` to this machine alone.
   */
  readonly tokenEndpoint?: keyof typeof tokenEndpoints | (string & {}) | URL | undefined
  /** Your name for the customer. Default: `"default"`, for who has one installation. */
  readonly tenant?: string | undefined
}

/**
 * What `oauth` needs of the app, besides the tokens of its customers.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { OAuth, TokenStore } from "@effect-pleo/core"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * const options: OAuth.Options = {
 *   clientId: "my-app",
 *   clientSecret: Redacted.make(""),
 *   tokenEndpoint: "staging",
 *   timeout: "5 seconds"
 * }
 *
 * const error = await OAuth.credentials(options).pipe(
 *   Effect.flip,
 *   Effect.scoped,
 *   Effect.provide(TokenStore.layerMemory),
 *   Effect.runPromise
 * )
 * assert.deepEqual(error.issues, [{ path: ["clientSecret"], message: "is empty" }])
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Grant {
  readonly clientSecret: Redacted.Redacted
  /**
   * How long the token endpoint has to answer, and then again the store to keep what it answered. What was
   * sent and not answered by then is lost. Default: 10 seconds.
   */
  readonly timeout?: Duration.DurationInput | undefined
}

/**
 * A pair of tokens, as the token endpoint gives it.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { OAuth } from "@effect-pleo/core"
 * import * as Duration from "effect/Duration"
 * import * as Redacted from "effect/Redacted"
 * import * as Schema from "effect/Schema"
 *
 * const Answer = Schema.Struct({
 *   access_token: Schema.Redacted(Schema.String),
 *   refresh_token: Schema.Redacted(Schema.String),
 *   expires_in: Schema.Number
 * })
 *
 * // What the authorization code was exchanged for.
 * const tokensOf = (answer: typeof Answer.Type): OAuth.Tokens => ({
 *   accessToken: answer.access_token,
 *   refreshToken: answer.refresh_token,
 *   expiresIn: Duration.seconds(answer.expires_in)
 * })
 *
 * const json = { access_token: "access", refresh_token: "refresh", expires_in: 3540 }
 * const tokens = tokensOf(Schema.decodeUnknownSync(Answer)(json))
 * assert.equal(Redacted.value(tokens.refreshToken), "refresh")
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Tokens {
  readonly accessToken: Redacted.Redacted
  readonly refreshToken: Redacted.Redacted
  /** `expires_in`: how long the access token is valid from now on. Left out, it is used until it is refused. */
  readonly expiresIn?: Duration.DurationInput | undefined
}

const parseGrant = ({
  clientId,
  tenant = "default",
  tokenEndpoint = "production"
}: Grant): Either.Either<
  { readonly url: URL; readonly keyOf: (tenant: string) => string; readonly tenant: string },
  ReadonlyArray<Issue>
> => {
  const url = checkUrl(tokenEndpoint, tokenEndpoints)
  const issues = [
    ...(clientId === "" ? [{ path: ["clientId"], message: "is empty" }] : []),
    ...(tenant === "" ? [{ path: ["tenant"], message: "is empty" }] : []),
    ...(Either.isLeft(url) ? [{ path: ["tokenEndpoint"], message: url.left }] : [])
  ]
  if (Either.isLeft(url) || issues.length > 0) return Either.left(issues)
  const app = [url.right.href, clientId].map(encodeURIComponent).join("/")
  const keyOf = (tenant: string) => `${app}/${encodeURIComponent(tenant)}`
  return Either.right({ url: url.right, keyOf, tenant })
}

const refuseOptions = (issues: ReadonlyArray<Issue>) => new BadRequest({ issues })

/**
 * OAuth tokens, of one customer or of many: kept in the `TokenStore`, refreshed shortly before they expire or when
 * Pleo answers 401, and each pair once, however many updates and processes ask. Updates wait for a refresh under
 * way. The refresh goes on when they are interrupted or late, and the scope waits for it.
 *
 * Give it to a layer, and choose the customer of a call with `tenant`. The first tokens of a customer are put into
 * the store by `storeTokens`; a `TokenStore` does the rest.
 *
 * An update fails with
 * - `Unauthorized`, reason `ReauthorizationRequired`, when the customer has to authorise the app again: nothing is
 *   stored, the refresh was refused, or its answer was lost. Nothing more is sent until tokens are stored anew.
 * - `Unauthorized`, reason `Unauthenticated`, when the token endpoint does not accept the app.
 * - `Infrastructure`, reason `TokenEndpoint` or `TokenStore`, when one of them cannot be had at present.
 *
 * Fails with `BadRequest` when an option cannot be used.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { InstallationService, OAuth, TokenStore, UpdateInstallation } from "@effect-pleo/core"
 * import { NodeInstallationService } from "@effect-pleo/node"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Redacted from "effect/Redacted"
 *
 * const program = Effect.gen(function* () {
 *   const { authorize, expire, requests, url } = yield* Sandbox.Sandbox
 *   const app = { clientId: "my-app", tokenEndpoint: `${url}/oauth/token` }
 *   const credentials = OAuth.credentials({ ...app, clientSecret: Redacted.make("my-secret") })
 *
 *   const consent = yield* authorize()
 *   yield* OAuth.storeTokens(app, consent)
 *   yield* expire(consent.id)
 *   yield* InstallationService.update(UpdateInstallation.activated()).pipe(
 *     Effect.provide(NodeInstallationService.layer({ server: url, credentials }))
 *   )
 *   return (yield* requests).map(({ method, status }) => `${method} ${status}`)
 * })
 *
 * const seen = await program.pipe(
 *   Effect.provide(Layer.merge(Sandbox.layer(), TokenStore.layerMemory)),
 *   Effect.runPromise
 * )
 * assert.deepEqual(seen, ["PUT 401", "POST 200", "PUT 200"])
 * ```
 *
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
 * The customer of a call, for `use`: one of those of the app whose `credentials` the layer has. Fails with `BadRequest`
 * when the name is empty.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Credentials, InstallationService, OAuth, UpdateInstallation } from "@effect-pleo/core"
 * import { InstallationServiceTest } from "@effect-pleo/testing"
 * import * as Effect from "effect/Effect"
 *
 * // Provide it with a layer that was given `OAuth.credentials`: one layer, all customers.
 * const activateAll = Effect.forEach(
 *   ["acme", "borealis"],
 *   (customer) =>
 *     InstallationService.update(UpdateInstallation.activated()).pipe(
 *       Credentials.use(OAuth.tenant(customer)),
 *       Effect.either
 *     ),
 *   { concurrency: 10 }
 * )
 *
 * const outcomes = await Effect.runPromise(Effect.provide(activateAll, InstallationServiceTest.layerTest()))
 * assert.deepEqual(
 *   outcomes.map(({ _tag }) => _tag),
 *   ["Right", "Right"]
 * )
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const tenant = (tenant: string): Effect.Effect<Credentials, BadRequest> =>
  tenant === ""
    ? Either.left(refuseOptions([{ path: ["tenant"], message: "is empty" }]))
    : Either.right(internal.make({ _tag: "Tenant", tenant }))

/**
 * Stores the tokens that a customer's consent has brought, in place of what was stored before. Every process uses
 * them as soon as what it has is refused, expires or has been given up.
 *
 * Fails with `BadRequest` when an option cannot be used, with `Unauthorized` when a token cannot, and with
 * `Infrastructure`, reason `TokenStore`, when they could not be stored.
 *
 * @example
 * ```ts
 * import { OAuth, TokenStore } from "@effect-pleo/core"
 * import * as ConfigProvider from "effect/ConfigProvider"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * // Called where Pleo sends the customer back to, once the code was exchanged.
 * const connect = (tenant: string, tokens: OAuth.Tokens) =>
 *   Effect.flatMap(OAuth.grantConfig, (grant) => OAuth.storeTokens({ ...grant, tenant }, tokens))
 *
 * await connect("acme", {
 *   accessToken: Redacted.make("access"),
 *   refreshToken: Redacted.make("refresh"),
 *   expiresIn: "59 minutes"
 * }).pipe(
 *   Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["PLEO_CLIENT_ID", "my-app"]]))),
 *   Effect.provide(TokenStore.layerMemory),
 *   Effect.runPromise
 * )
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const storeTokens = (
  grant: Grant,
  { accessToken, expiresIn, refreshToken }: Tokens
): Effect.Effect<void, InstallationError, TokenStore> =>
  Effect.gen(function* () {
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
 * The grant whose tokens `config` uses, for `storeTokens`: `PLEO_CLIENT_ID`, and
 *
 * - `PLEO_TOKEN_ENDPOINT`: left out, that of `PLEO_SERVER`, which then has to be `production` (the default) or
 *   `staging`.
 * - `PLEO_TENANT`: left out, `default`.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { OAuth } from "@effect-pleo/core"
 * import * as ConfigProvider from "effect/ConfigProvider"
 * import * as Effect from "effect/Effect"
 *
 * const variables = new Map([
 *   ["PLEO_CLIENT_ID", "my-app"],
 *   ["PLEO_SERVER", "staging"]
 * ])
 *
 * const grant = OAuth.grantConfig.pipe(
 *   Effect.withConfigProvider(ConfigProvider.fromMap(variables)),
 *   Effect.runSync
 * )
 * assert.deepEqual(grant, { clientId: "my-app", tokenEndpoint: "staging", tenant: "default" })
 * ```
 *
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
          message: "PLEO_TOKEN_ENDPOINT has to be set, since PLEO_SERVER is neither production nor staging",
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
 * `credentials`, configured by the variables of `grantConfig` and `PLEO_CLIENT_SECRET`. Tokens are no configuration: they
 * change with each refresh.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { InstallationService, OAuth, TokenStore } from "@effect-pleo/core"
 * import { NodeInstallationService } from "@effect-pleo/node"
 * import * as ConfigProvider from "effect/ConfigProvider"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 *
 * const variables = new Map([
 *   ["PLEO_CLIENT_ID", "my-app"],
 *   ["PLEO_CLIENT_SECRET", "my-secret"]
 * ])
 * const live = NodeInstallationService.layerConfig({ credentials: OAuth.config }).pipe(
 *   Layer.provideMerge(TokenStore.layerMemory),
 *   Layer.provide(Layer.setConfigProvider(ConfigProvider.fromMap(variables)))
 * )
 *
 * // The store is empty: nobody has let the app in yet, so nothing is sent.
 * const error = await InstallationService.update({ status: "ACTIVATED" }).pipe(
 *   Effect.flip,
 *   Effect.provide(live),
 *   Effect.runPromise
 * )
 * assert.ok(error._tag === "Unauthorized" && error.reason === "ReauthorizationRequired")
 * ```
 *
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
