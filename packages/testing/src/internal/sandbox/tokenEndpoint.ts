import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpApp from "@effect/platform/HttpApp"
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { type OAuthError, type Outcome, type PresentedGrant, SandboxApi } from "./api.ts"
import type { Authorization, Client, Exchange } from "./authorization.ts"
import { Note } from "./note.ts"
import { SandboxState } from "./state.ts"

const isForm = ({ headers }: HttpServerRequest.HttpServerRequest): boolean =>
  /^\s*application\/x-www-form-urlencoded\s*(;|$)/i.test(headers["content-type"] ?? "")

/** The grant that the code or the refresh token in a form belongs to, wherever it was sent. */
export const grantIn = (
  request: HttpServerRequest.HttpServerRequest,
  body: string,
  { identify }: Authorization
): PresentedGrant | undefined => {
  if (!isForm(request)) return undefined
  const form = new URLSearchParams(body)
  return identify("refresh", form.get("refresh_token") ?? "") ?? identify("code", form.get("code") ?? "")
}

const withheld = "<redacted>"
const harmless = ["grant_type", "client_id", "company", "decision"]
const named = [...harmless, "refresh_token", "client_secret", "code", "code_verifier", "redirect_uri"]

const redactForm = (body: string): string =>
  Array.from(new URLSearchParams(body), ([name, value]) =>
    [
      // A body that is no form reads as one long name.
      named.includes(name) ? name : withheld,
      harmless.includes(name) ? encodeURIComponent(value) : withheld
    ].join("=")
  ).join("&")

// The router looks neither at the case of a path nor at what is percent-encoded in it.
const percentDecoded = (url: string): string =>
  url.replace(/%([2-7][0-9a-f])/gi, (_, code) => String.fromCharCode(Number.parseInt(code, 16)))

/** Whether a request is to the authorization server, or meant to be: its query may hold secrets. */
export const isOAuth = ({ url }: HttpServerRequest.HttpServerRequest): boolean =>
  /oauth/i.test(percentDecoded(url))

/** The part of a request that the record may hold: the secrets of OAuth are in forms, or sent there in another shape. */
export const redact = (
  request: HttpServerRequest.HttpServerRequest,
  body: string
): { readonly path: string; readonly body: string } => {
  const { url } = request
  if (!isForm(request) && !isOAuth(request)) return { path: url, body }
  return {
    path: url.replace(/\?.*$/s, `?${withheld}`),
    body: isForm(request) ? redactForm(body) : body === "" ? "" : withheld
  }
}

const fail = (error: OAuthError["error"]): Effect.Effect<never, OAuthError> => Effect.fail({ error })

interface Form {
  /** A parameter without a value counts as left out (RFC 6749, section 3.2). */
  readonly get: (name: string) => string | undefined
}

// A parameter must not be sent more than once (RFC 6749, section 3.2).
const readForm = (request: HttpServerRequest.HttpServerRequest): Effect.Effect<Form, OAuthError> =>
  Effect.flatMap(
    Effect.orElseSucceed(request.text, () => ""),
    (body) => {
      const form = new URLSearchParams(body)
      const names = Array.from(form.keys())
      return isForm(request) && new Set(names).size === names.length
        ? Effect.succeed({ get: (name: string) => form.get(name) || undefined })
        : fail("invalid_request")
    }
  )

type ExchangeOf = (
  authorization: Authorization,
  form: Form,
  client: Client
) => Effect.Effect<Exchange, OAuthError>

/** By grant type. */
const exchanges: ReadonlyMap<string, ExchangeOf> = new Map<string, ExchangeOf>([
  [
    "authorization_code",
    ({ redeem }, form, client) => {
      const code = form.get("code")
      const redirectUri = form.get("redirect_uri")
      const codeVerifier = form.get("code_verifier")
      return code === undefined ||
        redirectUri === undefined ||
        codeVerifier === undefined ||
        // RFC 7636, section 4.1.
        !/^[\w.~-]{43,128}$/.test(codeVerifier)
        ? fail("invalid_request")
        : redeem({ code, redirectUri, codeVerifier, ...client })
    }
  ],
  [
    "refresh_token",
    ({ refresh }, form, client) => {
      const refreshToken = form.get("refresh_token")
      return refreshToken === undefined ? fail("invalid_request") : refresh({ refreshToken, ...client })
    }
  ]
])

const decodeForm = (value: string): string => new URLSearchParams(`=${value}`).get("") ?? ""

// As forms are, the id and the secret are encoded before Base64 (RFC 6749, section 2.3.1).
const fromBasic = (header: string): { readonly clientId?: string; readonly clientSecret?: string } => {
  const [, encoded = ""] = /^basic +([\w+/]+=*)$/i.exec(header.trim()) ?? []
  const [, id = "", secret = ""] = /^([^:&]+):([^:&]+)$/.exec(Buffer.from(encoded, "base64").toString()) ?? []
  return id === "" || secret === "" ? {} : { clientId: decodeForm(id), clientSecret: decodeForm(secret) }
}

// A response with a token must not be stored (RFC 6749, section 5.1).
const doNotStore = HttpApp.appendPreResponseHandler((_, response) =>
  Effect.succeed(HttpServerResponse.setHeaders(response, { "cache-control": "no-store", pragma: "no-cache" }))
)

export const layer = HttpApiBuilder.group(SandboxApi, "OAuth", (handlers) =>
  Effect.map(SandboxState, ({ authorization }) =>
    handlers.handleRaw("token", ({ request }) =>
      Effect.gen(function* () {
        yield* doNotStore
        const { grant, note } = yield* Note
        const verdict = (outcome: Outcome) => note(grant ? { grant: { ...grant, outcome } } : {})
        // A verdict further down replaces this one.
        yield* verdict("refused")
        const form = yield* readForm(request)
        const grantType = form.get("grant_type")
        const { authorization: header } = request.headers
        if (header !== undefined && form.get("client_secret") !== undefined)
          return yield* fail("invalid_request")
        const { clientId, clientSecret } =
          header === undefined
            ? { clientId: form.get("client_id"), clientSecret: form.get("client_secret") }
            : fromBasic(header)
        if (header !== undefined && (form.get("client_id") ?? clientId) !== clientId)
          return yield* fail("invalid_request")
        if (grantType === undefined) return yield* fail("invalid_request")
        const exchange = exchanges.get(grantType)
        if (exchange === undefined) return yield* fail("unsupported_grant_type")
        if (clientId === undefined || clientSecret === undefined) return yield* fail("invalid_client")
        const { response, outcome } = yield* exchange(authorization, form, { clientId, clientSecret })
        yield* verdict(outcome)
        if (response._tag === "Left") return yield* fail(response.left)
        const pair = response.right
        return {
          access_token: Redacted.value(pair.accessToken),
          refresh_token: Redacted.value(pair.refreshToken),
          token_type: "Bearer" as const,
          ...(Duration.isFinite(pair.expiresIn) ? { expires_in: Duration.toSeconds(pair.expiresIn) } : {})
        }
      })
    )
  )
)
