// The one place where a failed transport, or a response that is not an installation, becomes a domain error.
import * as Either from "effect/Either"
import {
  BadRequest,
  Infrastructure,
  type InstallationError,
  type Issue,
  Unauthorized
} from "../../InstallationError.ts"
import type * as Transport from "../../Transport.ts"
import { oneLine } from "../advice.ts"
import type { Operation } from "../contract/operations.ts"
import * as Json from "./json.ts"
import { retryAfterOf } from "./retryAfter.ts"

interface ErrorLike {
  readonly code?: unknown
  readonly errors?: unknown
  readonly message?: unknown
  readonly name?: unknown
  readonly proxyStatus?: unknown
  readonly syscall?: unknown
}

/** The errors along a chain of causes, outermost first. */
const causes = (error: unknown): ReadonlyArray<ErrorLike> => {
  const found: Array<object> = []
  for (let next = error; typeof next === "object" && next !== null && found.length < 8; ) {
    found.push(next)
    next = "cause" in next ? next.cause : undefined
  }
  return found
}

/** A code such as `ECONNRESET`, or `ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE` of OpenSSL 3.5. */
const isCode = (code: unknown): code is string => typeof code === "string" && /^[A-Z][A-Z0-9_/]+$/.test(code)

const timeoutCodes: ReadonlySet<string> = new Set(["UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT"])

const invalidResponseCodes: ReadonlySet<string> = new Set([
  "UND_ERR_HEADERS_OVERFLOW",
  "UND_ERR_RES_CONTENT_LENGTH_MISMATCH",
  "UND_ERR_RES_EXCEEDED_MAX_SIZE"
])

/** Whether the bytes received are not HTTP. The error of undici's parser has no code. */
const isNotHttp = ({ code, name }: ErrorLike): boolean =>
  name === "HTTPParserError" || (isCode(code) && code.startsWith("HPE_"))

/** Whether the connection ended before the next chunk. */
const isEndOfChunks = (error: ErrorLike): boolean =>
  isNotHttp(error) && /EOF/.test(`${error.code} ${error.message}`)

export const header = (
  headers: Transport.Response["headers"] | undefined,
  name: string
): string | undefined => {
  const value = headers?.[name]
  return typeof value === "object" ? value.join(", ") : value
}

/** undici reports a truncated body in the same way as two contradictory lengths. */
const hasOneLength = (headers: Transport.Response["headers"] | undefined): boolean =>
  header(headers, "transfer-encoding") === undefined && /^\d+$/.test(header(headers, "content-length") ?? "")

const reasonOf = (
  headers: Transport.Response["headers"] | undefined,
  chain: ReadonlyArray<ErrorLike>,
  code: string | undefined
) => {
  if (chain.some(isEndOfChunks)) return "Transport"
  if (chain.some(isNotHttp)) return "InvalidResponse"
  if (code === undefined) return "Transport"
  if (timeoutCodes.has(code)) return "Timeout"
  if (code === "UND_ERR_RES_CONTENT_LENGTH_MISMATCH" && hasOneLength(headers)) return "Transport"
  return invalidResponseCodes.has(code) ? "InvalidResponse" : "Transport"
}

/** Node.js combines the failures to connect to each address of a host. */
const isOfConnecting = ({ errors, syscall }: ErrorLike): boolean =>
  syscall === "connect" ||
  (Array.isArray(errors) && errors.length > 0 && errors.every((error) => error?.syscall === "connect"))

// The codes of Node.js, undici and Bun for failures before a request is written.
const unsentCode =
  /^(ECONNREFUSED|ConnectionRefused|FailedToOpenSocket|ENOTFOUND|EAI_AGAIN|EPROTO|UND_ERR_CONNECT_TIMEOUT|UND_ERR_CLOSED)$|CERT|^ERR_(TLS|SSL)_(?!.*BAD_RECORD_MAC)|UNABLE_TO_(GET|VERIFY)|HOSTNAME_MISMATCH/

// Deno's errors have no code.
const unsentMessage = /^error sending request for .* client error \(Connect\)/

const matches = (pattern: RegExp, text: unknown) => typeof text === "string" && pattern.test(text)

/** Classifies the failure of any client by its codes. */
export const fromCause = (cause: unknown, headers?: Transport.Response["headers"]): Transport.Failure => {
  const chain = causes(cause)
  const isUnsent = chain.some(
    (error) =>
      isOfConnecting(error) || matches(unsentCode, error.code) || matches(unsentMessage, error.message)
  )
  if (!isUnsent) return { _tag: "Broken", cause, headers }
  // The failure of this library's own client.
  const proxyStatus = chain.map(({ proxyStatus }) => proxyStatus).find(Number.isInteger)
  return { _tag: "Unsent", cause, proxyStatus: proxyStatus as number | undefined }
}

export const fromFailure = (failure: Transport.Failure): BadRequest | Infrastructure => {
  if (failure._tag === "Unwritable")
    return new BadRequest({ issues: [{ path: [], message: "the request could not be written" }] })
  const chain = causes(failure.cause)
  const code = chain.map(({ code }) => code).find(isCode)
  if (failure._tag === "Broken")
    return new Infrastructure({ reason: reasonOf(failure.headers, chain, code), code })
  return new Infrastructure({
    reason: "Transport",
    phase: "Connection",
    code,
    proxyStatus: failure.proxyStatus
  })
}

const maxExcerptBytes = 2048

// The keys come from the response, in any number and length.
const maxIssues = 16
const maxKeyLength = 128

/** The longest prefix of a text that fits in 2 KiB of UTF-8. */
const excerpt = (text: string): string =>
  text.slice(0, new TextEncoder().encodeInto(text, new Uint8Array(maxExcerptBytes)).read)

/** Redacts the request's secrets from a response. */
type Redact = (text: string) => string

// In any encoding: JSON in UTF-16 has a byte order mark, and zeros between its characters.
const looksLikeJson = (body: string): boolean => /^[\s\0\ufeff\ufffd]*["[{]/.test(body)

const isText = (text: unknown): text is string => typeof text === "string" && text.trim() !== ""

// The last two may hold another object with the others.
const reasonMembers = ["message", "error_description", "detail", "title", "error", "errors"]

/** The first string among the usual members of a JSON value. */
const reasonInJson = (json: unknown, levels = 2): string | undefined => {
  if (isText(json)) return json
  if (typeof json !== "object" || json === null || levels === 0) return undefined
  const values = reasonMembers.map((name): unknown => (json as Readonly<Record<string, unknown>>)[name])
  const nested = values.slice(-2).map((value) => (Array.isArray(value) ? value[0] : value))
  return values.find(isText) ?? nested.map((value) => reasonInJson(value, levels - 1)).find(isText)
}

/** The reason in a response, if its body is JSON or a text without markup: its first line, at most 200 characters. */
export const detailOf = (response: Transport.Response, body: string, redact: Redact): string | undefined => {
  const type = header(response.headers, "content-type") ?? "text/plain"
  const reason = looksLikeJson(body)
    ? reasonInJson(Either.getOrUndefined(Json.parse(body)))
    : /^text\/plain\b/i.test(type) && !/^\s*</.test(body)
      ? body
      : undefined
  if (reason === undefined) return undefined
  // A dot ends at a line separator.
  const [line = ""] = /^.{1,200}/u.exec(redact(reason).trim()) ?? []
  const detail = oneLine(line).replace(/[\s.]+$/, "")
  // A replacement character is of another encoding, or of none.
  return detail === "" || detail.includes("\ufffd") ? undefined : detail
}

/** The status, reason, excerpt, and request ID of a response. */
const responseFacts = (response: Transport.Response, body: string, redact: Redact) => {
  const requestId = header(response.headers, "x-request-id")
  return {
    status: response.status,
    detail: detailOf(response, body, redact),
    body: body === "" ? undefined : excerpt(redact(body)),
    requestId: requestId === undefined ? undefined : redact(requestId).slice(0, 128)
  }
}

/** A 2xx response that is not an installation. JSON is not quoted: it may contain a customer's metadata. */
export const fromInvalidBody = (
  response: Transport.Response,
  body: string,
  issues: ReadonlyArray<Issue>,
  redact: Redact
): Infrastructure =>
  new Infrastructure({
    reason: "InvalidResponse",
    ...responseFacts(response, looksLikeJson(body) ? "" : body, redact),
    issues: issues.slice(0, maxIssues).map(({ message, path }) => ({
      path: path.map((key) => (typeof key === "string" ? redact(key).slice(0, maxKeyLength) : key)),
      message
    }))
  })

/** A response that is not 2xx. `now` is in milliseconds since the epoch. */
export const fromStatus = (
  response: Transport.Response,
  body: string,
  now: number,
  redact: Redact
): InstallationError => {
  const { status } = response
  const facts = responseFacts(response, body, redact)
  if (status === 401) return new Unauthorized({ reason: "Unauthenticated", ...facts })
  if (status === 403) return new Unauthorized({ reason: "Forbidden", ...facts })
  if (status >= 400 && status < 500 && status !== 408 && status !== 429) return new BadRequest(facts)
  return new Infrastructure({
    reason: infrastructureReason(status),
    ...facts,
    retryAfter: retryAfterOf(response, now)
  })
}

const infrastructureReason = (status: number) => {
  if (status === 408) return "Timeout"
  if (status === 429) return "RateLimited"
  // fetch reports a redirect that it does not follow as status 0.
  if ((status >= 300 && status < 400) || status === 0) return "Redirect"
  return status < 300 ? "InvalidResponse" : "ServerError"
}

/** The same error with other fields. */
export const withFields = <E extends InstallationError>(error: E, fields: object): E => {
  const Same = error.constructor as new (fields: object) => E
  return new Same({ ...error, ...fields })
}

/** Names the server, the customer, and the operation in an error that does not name them yet. A token store is no server. */
export const locate = <E extends InstallationError>(
  error: E,
  server?: string,
  tenant?: string,
  name?: Operation["name"]
): E => {
  const operation = name === "update" ? undefined : name
  return server === undefined && tenant === undefined && operation === undefined
    ? error
    : withFields(error, {
        server: error.server ?? ("reason" in error && error.reason === "TokenStore" ? undefined : server),
        tenant: error.tenant ?? tenant,
        operation: error.operation ?? operation
      })
}
