/**
 * Credentials for the Pleo API.
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
import { BadRequest, Unauthorized } from "./InstallationError.ts"
import { withCredentials } from "./internal/call/scope.ts"
import * as internal from "./internal/credentials/credentials.ts"

/**
 * A credential. Create one with `bearer`, `apiKey`, `perCall`, `OAuth.credentials`, or `OAuth.tenant`.
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
 * An opaque OAuth access token, sent as `Authorization: Bearer <token>`. Fails if it is empty or invalid in a header.
 *
 * @example
 * ```ts
 * const credentials = Credentials.bearer(Redacted.make("access-token"))
 * ```
 * @since 0.1.0
 * @category constructors
 */
export const bearer = (token: Redacted.Redacted): Effect.Effect<Credentials, Unauthorized> =>
  Either.mapLeft(fromBearer(token), refuse("accessToken"))

/**
 * An API key, sent as the user name of HTTP Basic. Fails if it is empty, contains a colon, or is invalid in a header.
 *
 * @example
 * ```ts
 * const credentials = Credentials.apiKey(Redacted.make("api-key"))
 * ```
 * @since 0.1.0
 * @category constructors
 */
export const apiKey = (key: Redacted.Redacted): Effect.Effect<Credentials, Unauthorized> =>
  Either.mapLeft(fromApiKey(key), refuse("apiKey"))

const invalid = (name: string) => (message: string) => ConfigError.InvalidData([name], `${name} ${message}`)

/**
 * The credential in `PLEO_ACCESS_TOKEN` or `PLEO_API_KEY`. Exactly one must be set.
 *
 * @example
 * ```ts
 * const live = FetchInstallationService.layerConfig({ credentials: Credentials.config })
 * ```
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
        ConfigError.InvalidData(["PLEO_API_KEY"], "PLEO_ACCESS_TOKEN is also set: set only one")
      )
    if (Option.isSome(token)) return Either.mapLeft(fromBearer(token.value), invalid("PLEO_ACCESS_TOKEN"))
    if (Option.isSome(key)) return Either.mapLeft(fromApiKey(key.value), invalid("PLEO_API_KEY"))
    return Either.left(
      ConfigError.MissingData(["PLEO_ACCESS_TOKEN"], "set PLEO_ACCESS_TOKEN (OAuth) or PLEO_API_KEY")
    )
  })
)

/**
 * No credential: for a layer of many customers, without OAuth. An update outside of `use` fails with `BadRequest`, unsent.
 *
 * @example
 * ```ts
 * const live = FetchInstallationService.layer({ credentials: Credentials.perCall })
 * ```
 * @since 0.1.0
 * @category constructors
 */
export const perCall: Effect.Effect<Credentials> = /* @__PURE__ */ Effect.sync(() =>
  internal.make({
    _tag: "PerCall",
    refuse: () =>
      new BadRequest({
        issues: [
          { path: [], message: "no credential: this layer expects Credentials.use around each update" }
        ]
      })
  })
)

/**
 * Overrides the layer's credentials for the updates in an effect. The innermost `use` wins.
 *
 * @example
 * ```ts
 * InstallationService.update({ status: "ACTIVATED" }).pipe(Credentials.use(OAuth.tenant("acme")))
 * ```
 * @since 0.1.0
 * @category combinators
 */
export const use: {
  /** Overrides the layer's credentials for the updates in an effect: `update.pipe(Credentials.use(credentials))`. */
  <E2, R2>(
    credentials: Effect.Effect<Credentials, E2, R2>
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | E2, R | R2>
  /** Overrides the layer's credentials for the updates in `self`. */
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
