import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { InstallationError } from "../InstallationError.ts"
import type { Grant, Post, Secrets, Send } from "./credentials.ts"
import type { Attempt } from "./ordering.ts"
import { within } from "./timeout.ts"

const isRejection = (error: InstallationError): boolean =>
  error._tag === "Unauthorized" && error.reason === "Unauthenticated"

/** Whether Pleo knew the credential, and had something else against the update. */
const isAcceptance = (error: InstallationError) =>
  (error._tag === "Unauthorized" && error.reason === "Forbidden") ||
  (error._tag === "BadRequest" && error.status !== undefined)

/** One attempt with what a grant has: once more with something else when that is not accepted. */
export const attemptWith = <A>(
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
