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
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { type RecordedRequest } from "@effect-pleo/testing"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * const program = Effect.gen(function* () {
 *   const { authorize, requests, url } = yield* Sandbox.Sandbox
 *   const { refreshToken } = yield* authorize()
 *   const body = new URLSearchParams({
 *     grant_type: "refresh_token",
 *     refresh_token: Redacted.value(refreshToken),
 *     client_id: "my-app",
 *     client_secret: "my-secret"
 *   })
 *   const refresh = Effect.promise(() => fetch(`${url}/oauth/token`, { method: "POST", body }))
 *   yield* Effect.all([refresh, refresh])
 *   return (yield* requests).map(({ grant }) => grant?.outcome)
 * })
 *
 * const expected: Array<RecordedRequest.Outcome> = ["rotated", "reused"]
 * assert.deepEqual(await Effect.runPromise(Effect.provide(program, Sandbox.layer())), expected)
 * ```
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
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import type { RecordedRequest } from "@effect-pleo/testing"
 *
 * const isReplay = ({ outcome }: RecordedRequest.PresentedGrant) =>
 *   outcome === "reused" || outcome === "revoked"
 *
 * assert.ok(isReplay({ id: "grant-1", generation: 1, outcome: "reused" }))
 * assert.ok(!isReplay({ id: "grant-1", generation: 2 }))
 * ```
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
 * A request and the status of its answer. It lacks the `authorization` header: of the credential, only the
 * scheme is kept. Of a form, only the grant type and the client's id are.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { type RecordedRequest } from "@effect-pleo/testing"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Effect from "effect/Effect"
 *
 * const format = ({ body, method, path, scheme, status }: RecordedRequest.RecordedRequest) =>
 *   `${method} ${path} ${scheme} ${body} ${status ?? "no answer"}`
 *
 * const program = Effect.gen(function* () {
 *   const { requests, url } = yield* Sandbox.Sandbox
 *   const headers = { authorization: "Bearer token", "content-type": "application/json" }
 *   const request = { method: "PUT", headers, body: '{"status":"INACTIVE"}' }
 *   yield* Effect.promise(() => fetch(`${url}/v1/installations/me`, request))
 *   return (yield* requests).map(format)
 * })
 * assert.deepEqual(await Effect.runPromise(Effect.provide(program, Sandbox.layer())), [
 *   'PUT /v1/installations/me Bearer {"status":"INACTIVE"} 200'
 * ])
 * ```
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
