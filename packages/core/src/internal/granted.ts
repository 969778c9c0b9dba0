import * as Effect from "effect/Effect"
import type { InstallationError } from "../InstallationError.ts"
import type { Grant, GrantCall, Secrets } from "./credentials.ts"
import type { Sender } from "./http/sender.ts"

const isRejection = (error: InstallationError): boolean =>
  error._tag === "Unauthorized" && error.reason === "Unauthenticated"

/** Whether Pleo knew the credential, and had something else against the update. */
const isAcceptance = (error: InstallationError) =>
  (error._tag === "Unauthorized" && error.reason === "Forbidden") ||
  (error._tag === "BadRequest" && error.status !== undefined)

/** One attempt with the tokens that a customer granted: once more with others when they are not accepted. */
export const attemptWith = <A>(
  grant: Grant,
  call: GrantCall,
  sender: Sender,
  exchange: (secrets: Secrets) => Effect.Effect<A, InstallationError>
): Effect.Effect<A, InstallationError> => {
  const send = (secrets: Secrets) =>
    Effect.tapBoth(exchange(secrets), {
      onFailure: (error) => Effect.sync(() => isAcceptance(error) && grant.accept(secrets)),
      onSuccess: () => Effect.sync(() => grant.accept(secrets))
    })
  const sendFirst = (secrets: Secrets) =>
    Effect.catchAll(send(secrets), (error) =>
      isRejection(error)
        ? Effect.flatMap(call.token(grant.replace(secrets, sender)), (others) =>
            others === undefined ? Effect.fail(error) : send(others)
          )
        : Effect.fail(error)
    )
  const ready = grant.ready(call.deadline.clock)
  return ready === undefined ? Effect.flatMap(call.token(grant.secrets(sender)), sendFirst) : sendFirst(ready)
}
