// The one place where a failed transport, or a response that is not an installation, becomes a domain error.
import {
  BadRequest,
  Infrastructure,
  type InstallationError,
  type Issue,
  Unauthorized
} from "../../InstallationError.ts"
import type * as Transport from "../../Transport.ts"
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
  const facts = code === undefined ? {} : { code }
  if (failure._tag === "Broken")
    return new Infrastructure({ reason: reasonOf(failure.headers, chain, code), ...facts })
  const { proxyStatus } = failure
  return new Infrastructure({
    reason: "Transport",
    phase: "Connection",
    ...facts,
    ...(proxyStatus === undefined ? {} : { proxyStatus })
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

/** The status, excerpt, and request ID of a response. */
const responseFacts = (response: Transport.Response, body: string, redact: Redact) => {
  const requestId = header(response.headers, "x-request-id")
  return {
    status: response.status,
    ...(body === "" ? {} : { body: excerpt(redact(body)) }),
    ...(requestId === undefined ? {} : { requestId: redact(requestId).slice(0, 128) })
  }
}

// In any encoding: JSON in UTF-16 has a byte order mark, and zeros between its characters.
const looksLikeJson = (body: string): boolean => /^[\s\0\ufeff\ufffd]*["[{]/.test(body)

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
  const retryAfter = retryAfterOf(response, now)
  return new Infrastructure({
    reason: infrastructureReason(status),
    ...facts,
    ...(retryAfter === undefined ? {} : { retryAfter })
  })
}

const infrastructureReason = (status: number) => {
  if (status === 408) return "Timeout"
  if (status === 429) return "RateLimited"
  // fetch reports a redirect that it does not follow as status 0.
  if ((status >= 300 && status < 400) || status === 0) return "Redirect"
  return status < 300 ? "InvalidResponse" : "ServerError"
}
