/**
 * A request that the sandbox saw.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * Without its `authorization` header: of the credential, only the scheme is kept.
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
  status: Schema.NullOr(Schema.Number)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface RecordedRequest extends Schema.Schema.Type<typeof RecordedRequest> {}
