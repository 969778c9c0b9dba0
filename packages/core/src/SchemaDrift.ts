/**
 * Pleo's answers may come to hold what this version does not know. That never fails an update.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"

/**
 * Something in an answer that this version does not know.
 *
 * @since 0.1.0
 * @category models
 */
export interface SchemaDrift {
  /** A value of the field `status` or `errorCode`, or a field of its own. */
  readonly kind: "status" | "errorCode" | "field"
  /** The value or the name of the field: at most 128 characters, and no secret of the request. */
  readonly name: string
}

/**
 * Is told of what a client did not know, once for each `kind` and `name`, of at most 64 in all. It runs beside the
 * updates: they neither wait for it nor fail with it. What it dies of is logged as a warning.
 *
 * @since 0.1.0
 * @category models
 */
export type OnDrift = (drift: SchemaDrift) => Effect.Effect<void>
