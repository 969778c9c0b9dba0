/**
 * Credentials for the Pleo API.
 *
 * @since 0.1.0
 * @module
 */
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { dual } from "effect/Function"
import * as Redacted from "effect/Redacted"
import { BadRequest, Unauthorized } from "./InstallationError.ts"
import { withCredentials } from "./internal/call/scope.ts"
import * as internal from "./internal/credentials/credentials.ts"
import { optional, required, unset } from "./internal/credentials/variables.ts"

/**
 * A credential. Create one with `bearer`, `apiKey`, `perCall`, `OAuth.credentials`, or `OAuth.tenant`.
 *
 * @since 0.1.0
 * @category models
 */
export type Credentials = internal.Credentials

const fixed = (scheme: "Bearer" | "Basic", secret: string): Credentials =>
  internal.make({ _tag: "Fixed", secrets: { scheme, secret: Redacted.make(secret) } })

const make = (
  scheme: "Bearer" | "Basic",
  path: string,
  secret: Redacted.Redacted,
  validate: (secret: string) => string | undefined
): Either.Either<Credentials, Unauthorized> => {
  const value = Redacted.value(secret)
  const message = validate(value)
  return message === undefined
    ? Either.right(fixed(scheme, value))
    : Either.left(new Unauthorized({ reason: "Unauthenticated", issues: [{ path: [path], message }] }))
}

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
  make("Bearer", "accessToken", token, internal.validateSecret)

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
  make("Basic", "apiKey", key, internal.validateApiKey)

/**
 * The credential in `PLEO_ACCESS_TOKEN` or `PLEO_API_KEY`. Exactly one must be set, and no variable of `OAuth.config`. An
 * empty variable is unset.
 *
 * @example
 * ```ts
 * const live = FetchInstallationService.layerConfig({ credentials: Credentials.config })
 * ```
 * @since 0.1.0
 * @category config
 */
export const config: Effect.Effect<Credentials, ConfigError> = /* @__PURE__ */ Effect.gen(function* () {
  yield* unset(
    ["PLEO_CLIENT_ID", "PLEO_CLIENT_SECRET", "PLEO_TENANT", "PLEO_TOKEN_ENDPOINT"],
    "belongs to OAuth.config, not to PLEO_ACCESS_TOKEN or PLEO_API_KEY: unset it, or pass OAuth.config as credentials"
  )
  const key = yield* optional("PLEO_API_KEY", internal.validateApiKey)
  if (key !== undefined) {
    yield* unset(["PLEO_ACCESS_TOKEN"], "PLEO_API_KEY is set too: unset one of them")
    return fixed("Basic", key)
  }
  const message = "Set PLEO_ACCESS_TOKEN to an access token, or PLEO_API_KEY to an API key"
  return fixed("Bearer", yield* required("PLEO_ACCESS_TOKEN", message, internal.validateSecret))
})

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
