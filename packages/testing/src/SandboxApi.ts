/**
 * What the sandbox serves: the App Marketplace API as it is, the token endpoint of its authorisation server,
 * and beside them the routes by which another process orders faults, gives and takes consent, and reads the
 * record.
 *
 * @since 0.1.0
 * @module
 */

import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiError from "@effect/platform/HttpApiError"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import { AppMarketplaceApi } from "@effect-pleo/core/AppMarketplaceApi"
import * as Schema from "effect/Schema"
import { Fault } from "./Fault.ts"
import { Grant } from "./Grant.ts"
import { RecordedRequest } from "./RecordedRequest.ts"

/**
 * Where the sandbox's own routes are.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { SandboxApi } from "@effect-pleo/testing"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Effect from "effect/Effect"
 *
 * // What another process, or a person with curl, can do.
 * const program = Effect.gen(function* () {
 *   const { url } = yield* Sandbox.Sandbox
 *   const control = `${url}${SandboxApi.controlPrefix}`
 *   const headers = { "content-type": "application/json" }
 *   const body = '{"fault":{"_tag":"Respond","status":503}}'
 *   yield* Effect.promise(() => fetch(`${control}/faults`, { method: "POST", headers, body }))
 *   return yield* Effect.promise(() => fetch(`${url}/v1/installations/me`, { method: "PUT" }))
 * })
 * assert.equal((await Effect.runPromise(Effect.provide(program, Sandbox.layer()))).status, 503)
 * ```
 *
 * @since 0.1.0
 * @category constants
 */
export const controlPrefix = "/sandbox"

/**
 * Where refresh tokens are exchanged.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Fault, SandboxApi } from "@effect-pleo/testing"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Effect from "effect/Effect"
 *
 * // An authorisation server that is down, while the API is not.
 * const program = Effect.gen(function* () {
 *   const { order, url } = yield* Sandbox.Sandbox
 *   yield* order(Fault.status(503), 1, { path: SandboxApi.tokenPath })
 *   const statusOf = (path: string, method: string) =>
 *     Effect.promise(() => fetch(`${url}${path}`, { method }).then(({ status }) => status))
 *   return yield* Effect.all([
 *     statusOf("/v1/installations/me", "PUT"),
 *     statusOf(SandboxApi.tokenPath, "POST")
 *   ])
 * })
 * assert.deepEqual(await Effect.runPromise(Effect.provide(program, Sandbox.layer())), [401, 503])
 * ```
 *
 * @since 0.1.0
 * @category constants
 */
export const tokenPath = "/oauth/token"

const InvalidRequest = Schema.Struct({
  error: Schema.Literal("invalid_request", "unsupported_grant_type", "invalid_grant")
})
const InvalidClient = Schema.Struct({ error: Schema.Literal("invalid_client") })

/**
 * Why there are no tokens (RFC 6749, section 5.2).
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { SandboxApi } from "@effect-pleo/testing"
 * import * as Schema from "effect/Schema"
 *
 * const decode = Schema.decodeUnknownSync(SandboxApi.OAuthError)
 * const whoActs = ({ error }: SandboxApi.OAuthError) =>
 *   error === "invalid_grant" ? "the customer" : "a developer"
 *
 * assert.equal(whoActs(decode({ error: "invalid_grant" })), "the customer")
 * assert.equal(whoActs(decode({ error: "invalid_client" })), "a developer")
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export const OAuthError = Schema.Union(InvalidRequest, InvalidClient)

/**
 * @since 0.1.0
 * @category models
 */
export type OAuthError = typeof OAuthError.Type

const oauth = HttpApiGroup.make("OAuth").add(
  HttpApiEndpoint.post("token", tokenPath)
    .setPayload(
      Schema.Struct({
        grant_type: Schema.Literal("refresh_token"),
        refresh_token: Schema.NonEmptyString,
        client_id: Schema.NonEmptyString,
        client_secret: Schema.NonEmptyString
      }).pipe(HttpApiSchema.withEncoding({ kind: "UrlParams" }))
    )
    .addSuccess(
      Schema.Struct({
        access_token: Schema.String,
        refresh_token: Schema.String,
        token_type: Schema.Literal("Bearer"),
        /** In seconds. */
        expires_in: Schema.optionalWith(Schema.Number, { exact: true })
      })
    )
    .addError(InvalidRequest, { status: 400 })
    .addError(InvalidClient, { status: 401 })
)

const grantId = HttpApiSchema.param("id", Schema.String)

const control = HttpApiGroup.make("Sandbox")
  .add(
    HttpApiEndpoint.post("orderFault", "/faults")
      .setPayload(
        Schema.Struct({
          fault: Fault,
          times: Schema.optionalWith(Schema.Int.pipe(Schema.positive()), { default: () => 1 }),
          path: Schema.optional(Schema.String.pipe(Schema.startsWith("/")))
        })
      )
      .addSuccess(HttpApiSchema.NoContent)
  )
  .add(HttpApiEndpoint.get("listRequests", "/requests").addSuccess(Schema.Array(RecordedRequest)))
  .add(
    HttpApiEndpoint.post("authorize", "/grants")
      .setPayload(
        // No body at all is read as null.
        Schema.NullOr(
          Schema.Struct({
            clientId: Schema.optional(Schema.NonEmptyString),
            clientSecret: Schema.optional(Schema.Redacted(Schema.NonEmptyString)),
            expiresIn: Schema.optional(Schema.DurationFromMillis)
          })
        )
      )
      .addSuccess(Grant)
  )
  .add(
    HttpApiEndpoint.del("revoke")`/grants/${grantId}`
      .addSuccess(HttpApiSchema.NoContent)
      .addError(HttpApiError.NotFound)
  )
  .add(
    HttpApiEndpoint.post("expire")`/grants/${grantId}/expire`
      .addSuccess(HttpApiSchema.NoContent)
      .addError(HttpApiError.NotFound)
  )
  .prefix(controlPrefix)

/**
 * What the sandbox serves, as an `HttpApi`: a client for another process is derived from it.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
 * import * as HttpApiClient from "@effect/platform/HttpApiClient"
 * import { Fault, SandboxApi } from "@effect-pleo/testing"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function* () {
 *   const { url } = yield* Sandbox.Sandbox
 *   const client = yield* HttpApiClient.make(SandboxApi.SandboxApi, { baseUrl: url })
 *   yield* client.Sandbox.orderFault({ payload: { fault: Fault.status(503), times: 1 } })
 *   yield* Effect.promise(() => fetch(url))
 *   return yield* client.Sandbox.listRequests()
 * })
 *
 * const requests = await program.pipe(
 *   Effect.provide([FetchHttpClient.layer, Sandbox.layer()]),
 *   Effect.runPromise
 * )
 * assert.equal(requests[0]?.status, 503)
 * ```
 *
 * @since 0.1.0
 * @category apis
 */
export const SandboxApi = HttpApi.make("SandboxApi").addHttpApi(AppMarketplaceApi).add(oauth).add(control)
