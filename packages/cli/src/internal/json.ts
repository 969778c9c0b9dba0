// The values that --json prints. Each command prints one of them, or else `Failure`.
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
