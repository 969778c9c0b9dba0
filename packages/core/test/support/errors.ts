import * as Arbitrary from "effect/Arbitrary"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import {
  BadRequest,
  Infrastructure,
  type InstallationError,
  Unauthorized
} from "../../src/InstallationError.ts"

// As objects, so that the compiler knows when one is missing.
const unauthorized: Record<Unauthorized["reason"], true> = {
  Unauthenticated: true,
  Forbidden: true,
  NotConnected: true,
  ReauthorizationRequired: true
}

const infrastructure: Record<Infrastructure["reason"], true> = {
  Transport: true,
  Timeout: true,
  RateLimited: true,
  ServerError: true,
  InvalidResponse: true,
  Redirect: true,
  Superseded: true,
  TokenEndpoint: true,
  TokenStore: true
}

/** Every reason of `Unauthorized`. */
export const unauthorizedReasons = Object.keys(unauthorized) as ReadonlyArray<Unauthorized["reason"]>

/** Every reason of `Infrastructure`. */
export const infrastructureReasons = Object.keys(infrastructure) as ReadonlyArray<Infrastructure["reason"]>

const optional = <A>(schema: Schema.Schema<A>) => Schema.optionalWith(schema, { exact: true })

const answerFields = {
  server: optional(Schema.String),
  tenant: optional(Schema.String),
  status: optional(Schema.Number),
  detail: optional(Schema.String),
  body: optional(Schema.String),
  requestId: optional(Schema.String),
  issues: optional(
    Schema.Array(
      Schema.Struct({
        path: Schema.Array(Schema.Union(Schema.String, Schema.Number)),
        message: Schema.String
      })
    )
  ),
  retried: optional(
    Schema.Struct({
      attempts: Schema.Int.pipe(Schema.greaterThan(1)),
      waited: Schema.DurationFromSelf,
      mayHaveBeenApplied: Schema.Boolean
    })
  )
}

/** Any error that an update can fail with. */
export const anyError: FastCheck.Arbitrary<InstallationError> = FastCheck.oneof(
  Arbitrary.make(Schema.Struct(answerFields)).map((fields) => new BadRequest(fields)),
  Arbitrary.make(Schema.Struct({ ...answerFields, reason: Schema.Literal(...unauthorizedReasons) })).map(
    (fields) => new Unauthorized(fields)
  ),
  Arbitrary.make(
    Schema.Struct({
      ...answerFields,
      reason: Schema.Literal(...infrastructureReasons),
      code: optional(Schema.String),
      retryAfter: optional(Schema.DurationFromSelf)
    })
  ).map((fields) => new Infrastructure(fields))
)
