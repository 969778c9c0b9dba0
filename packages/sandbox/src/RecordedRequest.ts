/**
 * A request that the sandbox saw.
 *
 * @since 0.1.0
 * @module
 */
import * as Schema from "effect/Schema"

/**
 * What became of a refresh token at the token endpoint: `rotated` into the next pair; `reused`, which revoked
 * its grant; of a grant that had been `revoked` before; or `refused` for something else in the request, which
 * leaves the token as it was.
 *
 * @since 0.1.0
 * @category models
 */
export const Outcome = Schema.Literal("rotated", "reused", "revoked", "refused")

/**
 * @since 0.1.0
 * @category models
 */
export type Outcome = typeof Outcome.Type

/**
 * Which of a grant's tokens a request carried: the access token as bearer, or the refresh token in a form.
 *
 * @since 0.1.0
 * @category models
 */
export const PresentedGrant = Schema.Struct({
  id: Schema.String,
  /** That of the token presented, alive or dead: 1 for the first pair. */
  generation: Schema.Int,
  /** Of a refresh token, unless a fault kept the request from being carried out. */
  outcome: Schema.optionalWith(Outcome, { exact: true })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface PresentedGrant extends Schema.Schema.Type<typeof PresentedGrant> {}

/**
 * Without its `authorization` header: of the credential, only the scheme is kept. Of a form, only the grant type
 * and the client's id are.
 *
 * @since 0.1.0
 * @category models
 */
export const RecordedRequest = Schema.Struct({
  method: Schema.String,
  path: Schema.String,
  scheme: Schema.Literal("Bearer", "Basic", "none", "unknown"),
  headers: Schema.Record({ key: Schema.String, value: Schema.String }),
  body: Schema.String,
  /** The status of the answer. `null` while there is none, and for ever when the connection was reset. */
  status: Schema.NullOr(Schema.Number),
  /** Absent when the request carried no token that the sandbox issued. */
  grant: Schema.optionalWith(PresentedGrant, { exact: true })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface RecordedRequest extends Schema.Schema.Type<typeof RecordedRequest> {}
