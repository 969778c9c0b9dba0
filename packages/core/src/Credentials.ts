/**
 * What proves to Pleo which installation is speaking. The secrets are `Redacted` from the configuration to
 * the header.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"
import { dual } from "effect/Function"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { Unauthorized } from "./InstallationError.ts"
import { Call, run } from "./internal/call.ts"
import * as internal from "./internal/credentials.ts"
import { within } from "./internal/timeout.ts"

/**
 * A credential that is fit to be sent. Make one with `bearer` or `apiKey`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Credentials {
  readonly [internal.TypeId]: internal.Secrets
}

// Visible ASCII (RFC 9110 section 5.5). Anything else would be altered, or split the header, on its way.
const visibleAscii = /^[\x21-\x7e]+$/

const checkSendable = (secret: string): string | undefined =>
  secret === ""
    ? "is empty"
    : visibleAscii.test(secret)
      ? undefined
      : "has characters that cannot be sent in a header (spaces, line breaks or non-ASCII)"

const fromBearer = (token: Redacted.Redacted): Either.Either<Credentials, string> => {
  const value = Redacted.value(token)
  const flaw = checkSendable(value)
  return flaw === undefined ? Either.right(internal.make(`Bearer ${value}`, value)) : Either.left(flaw)
}

const fromApiKey = (key: Redacted.Redacted): Either.Either<Credentials, string> => {
  const value = Redacted.value(key)
  // RFC 7617 section 2: the user name ends at the first colon.
  const flaw = checkSendable(value) ?? (value.includes(":") ? "has a colon" : undefined)
  return flaw === undefined
    ? Either.right(internal.make(`Basic ${Encoding.encodeBase64(`${value}:`)}`, value))
    : Either.left(flaw)
}

const refuse = (name: string) => (message: string) =>
  new Unauthorized({ reason: "Unauthenticated", issues: [{ path: [name], message }] })

/**
 * An OAuth access token, sent as `Authorization: Bearer <token>`. The token is opaque: it is never decoded.
 * Fails with `Unauthorized` when it is empty or cannot be sent in a header.
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
 * @since 0.1.0
 * @category constructors
 */
export const apiKey = (key: Redacted.Redacted): Effect.Effect<Credentials, Unauthorized> =>
  Either.mapLeft(fromApiKey(key), refuse("apiKey"))

const invalid = (name: string) => (message: string) => ConfigError.InvalidData([name], `${name} ${message}`)

/**
 * `PLEO_ACCESS_TOKEN` or `PLEO_API_KEY`: exactly one of them.
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
        ConfigError.InvalidData(
          ["PLEO_API_KEY"],
          "PLEO_ACCESS_TOKEN and PLEO_API_KEY are both set: set one of them"
        )
      )
    if (Option.isSome(token)) return Either.mapLeft(fromBearer(token.value), invalid("PLEO_ACCESS_TOKEN"))
    if (Option.isSome(key)) return Either.mapLeft(fromApiKey(key.value), invalid("PLEO_API_KEY"))
    return Either.left(
      ConfigError.MissingData(
        ["PLEO_ACCESS_TOKEN"],
        "set PLEO_ACCESS_TOKEN (an OAuth access token) or PLEO_API_KEY (an API key)"
      )
    )
  })
)

/**
 * Runs an effect with other credentials than its layer was given: one layer serves many customers. The
 * innermost `use` wins.
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
    new Call<A, E | E2, R | R2>((given) => {
      // Made already, as `bearer` and `apiKey` do.
      const made: unknown = credentials
      if (Either.isEither(made) && Either.isRight(made))
        return run(self, { ...given, credentials: made.right as Credentials })
      const { timeout, ...others } = given
      return within(
        Effect.flatMap(run(credentials, others), (credentials) => run(self, { ...others, credentials })),
        timeout
      )
    })
)
