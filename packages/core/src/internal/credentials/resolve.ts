import type * as Clock from "effect/Clock"
import { BadRequest } from "../../InstallationError.ts"
import { type Credentials, type Secrets, type Session, TypeId } from "./credentials.ts"

/** The credential of a call, or else of its layer. */
export const resolveCredentials = (
  layer: Credentials,
  chosen: Credentials | undefined,
  clock: Clock.Clock
): Secrets | Session | BadRequest => {
  const own = layer[TypeId]
  const variant = chosen === undefined ? own : chosen[TypeId]
  switch (variant._tag) {
    case "Fixed":
      return variant.secrets
    case "App":
      return variant.sessionOf(variant.tenant, clock)
    case "Tenant":
      return own._tag === "App"
        ? own.sessionOf(variant.tenant, clock)
        : new BadRequest({ issues: [{ path: ["tenant"], message: "the layer has no OAuth credentials" }] })
    case "PerCall":
      return variant.refuse()
  }
}
