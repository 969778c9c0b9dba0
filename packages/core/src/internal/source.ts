// Whose installation an update is of, and what it carries to say so.
import * as Effect from "effect/Effect"
import type { Credentials } from "../Credentials.ts"
import { type InstallationError, Unauthorized } from "../InstallationError.ts"
import { type Grant, type Post, type Secrets, TypeId } from "./credentials.ts"
import type { Attempt } from "./ordering.ts"

/** What the credentials of a call are, over those of its layer: secrets as they are, or a grant that has some. */
export const sourceOf = (
  layer: Credentials,
  chosen: Credentials | undefined
): Secrets | Grant | Unauthorized => {
  const own = layer[TypeId]
  const variant = chosen === undefined ? own : chosen[TypeId]
  switch (variant._tag) {
    case "Fixed":
      return variant.secrets
    case "App":
      return variant.of(variant.tenant)
    case "Tenant":
      return own._tag === "App"
        ? own.of(variant.tenant)
        : new Unauthorized({
            reason: "Unauthenticated",
            issues: [{ path: ["tenant"], message: "the layer was not given Credentials.oauth" }]
          })
  }
}

/** Whether Pleo knew the credential, and had something else against the update. */
const isAcceptance = (error: InstallationError) =>
  (error._tag === "Unauthorized" && error.reason === "Forbidden") ||
  (error._tag === "BadRequest" && error.status !== undefined)

/** One attempt with what a grant has: once more with something else when that is not accepted. */
export const asGranted = <A>(
  grant: Grant,
  post: Post,
  attempt: Attempt,
  send: (attempt: Attempt, secrets: Secrets) => Effect.Effect<A, InstallationError>
): Effect.Effect<A, InstallationError> => {
  const sendOnce = (secrets: Secrets) =>
    Effect.tapBoth(send(attempt, secrets), {
      onFailure: (error) => Effect.sync(() => isAcceptance(error) && grant.accept(secrets)),
      onSuccess: () => Effect.sync(() => grant.accept(secrets))
    })
  const isRejection = (error: InstallationError) =>
    error._tag === "Unauthorized" && error.reason === "Unauthenticated"
  return Effect.zipRight(
    attempt.turn,
    Effect.flatMap(grant.secrets(post), (secrets) =>
      Effect.catchIf(sendOnce(secrets), isRejection, (error) => {
        attempt.refused()
        return Effect.flatMap(grant.replace(secrets, post), (others) =>
          others === undefined ? Effect.fail(error) : sendOnce(others)
        )
      })
    )
  )
}
