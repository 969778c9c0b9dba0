// The routes of the sandbox but for its pages: the App Marketplace API, the token endpoint of its authorization server,
// and the routes by which another process injects faults, changes grants, and reads the record.
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiError from "@effect/platform/HttpApiError"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import { AppMarketplaceApi } from "@effect-pleo/core/AppMarketplaceApi"
import * as Schema from "effect/Schema"
import * as Fault from "../../Fault.ts"

export const controlPrefix = "/sandbox"

export const authorizePath = "/oauth/authorize"

export const tokenPath = "/oauth/token"

/** A grant and its current pair of tokens. As JSON, the tokens are plain and `expiresIn` is in milliseconds. */
export const Grant = Schema.Struct({
  id: Schema.String,
  accessToken: Schema.Redacted(Schema.String),
  refreshToken: Schema.Redacted(Schema.String),
  expiresIn: Schema.DurationFromMillis
})

export interface Grant extends Schema.Schema.Type<typeof Grant> {}

const Outcome = Schema.Literal("issued", "rotated", "reused", "revoked", "refused")

export type Outcome = typeof Outcome.Type

const PresentedGrant = Schema.Struct({
  id: Schema.String,
  /** That of the token presented, valid or not: 1 for the first pair, 0 for an authorization code. */
  generation: Schema.Int,
  /**
   * The outcome of a code or a refresh, unless a fault kept it from being carried out: the first pair `issued`; `rotated`
   * into the next pair; `reused`, which revoked the grant; of a grant `revoked` before; or `refused` for another reason,
   * without any effect.
   */
  outcome: Schema.optionalWith(Outcome, { exact: true })
})

export interface PresentedGrant extends Schema.Schema.Type<typeof PresentedGrant> {}

export const RecordedRequest = Schema.Struct({
  method: Schema.String,
  path: Schema.String,
  scheme: Schema.Literal("Bearer", "Basic", "none", "unknown"),
  headers: Schema.Record({ key: Schema.String, value: Schema.String }),
  body: Schema.String,
  /** The status of the response. `null` as long as there is none, and if the connection was reset. */
  status: Schema.NullOr(Schema.Number),
  /** Absent if the request carries no token that the sandbox issued. */
  grant: Schema.optionalWith(PresentedGrant, { exact: true })
})

export interface RecordedRequest extends Schema.Schema.Type<typeof RecordedRequest> {}

const InvalidRequest = Schema.Struct({
  error: Schema.Literal("invalid_request", "unsupported_grant_type", "invalid_grant")
})
const InvalidClient = Schema.Struct({ error: Schema.Literal("invalid_client") })

/** Why there are no tokens (RFC 6749, section 5.2). */
export type OAuthError = typeof InvalidRequest.Type | typeof InvalidClient.Type

/** Absent if the client authenticates by HTTP Basic. */
const client = {
  client_id: Schema.optional(Schema.NonEmptyString),
  client_secret: Schema.optional(Schema.NonEmptyString)
}

const oauth = HttpApiGroup.make("OAuth").add(
  HttpApiEndpoint.post("token", tokenPath)
    .setPayload(
      Schema.Union(
        Schema.Struct({
          grant_type: Schema.Literal("refresh_token"),
          refresh_token: Schema.NonEmptyString,
          ...client
        }),
        Schema.Struct({
          grant_type: Schema.Literal("authorization_code"),
          code: Schema.NonEmptyString,
          redirect_uri: Schema.NonEmptyString,
          code_verifier: Schema.NonEmptyString,
          ...client
        })
      ).pipe(HttpApiSchema.withEncoding({ kind: "UrlParams" }))
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

const isApplied = Schema.optional(Schema.Boolean)

/** A fault as JSON, named by its constructor. Durations are in milliseconds. */
const FaultOrder = Schema.Struct({
  fault: Schema.Union(
    Schema.TaggedStruct("status", {
      status: Schema.Int.pipe(Schema.between(200, 999)),
      headers: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.String })),
      body: Schema.optional(Schema.String),
      isApplied
    }),
    Schema.TaggedStruct("delay", { duration: Schema.DurationFromMillis, isApplied }),
    Schema.TaggedStruct("resetConnection", {}),
    Schema.TaggedStruct("loseResponse", {}),
    Schema.TaggedStruct("stallResponse", { isApplied }),
    Schema.TaggedStruct("malformedResponse", { isApplied })
  ),
  times: Schema.optional(Schema.Int.pipe(Schema.positive())),
  path: Schema.optional(Schema.String.pipe(Schema.startsWith("/"))),
  after: Schema.optional(Schema.DurationFromMillis)
})

export const faultOf = ({ after, fault, path, times }: typeof FaultOrder.Type): Fault.Fault => {
  const options: Fault.Options = {
    after,
    times,
    when: path === undefined ? undefined : (request) => request.path === path
  }
  switch (fault._tag) {
    case "status":
      return Fault.status(fault.status, { ...fault, ...options })
    case "delay":
      return Fault.delay(fault.duration, { ...fault, ...options })
    case "resetConnection":
      return Fault.resetConnection(options)
    case "loseResponse":
      return Fault.loseResponse(options)
    case "stallResponse":
      return Fault.stallResponse({ ...fault, ...options })
    case "malformedResponse":
      return Fault.malformedResponse({ ...fault, ...options })
  }
}

const grantId = HttpApiSchema.param("id", Schema.String)

const control = HttpApiGroup.make("Sandbox")
  .add(
    HttpApiEndpoint.post("injectFault", "/faults").setPayload(FaultOrder).addSuccess(HttpApiSchema.NoContent)
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

export const SandboxApi = HttpApi.make("SandboxApi").addHttpApi(AppMarketplaceApi).add(oauth).add(control)
