import type * as Clock from "effect/Clock"
import type * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { BadRequest, InstallationError } from "../../InstallationError.ts"
import type { Deadline } from "../http/deadline.ts"
import type { Sender } from "../http/sender.ts"

export const TypeId: unique symbol = Symbol.for("@effect-pleo/core/Credentials")

export interface Credentials {
  readonly [TypeId]: Variant
}

/** The credential of one request. */
export interface Secrets {
  readonly scheme: "Bearer" | "Basic"
  /** The token, or the API key. */
  readonly secret: Redacted.Redacted
}

const encoded = ({ scheme, secret }: Secrets): string =>
  scheme === "Bearer" ? Redacted.value(secret) : btoa(`${Redacted.value(secret)}:`)

/** The value of the `Authorization` header. */
export const authorizationOf = (secrets: Secrets): string => `${secrets.scheme} ${encoded(secrets)}`

/** Every form in which a response could quote the secret. Base64 may lack its padding. */
export const formsOf = (secrets: Secrets): ReadonlyArray<string> => [
  encoded(secrets),
  encoded(secrets).replace(/=+$/, ""),
  Redacted.value(secrets.secret)
]

/** An attempt that may have to wait for tokens. */
export interface SessionCall {
  readonly deadline: Deadline
  /** Waits for a token of `server` before sending, until the deadline at the latest. */
  readonly token: <A>(
    self: Effect.Effect<A, InstallationError>,
    server: string
  ) => Effect.Effect<A, InstallationError>
}

/** The tokens of one customer, refreshed as they expire. */
export interface Session {
  /** Identifies the customer, whatever its tokens. */
  readonly identity: string
  /** Makes one attempt, in which `send` sends one request. */
  readonly attempt: <A>(
    call: SessionCall,
    sender: Sender,
    send: (secrets: Secrets) => Effect.Effect<A, InstallationError>
  ) => Effect.Effect<A, InstallationError>
  /** Ends the grant, whose tokens Pleo has revoked with the installation. */
  readonly end: (secrets: Secrets) => Effect.Effect<void>
}

export type Variant =
  | { readonly _tag: "Fixed"; readonly secrets: Secrets }
  | {
      readonly _tag: "App"
      /** Of updates without `Credentials.use`. If absent, they are refused. */
      readonly tenant: string | undefined
      readonly sessionOf: (tenant: string | undefined, clock: Clock.Clock) => Session | BadRequest
    }
  /** A customer of the app whose credentials the layer has. */
  | { readonly _tag: "Tenant"; readonly tenant: string }
  | { readonly _tag: "PerCall"; readonly refuse: () => BadRequest }

/** The caller's name for the customer, if the credentials have one. */
export const tenantOf = (credentials: Credentials | undefined): string | undefined => {
  const variant = credentials?.[TypeId]
  return variant !== undefined && "tenant" in variant ? variant.tenant : undefined
}

/** Identifies the customer of a call among those of a service. */
export const keyOf = (credentials: Credentials | undefined): string => {
  const variant = credentials?.[TypeId]
  if (variant?._tag === "Fixed") return authorizationOf(variant.secrets)
  const tenant = tenantOf(credentials)
  return tenant === undefined ? "" : `tenant ${tenant}`
}

export const make = (variant: Variant): Credentials => ({ [TypeId]: variant })

/** Why a text is not a secret or a name, or `undefined`. */
export const validateText = (text: string): string | undefined => {
  if (text.trim() === "") return text === "" ? "is empty" : "is blank"
  // As a file with a secret does.
  return /[\r\n]$/.test(text) ? "ends with a line break" : undefined
}

// Visible ASCII (RFC 9110 section 5.5). Other characters could be altered in transit, or split the header.
const visibleAscii = /^[\x21-\x7e]+$/

/** Why a secret is invalid in a header, or `undefined`. */
export const validateSecret = (secret: string): string | undefined =>
  validateText(secret) ?? (visibleAscii.test(secret) ? undefined : "expected visible ASCII without spaces")

/** Why an API key is invalid as a user name in a header, or `undefined`. */
export const validateApiKey = (key: string): string | undefined =>
  // RFC 7617 section 2: the user name ends at the first colon.
  validateSecret(key) ?? (key.includes(":") ? "has a colon" : undefined)
