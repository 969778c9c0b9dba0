/**
 * What a customer's consent came to, as a `TokenStore` keeps it.
 *
 * @since 0.1.0
 * @module
 */
import * as Schema from "effect/Schema"

const Secret = Schema.Redacted(Schema.NonEmptyString)

/**
 * A pair of tokens, as the token endpoint gave it. They are opaque: never decoded.
 *
 * @since 0.1.0
 * @category models
 */
export const Tokens = Schema.Struct({
  accessToken: Secret,
  refreshToken: Secret,
  /** When they were received, by the clock of the process that received them. */
  receivedAt: Schema.DateTimeUtcFromNumber,
  /** How long the access token is valid from then on. Absent when the server did not say. */
  expiresIn: Schema.optionalWith(Schema.DurationFromMillis, { exact: true })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Tokens extends Schema.Schema.Type<typeof Tokens> {}

/**
 * The tokens are good for use, and for one refresh.
 *
 * @since 0.1.0
 * @category models
 */
export const Active = Schema.TaggedStruct("Active", { tokens: Tokens })

/**
 * A process is exchanging the refresh token, and nobody else may. Should it not end in time, nobody can know
 * whether the token was used up.
 *
 * @since 0.1.0
 * @category models
 */
export const Refreshing = Schema.TaggedStruct("Refreshing", {
  tokens: Tokens,
  /** Which refresh this is. */
  lease: Schema.String,
  /** How long it takes at most. */
  duration: Schema.DurationFromMillis
})

/**
 * The customer has to authorise the app again. `Refused`: the authorisation server said so. `Lost`: the refresh
 * token was sent and no answer came; sent once more, it could revoke everything.
 *
 * @since 0.1.0
 * @category models
 */
export const Ended = Schema.TaggedStruct("Ended", {
  reason: Schema.Literal("Refused", "Lost"),
  /** The refresh that ended it. */
  lease: Schema.String
})

/**
 * What is known of a customer's consent.
 *
 * @since 0.1.0
 * @category models
 */
export const Authorization = Schema.Union(Active, Refreshing, Ended)

/**
 * @since 0.1.0
 * @category models
 */
export type Authorization = typeof Authorization.Type
