import * as Context from "effect/Context"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { Credentials } from "../Credentials.ts"

export const TypeId: unique symbol = Symbol.for("@effect-pleo/core/Credentials")

export interface Secrets {
  /** The value of the `Authorization` header. */
  readonly authorization: Redacted.Redacted
  /** Every form in which the secret could be quoted back: itself, and what follows the scheme. */
  readonly forms: ReadonlyArray<Redacted.Redacted>
}

export const make = (authorization: string, secret: string): Credentials => {
  const encoded = authorization.slice(authorization.indexOf(" ") + 1)
  // Base64 may be quoted without its padding.
  const forms = new Set([encoded, encoded.replace(/=+$/, ""), secret])
  return {
    [TypeId]: {
      authorization: Redacted.make(authorization),
      forms: [...forms].map((form) => Redacted.make(form))
    }
  }
}

export const authorization = (self: Credentials): string => Redacted.value(self[TypeId].authorization)

/** The credentials that `Credentials.use` chose for a region, if any. */
export class Chosen extends Context.Reference<Chosen>()("@effect-pleo/core/Credentials/Chosen", {
  defaultValue: () => Option.none<Credentials>()
}) {}

export const current = (context: Context.Context<never>): Credentials | undefined =>
  Option.getOrUndefined(Context.get(context, Chosen))
