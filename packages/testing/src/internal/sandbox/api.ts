// The contract of the App Marketplace API and of the token endpoint, and the JSON by which another process injects faults, changes grants, and reads the record.
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import { AppMarketplaceApi } from "@effect-pleo/core/AppMarketplaceApi"
import { Installation } from "@effect-pleo/core/Installation"
import * as Schema from "effect/Schema"
import * as Fault from "../../Fault.ts"
import { type Plan, TypeId } from "../marketplace/plan.ts"

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
  at: Schema.DateTimeUtc,
  method: Schema.String,
  path: Schema.String,
  scheme: Schema.Literal("Bearer", "Basic", "none", "unknown"),
  headers: Schema.Record({ key: Schema.String, value: Schema.String }),
  body: Schema.String,
  /** The status of the response. `null` as long as there is none, and if the connection was reset. */
  status: Schema.NullOr(Schema.Number),
  /** Absent if the request carries no token that the sandbox issued. */
  grant: Schema.optionalWith(PresentedGrant, { exact: true }),
  /** A name for the customer or the credential whose installation it is, such as `company Acme` or `API key 2`. */
  installation: Schema.optionalWith(Schema.String, { exact: true }),
  /** The fault that it met, such as `status 503`. */
  fault: Schema.optionalWith(Schema.String, { exact: true })
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

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

const isApplied = optional(Schema.Boolean)

/** A fault as JSON, named by its constructor. Durations are in milliseconds. */
export const FaultOrder = Schema.Struct({
  fault: Schema.Union(
    Schema.TaggedStruct("status", {
      status: Schema.Int.pipe(Schema.between(200, 999)),
      headers: optional(Schema.Record({ key: Schema.String, value: Schema.String })),
      body: optional(Schema.String),
      isApplied
    }),
    Schema.TaggedStruct("delay", { duration: Schema.DurationFromMillis, isApplied }),
    Schema.TaggedStruct("resetConnection", {}),
    Schema.TaggedStruct("loseResponse", {}),
    Schema.TaggedStruct("stallResponse", { isApplied }),
    Schema.TaggedStruct("malformedResponse", { isApplied })
  ),
  times: optional(Schema.Int.pipe(Schema.positive())),
  path: optional(Schema.String.pipe(Schema.startsWith("/"))),
  after: optional(Schema.DurationFromMillis)
})

const faultOf = ({ after, fault, path, times }: typeof FaultOrder.Type): Fault.Fault => {
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

export const planOf = (order: typeof FaultOrder.Type): Plan => ({
  ...faultOf(order)[TypeId],
  ...(order.path !== undefined && { path: order.path })
})

export const PendingFault = Schema.Struct({
  id: Schema.String,
  /** Such as `status 503`. */
  fault: Schema.String,
  /** For how many requests it still is. `null` for all. */
  left: Schema.NullOr(Schema.Int),
  path: optional(Schema.String)
})

export const GrantOrder = Schema.Struct({
  clientId: optional(Schema.NonEmptyString),
  clientSecret: optional(Schema.Redacted(Schema.NonEmptyString)),
  expiresIn: optional(Schema.DurationFromMillis)
})

/** A grant without its tokens. */
export const GrantState = Schema.Struct({
  id: Schema.String,
  /** Whose installation it is for, such as `company Acme`. */
  owner: Schema.String,
  clientId: optional(Schema.String),
  scopes: Schema.Array(Schema.String),
  /** How many pairs of tokens were issued. */
  generation: Schema.Int,
  /** `pending` until its code is exchanged; `expired` if its access token is. */
  state: Schema.Literal("pending", "live", "expired", "revoked"),
  /** `null` if it never expires, or was made to. */
  expiresAt: Schema.NullOr(Schema.DateTimeUtc)
})

export interface GrantState extends Schema.Schema.Type<typeof GrantState> {}

export const OwnedInstallation = Schema.Struct({ owner: Schema.String, ...Installation.fields })

export const SandboxApi = HttpApi.make("SandboxApi").addHttpApi(AppMarketplaceApi).add(oauth)
