// The values that --json prints. Each command prints one of them, or else `Failure`. A fleet that is watched has its
// progress before, a value a line.
import { Installation } from "@effect-pleo/core/Installation"
import { Introspection } from "@effect-pleo/core/Introspection"
import * as Schema from "effect/Schema"

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

/** `get`, `update`, `activate` and `create`: as Pleo's API has it. */
export { Installation }

/** `whoami`. */
export const Credential = Schema.typeSchema(Introspection)

/** `delete`. */
export const Deleted = Schema.Struct({ deleted: Schema.Literal(true) })

/** `connect`. */
export const Connected = Schema.Struct({ tenant: Schema.String })

/** `sandbox`, once it listens. */
export const Listening = Schema.Struct({ url: Schema.String })

/** One of `tenants`. One that is `Ended` has to connect again, and `reason` says why. */
export const Tenant = Schema.Struct({
  tenant: Schema.String,
  state: Schema.Literal("Active", "Refreshing", "Ended", "Invalid"),
  reason: optional(Schema.Literal("Refused", "Lost", "Deleted"))
})

export type Tenant = typeof Tenant.Type

/** `tenants`. */
export const Tenants = Schema.Array(Tenant)

/** `fleet set`: the number of states that were stored. */
export const FleetSet = Schema.Struct({ set: Schema.Number })

/** `fleet set --watch` and `fleet watch`, about once a second. `rate` is updates a second, `remaining` seconds. */
export const FleetProgress = Schema.Struct({
  pending: Schema.Number,
  inFlight: Schema.Number,
  applied: Schema.Number,
  superseded: Schema.Number,
  failed: Schema.Record({ key: Schema.String, value: Schema.Number }),
  rate: Schema.Number,
  remaining: optional(Schema.Number)
})

export type FleetProgress = typeof FleetProgress.Type

/** `fleet set --watch` and `fleet watch`, once nothing is pending. It exits with 1 if there are failures. */
export const FleetEnd = Schema.Struct({
  applied: Schema.Number,
  superseded: Schema.Number,
  failures: Schema.Array(
    Schema.Struct({
      tenant: Schema.String,
      reason: Schema.Literal("Refused", "ReconnectNeeded", "Retrying"),
      message: Schema.String,
      status: optional(Schema.Number),
      requestId: optional(Schema.String),
      attempts: Schema.Number,
      at: Schema.String
    })
  )
})

export type FleetEnd = typeof FleetEnd.Type

/** `fleet migrate`. */
export const FleetMigrated = Schema.Struct({ migrated: Schema.Number })

/** Every command that fails. `_tag` is that of an error of @effect-pleo/core, or of this command. */
export const Failure = Schema.Struct({
  error: Schema.Struct({
    _tag: Schema.Literal(
      "BadRequest",
      "Unauthorized",
      "Infrastructure",
      "AuthorizationError",
      "CommandError",
      "UsageError",
      "Interrupted",
      "Defect"
    ),
    message: Schema.String,
    reason: optional(Schema.String),
    isRetryable: optional(Schema.Boolean),
    mayHaveBeenApplied: optional(Schema.Boolean),
    server: optional(Schema.String),
    tenant: optional(Schema.String),
    status: optional(Schema.Number),
    code: optional(Schema.String),
    requestId: optional(Schema.String),
    attempts: optional(Schema.Number)
  })
})

export type Failure = typeof Failure.Type
