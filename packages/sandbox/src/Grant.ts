/**
 * What a customer's consent gives.
 *
 * @since 0.1.0
 * @module
 */
import type * as Duration from "effect/Duration"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

/**
 * A grant and its first pair of tokens. Its installation is its own, and stays the same however often the
 * tokens rotate. As JSON, the tokens are plain and `expiresIn` is in milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export const Grant = Schema.Struct({
  id: Schema.String,
  accessToken: Schema.Redacted(Schema.String),
  refreshToken: Schema.Redacted(Schema.String),
  /** The life of each access token of the grant. Refresh tokens last until they are used or revoked. */
  expiresIn: Schema.DurationFromMillis
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Grant extends Schema.Schema.Type<typeof Grant> {}

/**
 * Who may refresh a grant, and how long its access tokens live.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The client that may refresh the grant. Default: the one that the sandbox expects. */
  readonly clientId?: string | undefined
  readonly clientSecret?: string | Redacted.Redacted | undefined
  /** Default: 1 hour. An infinite one leaves `expires_in` out of the token endpoint's answers. */
  readonly expiresIn?: Duration.DurationInput | undefined
}
