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
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import type { Authorization } from "@effect-pleo/core"
 * import * as DateTime from "effect/DateTime"
 * import * as Duration from "effect/Duration"
 * import * as Redacted from "effect/Redacted"
 *
 * const tokens: Authorization.Tokens = {
 *   accessToken: Redacted.make("access"),
 *   refreshToken: Redacted.make("refresh"),
 *   receivedAt: DateTime.unsafeMake("2026-01-01T12:00:00Z"),
 *   expiresIn: Duration.minutes(59)
 * }
 *
 * const expiry = ({ expiresIn, receivedAt }: Authorization.Tokens) =>
 *   expiresIn === undefined ? "unknown" : DateTime.formatIso(DateTime.addDuration(receivedAt, expiresIn))
 * assert.equal(expiry(tokens), "2026-01-01T12:59:00.000Z")
 * ```
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
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Authorization, TokenStore } from "@effect-pleo/core"
 * import * as DateTime from "effect/DateTime"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * const active = Authorization.Active.make({
 *   tokens: {
 *     accessToken: Redacted.make("access"),
 *     refreshToken: Redacted.make("refresh"),
 *     receivedAt: DateTime.unsafeMake(0)
 *   }
 * })
 *
 * const program = Effect.flatMap(TokenStore.TokenStore, (store) => store.save("key", 0, active))
 * assert.equal(Effect.runSync(Effect.provide(program, TokenStore.layerMemory)), true)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export const Active = Schema.TaggedStruct("Active", { tokens: Tokens })

/**
 * A process is exchanging the refresh token, and nobody else may. Should it not end in time, nobody can know
 * whether the token was used up.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Authorization } from "@effect-pleo/core"
 * import * as DateTime from "effect/DateTime"
 * import * as Duration from "effect/Duration"
 * import * as Redacted from "effect/Redacted"
 *
 * const refreshing = Authorization.Refreshing.make({
 *   tokens: {
 *     accessToken: Redacted.make("access"),
 *     refreshToken: Redacted.make("refresh"),
 *     receivedAt: DateTime.unsafeMake(0)
 *   },
 *   lease: "4f0c",
 *   duration: Duration.seconds(30)
 * })
 * assert.equal(
 *   `Refresh ${refreshing.lease} ends within ${Duration.format(refreshing.duration)}`,
 *   "Refresh 4f0c ends within 30s"
 * )
 * ```
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
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Authorization } from "@effect-pleo/core"
 *
 * const explanation = {
 *   Refused: "Pleo refused to refresh the tokens",
 *   Lost: "Pleo did not answer when the tokens were refreshed"
 * }
 *
 * const ended = Authorization.Ended.make({ reason: "Lost", lease: "4f0c" })
 * assert.equal(explanation[ended.reason], "Pleo did not answer when the tokens were refreshed")
 * ```
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
 * What is stored for a customer: tokens to use, tokens that are being refreshed, or that there are none any more.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Authorization } from "@effect-pleo/core"
 * import * as Match from "effect/Match"
 *
 * // For a page that shows an operator how a customer is doing.
 * const describe = Match.type<Authorization.Authorization>().pipe(
 *   Match.tagsExhaustive({
 *     Active: () => "connected",
 *     Refreshing: () => "connected, tokens are being refreshed",
 *     Ended: ({ reason }) => `has to connect again (${reason})`
 *   })
 * )
 *
 * const ended = Authorization.Ended.make({ reason: "Refused", lease: "4f0c" })
 * assert.equal(describe(ended), "has to connect again (Refused)")
 * ```
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
