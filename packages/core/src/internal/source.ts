// Whose installation an update is of, and what it carries to say so.
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Credentials } from "../Credentials.ts"
import { type InstallationError, Unauthorized } from "../InstallationError.ts"
import { type Grant, type Post, type Secrets, TypeId } from "./credentials.ts"
import type { Attempt } from "./ordering.ts"
import { within } from "./timeout.ts"

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

/** Sends with what is chosen when it is its turn. An effect that is chosen instead goes on from there. */
type Send<A> = (
  choose: () => Secrets | Effect.Effect<A, InstallationError>,
  /** For what ends by itself. */
  timeout: number | undefined
) => Effect.Effect<A, InstallationError>

const isRejection = (error: InstallationError): boolean =>
  error._tag === "Unauthorized" && error.reason === "Unauthenticated"

/** Whether Pleo knew the credential, and had something else against the update. */
const isAcceptance = (error: InstallationError) =>
  (error._tag === "Unauthorized" && error.reason === "Forbidden") ||
  (error._tag === "BadRequest" && error.status !== undefined)

/** One attempt with what a grant has: once more with something else when that is not accepted. */
export const asGranted = <A>(
  grant: Grant,
  post: Post,
  clock: Clock.Clock,
  attempt: Attempt,
  timeout: number | undefined,
  send: Send<A>
): Effect.Effect<A, InstallationError> => {
  const end = timeout === undefined ? undefined : clock.unsafeCurrentTimeMillis() + timeout
  const inTime = (self: Effect.Effect<A, InstallationError>) =>
    Effect.suspend(() =>
      within(self, end === undefined ? undefined : Math.max(0, end - clock.unsafeCurrentTimeMillis()))
    )
  let sent: Secrets | undefined
  const sendNow = (secrets: Secrets) => {
    sent = secrets
    return send(() => secrets, undefined)
  }
  const { span } = attempt.observer
  /** A renewal that this update begins hangs from its span. */
  const asChild = <B>(self: Effect.Effect<B, InstallationError>) =>
    span === undefined ? self : Effect.withParentSpan(self, span)
  const sendLater = Effect.suspend(() => {
    // It is its turn, and nothing was sent yet.
    attempt.refused()
    return inTime(Effect.flatMap(asChild(grant.secrets(post)), sendNow))
  })
  const sendAgain = (rejected: Secrets, error: InstallationError) => {
    attempt.refused()
    return inTime(
      Effect.flatMap(asChild(grant.replace(rejected, post)), (others) =>
        others === undefined ? Effect.fail(error) : sendNow(others)
      )
    )
  }
  const accept = () => {
    if (sent !== undefined) grant.accept(sent)
  }
  const choose = () => {
    sent = grant.ready(clock)
    return sent ?? sendLater
  }
  return send(choose, timeout).pipe(
    Effect.catchAll((error) =>
      sent !== undefined && isRejection(error) ? sendAgain(sent, error) : Effect.fail(error)
    ),
    Effect.tapBoth({
      onFailure: (error) => Effect.sync(() => isAcceptance(error) && accept()),
      onSuccess: () => Effect.sync(accept)
    })
  )
}
