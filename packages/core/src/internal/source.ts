// Whose installation an update is of, and what it carries to say so.
import type * as Clock from "effect/Clock"
import type { Credentials } from "../Credentials.ts"
import { Unauthorized } from "../InstallationError.ts"
import { type Grant, type Secrets, TypeId } from "./credentials.ts"

/** What the credentials of a call are, over those of its layer: secrets as they are, or a grant that has some. */
export const sourceOf = (
  layer: Credentials,
  chosen: Credentials | undefined,
  clock: Clock.Clock
): Secrets | Grant | Unauthorized => {
  const own = layer[TypeId]
  const variant = chosen === undefined ? own : chosen[TypeId]
  switch (variant._tag) {
    case "Fixed":
      return variant.secrets
    case "App":
      return variant.of(variant.tenant, clock)
    case "Tenant":
      return own._tag === "App"
        ? own.of(variant.tenant, clock)
        : new Unauthorized({
            reason: "Unauthenticated",
            issues: [{ path: ["tenant"], message: "the layer was not given Credentials.oauth" }]
          })
  }
}
