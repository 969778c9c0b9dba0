// The authorization code grant (RFC 6749 section 4.1) with PKCE (RFC 7636), on the side of the application.
import * as Data from "effect/Data"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { InstallationError } from "../../InstallationError.ts"
import { oneLine } from "../advice.ts"
import { isSecure } from "../contract/servers.ts"
import * as Redact from "../http/redact.ts"
import type { Tokens } from "./refresh.ts"
import type { Result } from "./tokenEndpoint.ts"

const Secret = Schema.Redacted(Schema.NonEmptyString)

/**
 * A request for authorization that a customer has not yet answered. Keep it in the customer's session, encoded with this
 * schema: without it, the secrets read `<redacted>`.
 *
 * @example
 * ```ts
 * const encode = Schema.encodeSync(Schema.parseJson(OAuth.PendingAuthorization))
 * const decode = Schema.decode(Schema.parseJson(OAuth.PendingAuthorization))
 * ```
 * @since 0.1.0
 * @category schemas
 */
export const PendingAuthorization = Schema.Struct({
  /** Returned by the callback, which otherwise belongs to another request. */
  state: Secret,
  /** Proves that the same application asked for the code (RFC 7636). */
  codeVerifier: Secret,
  redirectUri: Schema.String
})

export type PendingAuthorization = typeof PendingAuthorization.Type

const happened = {
  Denied: "The customer did not authorize the app",
  InvalidCallback: "The callback does not belong to this authorization",
  Rejected: "The authorization server rejected the authorization",
  Lost: "The authorization code was used, but its tokens are lost"
}

/**
 * A customer is not connected, and has to start again at `authorizationRequest`. It contains no secret.
 *
 * - `Denied`: the customer did not approve the app.
 * - `InvalidCallback`: the state is another one, as in a forged or an old callback, or a parameter is missing.
 * - `Rejected`: the authorization server rejected the request, or the code, which is expired or was used.
 * - `Lost`: the code was sent, but no tokens arrived, or they could not be stored. A code can be used only once.
 *
 * @example
 * ```ts
 * const page = (error: OAuth.AuthorizationError) => (error.reason === "Denied" ? "Not connected" : "Try again")
 * ```
 * @since 0.1.0
 * @category errors
 */
export class AuthorizationError extends Data.TaggedError("AuthorizationError")<{
  readonly reason: "Denied" | "InvalidCallback" | "Rejected" | "Lost"
  /** The code of the authorization server, such as `invalid_scope`. */
  readonly code?: string | undefined
  /** Why: one line of at most 200 characters. */
  readonly detail?: string | undefined
}> {
  override get message(): string {
    const { code, detail, reason } = this
    return `${happened[reason]}${code === undefined ? "" : ` (${code})`}${detail === undefined ? "" : `: ${detail}`}.`
  }
}

export const lost = (detail: string): AuthorizationError =>
  new AuthorizationError({ reason: "Lost", detail: oneLine(detail).slice(0, 200).replace(/\.$/, "") })

const fail = (
  reason: AuthorizationError["reason"],
  detail?: string,
  code?: string
): Either.Either<never, AuthorizationError> => Either.left(new AuthorizationError({ reason, detail, code }))

/** 256 bits, as 43 characters that RFC 7636 section 4.1 allows. */
const random = (): string => Encoding.encodeBase64Url(crypto.getRandomValues(new Uint8Array(32)))

export const begin = (redirectUri: string): PendingAuthorization => ({
  state: Redacted.make(random()),
  codeVerifier: Redacted.make(random()),
  redirectUri
})

/** The code challenge of a verifier by the method `S256`. */
const challengeOf = (verifier: string): Effect.Effect<string> =>
  Effect.map(
    Effect.promise(() => crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))),
    (hash) => Encoding.encodeBase64Url(new Uint8Array(hash))
  )

/** Why a redirect URI cannot be one of Pleo's, or `undefined`. */
export const validateRedirectUri = (uri: string): string | undefined =>
  URL.canParse(uri) && isSecure(new URL(uri)) && !uri.includes("#")
    ? undefined
    : "expected an https URL, or an http URL of this machine (127.0.0.1, localhost), without a fragment"

/** Why these are not scopes (RFC 6749 section 3.3), or `undefined`. */
export const validateScopes = (scopes: ReadonlyArray<string>): string | undefined =>
  scopes.length > 0 && scopes.every((scope) => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope))
    ? undefined
    : "expected at least one scope, each without spaces and quotes"

/** The URL at which a customer authorizes the app: `authorize` beside the token endpoint. */
export const authorizationUrl = (
  tokenEndpoint: URL,
  clientId: string,
  scopes: ReadonlyArray<string>,
  { codeVerifier, redirectUri, state }: PendingAuthorization
): Effect.Effect<URL> =>
  Effect.map(challengeOf(Redacted.value(codeVerifier)), (challenge) => {
    const url = new URL("authorize", tokenEndpoint)
    url.search = new URLSearchParams({
      response_type: "code",
      client_id: clientId,
      redirect_uri: redirectUri,
      scope: scopes.join(" "),
      state: Redacted.value(state),
      code_challenge: challenge,
      code_challenge_method: "S256"
    }).toString()
    return url
  })

/** Takes the same time wherever the first difference is. */
const isEqual = (actual: string, expected: string): boolean => {
  let difference = actual.length ^ expected.length
  for (let index = 0; index < expected.length; index++)
    difference |= actual.charCodeAt(index) ^ expected.charCodeAt(index)
  return difference === 0
}

const parseQuery = (callback: string | URL): URLSearchParams | undefined => {
  try {
    return new URL(callback, "http://localhost").searchParams
  } catch {
    return undefined
  }
}

/** The code in a callback, which belongs to the pending authorization. */
export const codeOf = (
  callback: string | URL,
  pending: PendingAuthorization
): Either.Either<string, AuthorizationError> => {
  const query = parseQuery(callback)
  if (query === undefined) return fail("InvalidCallback", "expected a URL")
  const names = ["state", "error", "error_description", "code"] as const
  // RFC 6749 section 3.1: no parameter may come twice.
  const repeated = names.find((name) => query.getAll(name).length > 1)
  if (repeated !== undefined) return fail("InvalidCallback", `expected one parameter ${repeated}`)
  const [state, error, description, code] = names.map((name) => query.get(name) ?? "")
  if (!isEqual(state ?? "", Redacted.value(pending.state)))
    return fail("InvalidCallback", "expected the state of the pending authorization")
  if (error) {
    const redact = Redact.make([pending.state, pending.codeVerifier].map(Redacted.value), "{}")
    const detail = oneLine(redact(description ?? ""))
      .trim()
      .slice(0, 200)
    const known = /^[a-z_]{1,40}$/.test(error) ? error : undefined
    return fail(error === "access_denied" ? "Denied" : "Rejected", detail === "" ? undefined : detail, known)
  }
  return code ? Either.right(code) : fail("InvalidCallback", "expected a code or an error")
}

/** The tokens that a code was exchanged for. Only an error of `Failed` leaves the code as it was. */
export const tokensOf = (result: Result): Effect.Effect<Tokens, AuthorizationError | InstallationError> => {
  switch (result._tag) {
    case "Refused":
      return fail("Rejected", "the code has expired, was used, or is of another request", "invalid_grant")
    case "Failed":
      return Effect.fail(result.error)
    case "Lost":
      return Effect.fail(lost(result.error?.message ?? "no tokens arrived"))
    case "Issued": {
      const { accessToken, expiresIn, refreshToken } = result
      if (refreshToken === undefined) return Effect.fail(lost("the response has no refresh token"))
      return Effect.map(DateTime.now, (receivedAt) => ({
        accessToken,
        refreshToken,
        receivedAt,
        ...(expiresIn === undefined ? {} : { expiresIn })
      }))
    }
  }
}
