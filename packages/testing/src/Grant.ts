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
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { type Grant } from "@effect-pleo/testing"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Duration from "effect/Duration"
 * import * as Effect from "effect/Effect"
 *
 * // What `OAuth.storeTokens` takes is in it.
 * const describe = ({ accessToken, expiresIn }: Grant.Grant) =>
 *   `${accessToken}, good for ${Duration.format(expiresIn)}`
 *
 * const program = Effect.flatMap(Sandbox.Sandbox, ({ authorize }) => authorize())
 * const grant = await Effect.runPromise(Effect.provide(program, Sandbox.layer()))
 * assert.equal(describe(grant), "<redacted>, good for 1h")
 * ```
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
 * Whose grant it is, and how long its access tokens live.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { type Grant } from "@effect-pleo/testing"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Effect from "effect/Effect"
 *
 * const options: Grant.Options = { clientId: "another-app", clientSecret: "secret", expiresIn: "1 second" }
 *
 * const program = Effect.flatMap(Sandbox.Sandbox, ({ authorize }) => authorize(options))
 * const { expiresIn } = await Effect.runPromise(Effect.provide(program, Sandbox.layer()))
 * assert.equal(String(expiresIn), "Duration(1s)")
 * ```
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
