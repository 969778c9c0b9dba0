/**
 * What proves to Pleo which installation is speaking: a fixed token or key, or OAuth tokens that are refreshed.
 * The secrets are `Redacted` from the configuration to the header.
 *
 * @since 0.1.0
 * @module
 */
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { dual } from "effect/Function"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { Unauthorized } from "./InstallationError.ts"
import { withCredentials } from "./internal/call/scope.ts"
import * as internal from "./internal/credentials/credentials.ts"

/**
 * A credential that is fit to be sent. Make one with `bearer`, `apiKey`, `OAuth.credentials` or `OAuth.tenant`.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Credentials, type InstallationError } from "@effect-pleo/core"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * interface Customer {
 *   readonly secret: string
 *   readonly kind: "token" | "key"
 * }
 *
 * const credentialsOf = ({
 *   kind,
 *   secret
 * }: Customer): Effect.Effect<Credentials.Credentials, InstallationError.Unauthorized> =>
 *   (kind === "token" ? Credentials.bearer : Credentials.apiKey)(Redacted.make(secret))
 *
 * const credentials = Effect.runSync(credentialsOf({ secret: "my-secret", kind: "key" }))
 * assert.ok(!JSON.stringify(credentials).includes("my-secret"))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export type Credentials = internal.Credentials

const fixed = (scheme: "Bearer" | "Basic", secret: string): Credentials =>
  internal.make({ _tag: "Fixed", secrets: { scheme, secret: Redacted.make(secret) } })

const fromBearer = (token: Redacted.Redacted): Either.Either<Credentials, string> => {
  const value = Redacted.value(token)
  const problem = internal.validateSecret(value)
  return problem === undefined ? Either.right(fixed("Bearer", value)) : Either.left(problem)
}

const fromApiKey = (key: Redacted.Redacted): Either.Either<Credentials, string> => {
  const value = Redacted.value(key)
  // RFC 7617 section 2: the user name ends at the first colon.
  const problem = internal.validateSecret(value) ?? (value.includes(":") ? "has a colon" : undefined)
  return problem === undefined ? Either.right(fixed("Basic", value)) : Either.left(problem)
}

const refuse = (name: string) => (message: string) =>
  new Unauthorized({ reason: "Unauthenticated", issues: [{ path: [name], message }] })

/**
 * An OAuth access token, sent as `Authorization: Bearer <token>`. The token is opaque: it is never decoded.
 * Fails with `Unauthorized` when it is empty or cannot be sent in a header.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Credentials } from "@effect-pleo/core"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * // A line break at the end, as files have it, would end the header.
 * const error = Effect.runSync(Effect.flip(Credentials.bearer(Redacted.make("access-token\n"))))
 * assert.equal(error.reason, "Unauthenticated")
 * assert.deepEqual(error.issues?.[0]?.path, ["accessToken"])
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const bearer = (token: Redacted.Redacted): Effect.Effect<Credentials, Unauthorized> =>
  Either.mapLeft(fromBearer(token), refuse("accessToken"))

/**
 * An API key, sent as the user name of HTTP Basic with an empty password. Fails with `Unauthorized` when it
 * is empty, has a colon or cannot be sent in a header.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import * as HttpClient from "@effect/platform/HttpClient"
 * import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
 * import { Credentials, InstallationClient } from "@effect-pleo/core"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * let header: string | undefined
 * const client = HttpClient.make((request) => {
 *   header = request.headers["authorization"]
 *   return Effect.succeed(HttpClientResponse.fromWeb(request, new Response("", { status: 401 })))
 * })
 *
 * const credentials = Credentials.apiKey(Redacted.make("my-key"))
 * await InstallationClient.make({ credentials }).pipe(
 *   Effect.flatMap(({ update }) => Effect.flip(update({ status: "ACTIVATED" }))),
 *   Effect.provideService(HttpClient.HttpClient, client),
 *   Effect.runPromise
 * )
 * assert.equal(header, `Basic ${btoa("my-key:")}`)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const apiKey = (key: Redacted.Redacted): Effect.Effect<Credentials, Unauthorized> =>
  Either.mapLeft(fromApiKey(key), refuse("apiKey"))

const invalid = (name: string) => (message: string) => ConfigError.InvalidData([name], `${name} ${message}`)

/**
 * The credential in `PLEO_ACCESS_TOKEN` or `PLEO_API_KEY`: exactly one of them has to be set.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Credentials } from "@effect-pleo/core"
 * import * as ConfigProvider from "effect/ConfigProvider"
 * import * as Effect from "effect/Effect"
 *
 * const load = (variables: Record<string, string>) =>
 *   Credentials.config.pipe(
 *     Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables)))),
 *     Effect.isSuccess,
 *     Effect.runSync
 *   )
 *
 * assert.equal(load({ PLEO_API_KEY: "key" }), true)
 * assert.equal(load({ PLEO_ACCESS_TOKEN: "token", PLEO_API_KEY: "key" }), false)
 * ```
 *
 * @since 0.1.0
 * @category config
 */
export const config: Config.Config<Credentials> = Config.all({
  token: Config.option(Config.redacted("PLEO_ACCESS_TOKEN")),
  key: Config.option(Config.redacted("PLEO_API_KEY"))
}).pipe(
  Config.mapOrFail(({ key, token }): Either.Either<Credentials, ConfigError.ConfigError> => {
    if (Option.isSome(token) && Option.isSome(key))
      return Either.left(
        ConfigError.InvalidData(["PLEO_API_KEY"], "PLEO_ACCESS_TOKEN is set too: set one of them")
      )
    if (Option.isSome(token)) return Either.mapLeft(fromBearer(token.value), invalid("PLEO_ACCESS_TOKEN"))
    if (Option.isSome(key)) return Either.mapLeft(fromApiKey(key.value), invalid("PLEO_API_KEY"))
    return Either.left(
      ConfigError.MissingData(["PLEO_ACCESS_TOKEN"], "set PLEO_ACCESS_TOKEN (of OAuth) or PLEO_API_KEY")
    )
  })
)

/**
 * Runs an effect with other credentials than its layer was given: one layer serves many customers. The
 * innermost `use` wins. Choose a customer of `oauth` with `tenant`.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Credentials, InstallationClient, InstallationService, UpdateInstallation } from "@effect-pleo/core"
 * import { NodeHttpClient } from "@effect-pleo/node"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * const program = Effect.gen(function* () {
 *   const { requests, url } = yield* Sandbox.Sandbox
 *   const credentials = Credentials.bearer(Redacted.make("token-of-one-customer"))
 *   const activate = InstallationService.update(UpdateInstallation.activated())
 *   yield* Effect.all([
 *     activate,
 *     Credentials.use(activate, Credentials.apiKey(Redacted.make("key-of-another")))
 *   ]).pipe(Effect.provide(InstallationClient.layer({ server: url, credentials })))
 *   return (yield* requests).map(({ scheme }) => scheme)
 * })
 *
 * const seen = await program.pipe(
 *   Effect.provide([NodeHttpClient.layer(), Sandbox.layer()]),
 *   Effect.runPromise
 * )
 * assert.deepEqual(seen, ["Bearer", "Basic"])
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const use: {
  <E2, R2>(
    credentials: Effect.Effect<Credentials, E2, R2>
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | E2, R | R2>
  <A, E, R, E2, R2>(
    self: Effect.Effect<A, E, R>,
    credentials: Effect.Effect<Credentials, E2, R2>
  ): Effect.Effect<A, E | E2, R | R2>
} = dual(
  2,
  <A, E, R, E2, R2>(
    self: Effect.Effect<A, E, R>,
    credentials: Effect.Effect<Credentials, E2, R2>
  ): Effect.Effect<A, E | E2, R | R2> =>
    Effect.flatMap(credentials, (credentials) => withCredentials(self, credentials))
)
