import type * as Clock from "effect/Clock"
import type * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Credentials } from "../Credentials.ts"
import type { InstallationError } from "../InstallationError.ts"
import type { Deadline } from "./http/deadline.ts"
import type { Sender } from "./http/sender.ts"

export const TypeId: unique symbol = Symbol.for("@effect-pleo/core/Credentials")

/** What one request carries. */
export interface Secrets {
  readonly scheme: "Bearer" | "Basic"
  /** The token, or the API key. */
  readonly secret: Redacted.Redacted
}

const encoded = ({ scheme, secret }: Secrets): string =>
  scheme === "Bearer" ? Redacted.value(secret) : btoa(`${Redacted.value(secret)}:`)

/** The value of the `Authorization` header. */
export const authorizationOf = (secrets: Secrets): string => `${secrets.scheme} ${encoded(secrets)}`

/** Every form in which a response could quote the secret. Base64 may be quoted without its padding. */
export const formsOf = (secrets: Secrets): ReadonlyArray<string> => [
  encoded(secrets),
  encoded(secrets).replace(/=+$/, ""),
  Redacted.value(secrets.secret)
]

/** An attempt that may have to wait for tokens. */
export interface GrantCall {
  readonly deadline: Deadline
  /** Waits, before anything is sent, until the deadline at the latest. */
  readonly token: <A>(self: Effect.Effect<A, InstallationError>) => Effect.Effect<A, InstallationError>
}

/** What a customer granted: credentials that are renewed as they expire. */
export interface Grant {
  /** The same for as long as it is the same customer, whatever is sent. */
  readonly identity: string
  /** What to send now, if nothing has to be waited for. */
  readonly ready: (clock: Clock.Clock) => Secrets | undefined
  /** What to send now. It waits while that is being renewed. */
  readonly secrets: (sender: Sender) => Effect.Effect<Secrets, InstallationError>
  /** What to send instead of what was not accepted. `undefined` when there is nothing else. */
  readonly replace: (
    rejected: Secrets,
    sender: Sender
  ) => Effect.Effect<Secrets | undefined, InstallationError>
  /** Learns that these were accepted. */
  readonly accept: (secrets: Secrets) => void
  /** One attempt, in which `exchange` sends. */
  readonly attempt: <A>(
    call: GrantCall,
    sender: Sender,
    exchange: (secrets: Secrets) => Effect.Effect<A, InstallationError>
  ) => Effect.Effect<A, InstallationError>
}

export type Variant =
  | { readonly _tag: "Fixed"; readonly secrets: Secrets }
  | {
      readonly _tag: "App"
      readonly tenant: string
      readonly of: (tenant: string, clock: Clock.Clock) => Grant
    }
  /** A customer of the app that the layer has the credentials of. */
  | { readonly _tag: "Tenant"; readonly tenant: string }

export const make = (variant: Variant): Credentials => ({ [TypeId]: variant })

// Visible ASCII (RFC 9110 section 5.5). Anything else would be altered, or split the header, on its way.
const visibleAscii = /^[\x21-\x7e]+$/

/** What keeps a secret from being sent in a header. */
export const flawOf = (secret: string): string | undefined => {
  if (secret === "") return "is empty"
  return visibleAscii.test(secret) ? undefined : "cannot be sent in a header: expected visible ASCII"
}
