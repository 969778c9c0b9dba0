import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { Credentials } from "../Credentials.ts"
import type { InstallationError } from "../InstallationError.ts"
import type * as Transport from "../Transport.ts"
import type { Attempt } from "./ordering.ts"

export const TypeId: unique symbol = Symbol.for("@effect-pleo/core/Credentials")

/** What one request carries. */
export interface Secrets {
  /** The value of the `Authorization` header. */
  readonly authorization: Redacted.Redacted
  /** Every form in which the secret could be quoted back: itself, and what follows the scheme. */
  readonly forms: ReadonlyArray<Redacted.Redacted>
}

/** Sends a form over the transport of a client. */
export type Post = (
  url: URL,
  request: Transport.Request
) => Effect.Effect<Transport.Answer, Transport.Failure>

/** Sends with what is chosen when it is its turn. An effect that is chosen instead goes on from there. */
export type Send<A> = (
  choose: () => Secrets | Effect.Effect<A, InstallationError>,
  /** For what ends by itself. */
  timeout: number | undefined
) => Effect.Effect<A, InstallationError>

/** What a customer granted: credentials that are renewed as they expire. */
export interface Grant {
  /** The same for as long as it is the same customer, whatever is sent. */
  readonly identity: string
  /** What to send now, if nothing has to be waited for. */
  readonly ready: (clock: Clock.Clock) => Secrets | undefined
  /** What to send now. It waits while that is being renewed. */
  readonly secrets: (post: Post) => Effect.Effect<Secrets, InstallationError>
  /** What to send instead of what was not accepted. `undefined` when there is nothing else. */
  readonly replace: (rejected: Secrets, post: Post) => Effect.Effect<Secrets | undefined, InstallationError>
  /** Learns that these were accepted. */
  readonly accept: (secrets: Secrets) => void
  /** One attempt with these: once more with others when they are not accepted. `timeout` is in milliseconds. */
  readonly attempt: <A>(
    post: Post,
    clock: Clock.Clock,
    attempt: Attempt,
    timeout: number | undefined,
    send: Send<A>
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

/** The secrets of a fixed credential. */
export const makeSecrets = (authorization: string, secret: string): Secrets => {
  const encoded = authorization.slice(authorization.indexOf(" ") + 1)
  // Base64 may be quoted without its padding.
  const forms = new Set([encoded, encoded.replace(/=+$/, ""), secret])
  return {
    authorization: Redacted.make(authorization),
    forms: Array.from(forms, (form) => Redacted.make(form))
  }
}

// Visible ASCII (RFC 9110 section 5.5). Anything else would be altered, or split the header, on its way.
const visibleAscii = /^[\x21-\x7e]+$/

/** What keeps a secret from being sent in a header. */
export const flawOf = (secret: string): string | undefined => {
  if (secret === "") return "is empty"
  return visibleAscii.test(secret) ? undefined : "cannot be sent in a header: expected visible ASCII"
}

/** The credentials that `Credentials.use` chose for a region, if any. */
export class Chosen extends Context.Reference<Chosen>()("@effect-pleo/core/Credentials/Chosen", {
  defaultValue: () => Option.none<Credentials>()
}) {}

export const current = (context: Context.Context<never>): Credentials | undefined =>
  Option.getOrUndefined(Context.get(context, Chosen))
