/**
 * The stored state of a customer's OAuth grant.
 *
 * @since 0.1.0
 * @module
 */
import * as Schema from "effect/Schema"

const Secret = Schema.Redacted(Schema.NonEmptyString)

const Tokens = Schema.Struct({
  accessToken: Secret,
  refreshToken: Secret,
  // By the clock of the process that received them.
  receivedAt: Schema.DateTimeUtcFromNumber,
  // Counted from `receivedAt`. Absent if the server did not say.
  expiresIn: Schema.optionalWith(Schema.DurationFromMillis, { exact: true })
})

/**
 * `Active`: the tokens may be used, and refreshed once. `Refreshing`: one process is refreshing them. `Ended`: the
 * customer has to authorize the app again, since the refresh was refused, its response was lost,
 * or the installation was deleted.
 *
 * @example
 * ```ts
 * const ended: Authorization.Authorization = { _tag: "Ended", reason: "Lost", lease: "4f0c" }
 * ```
 * @since 0.1.0
 * @category schemas
 */
export const Authorization = Schema.Union(
  Schema.TaggedStruct("Active", { tokens: Tokens }),
  Schema.TaggedStruct("Refreshing", {
    tokens: Tokens,
    // Identifies the refresh.
    lease: Schema.String,
    // The longest that the refresh may take.
    duration: Schema.DurationFromMillis
  }),
  Schema.TaggedStruct("Ended", {
    reason: Schema.Literal("Refused", "Lost", "Deleted"),
    // Identifies what ended the grant: the refresh, unless the installation was deleted.
    lease: Schema.String
  })
)

export type Authorization = typeof Authorization.Type
