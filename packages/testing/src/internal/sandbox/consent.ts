// The authorization endpoint as a state machine (RFC 6749, section 4.1; RFC 7636), with and without a browser.
import { isSecure } from "@effect-pleo/core/internal/shared"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { Marketplace } from "../marketplace/marketplace.ts"
import type { RecordedRequest } from "./api.ts"
import type { Authorization } from "./authorization.ts"

/** The app that may ask for consent. An absent field is not checked. */
export interface Registered {
  readonly clientId?: string | undefined
  readonly redirectUris?: ReadonlyArray<string> | undefined
}

/** A valid authorization request. */
export interface AuthorizationRequest {
  readonly clientId: string
  readonly redirectUri: string
  readonly scopes: ReadonlyArray<string>
  readonly state: string
  readonly codeChallenge: string
}

/** Why a request is invalid: a message for a person, or a redirect to the app if its address can be trusted. */
export type Refusal = { readonly message: string } | { readonly location: string }

export interface Decision {
  readonly approve: boolean
  readonly company: string
}

export const defaultCompany = "Acme"

/** Why an app cannot be reached at a URI (RFC 6749, section 3.1.2). */
const checkRedirectUri = (uri: string | undefined, registered: Registered["redirectUris"]) => {
  // A URL parser leaves out line breaks, which must not get into a header.
  if (uri === undefined || !/^[\x21-\x7e]+$/.test(uri) || !URL.canParse(uri))
    return "redirect_uri: expected an absolute URL."
  if (!isSecure(new URL(uri)))
    return "redirect_uri: expected an https URL, or an http URL of this machine (127.0.0.1, localhost)."
  if (uri.includes("#")) return "redirect_uri: expected a URL without a fragment."
  if (registered !== undefined && !registered.includes(uri))
    return "redirect_uri: expected exactly one of those that are registered for the app."
  return undefined
}

/** Adds parameters to a redirect URI, whose own query stays as it is. */
const callback = (redirectUri: string, parameters: Readonly<Record<string, string | undefined>>): string => {
  const given = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]]
  )
  return `${redirectUri}${redirectUri.includes("?") ? "&" : "?"}${new URLSearchParams(given)}`
}

// RFC 6749, section 3.3.
const isScope = (scope: string): boolean =>
  /^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/.test(scope)

/** Reads the query of the authorization endpoint. */
export const read = (
  query: URLSearchParams,
  registered: Registered
): Either.Either<AuthorizationRequest, Refusal> => {
  const isTwice = (name: string) => query.getAll(name).length > 1
  // A parameter without a value counts as left out (RFC 6749, section 3.1).
  const get = (name: string) => query.get(name) || undefined

  // The app is at an address that cannot be trusted, so there is no redirect (RFC 6749, section 4.1.2.1).
  const clientId = get("client_id")
  const redirectUri = get("redirect_uri")
  const untrusted =
    isTwice("client_id") || isTwice("redirect_uri")
      ? "client_id and redirect_uri: expected each of them once."
      : clientId === undefined || clientId !== (registered.clientId ?? clientId)
        ? "client_id: expected that of the app."
        : checkRedirectUri(redirectUri, registered.redirectUris)
  if (untrusted !== undefined || clientId === undefined || redirectUri === undefined)
    return Either.left({ message: untrusted ?? "" })

  const state = isTwice("state") ? undefined : get("state")
  const refuse = (error: string, error_description: string) =>
    Either.left({ location: callback(redirectUri, { error, error_description, state }) })
  if ([...query.keys()].some(isTwice)) return refuse("invalid_request", "expected each parameter once")
  const responseType = get("response_type")
  if (responseType === undefined) return refuse("invalid_request", "response_type: expected code")
  if (responseType !== "code") return refuse("unsupported_response_type", "response_type: expected code")
  if (state === undefined) return refuse("invalid_request", "state: expected a value")
  const codeChallenge = get("code_challenge")
  if (codeChallenge === undefined || !/^[\w-]{43}$/.test(codeChallenge))
    return refuse("invalid_request", "code_challenge: expected 43 base64url characters")
  if (get("code_challenge_method") !== "S256")
    return refuse("invalid_request", "code_challenge_method: expected S256")
  const scope = get("scope")
  if (scope === undefined || !isScope(scope))
    return refuse("invalid_scope", "scope: expected names with a space between them")
  return Either.right({ clientId, redirectUri, scopes: scope.split(" "), state, codeChallenge })
}

/** Carries out a decision, and returns the address of the redirect to the app. */
export const decide = (
  state: { readonly authorization: Authorization; readonly marketplace: Marketplace<RecordedRequest> },
  { codeChallenge, ...request }: AuthorizationRequest,
  { approve, company }: Decision
): Effect.Effect<string> =>
  Effect.gen(function* () {
    const { redirectUri, state: appState } = request
    if (!approve)
      return callback(redirectUri, {
        error: "access_denied",
        error_description: "the consent was denied",
        state: appState
      })
    const owner = `company ${company.trim() || defaultCompany}`
    state.marketplace.install(owner, yield* DateTime.now)
    const code = yield* state.authorization.approve({ ...request, codeChallenge, owner })
    return callback(redirectUri, { code, state: appState })
  })
