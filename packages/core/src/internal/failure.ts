// The one place where a failed transport or an answer that is not an installation becomes a domain error.
import type { HttpClientError } from "@effect/platform/HttpClientError"
import type { HttpClientResponse } from "@effect/platform/HttpClientResponse"
import * as Duration from "effect/Duration"
import {
  BadRequest,
  Infrastructure,
  type InstallationError,
  type Issue,
  Unauthorized
} from "../InstallationError.ts"

/** The first error code (`ECONNRESET`, `UND_ERR_SOCKET`, ...) along a chain of causes. */
const findCode = (cause: unknown, depth = 0): string | undefined => {
  if (typeof cause !== "object" || cause === null || depth === 8) return undefined
  const { cause: next, code } = cause as { readonly cause?: unknown; readonly code?: unknown }
  return typeof code === "string" && /^[A-Z][A-Z0-9_]+$/.test(code) ? code : findCode(next, depth + 1)
}

const timeoutCodes: ReadonlySet<string> = new Set(["UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT"])

const invalidResponseCodes: ReadonlySet<string> = new Set([
  "UND_ERR_HEADERS_OVERFLOW",
  "UND_ERR_RES_EXCEEDED_MAX_SIZE"
])

const reasonOfCode = (code: string | undefined) => {
  if (code === undefined) return "Transport"
  if (timeoutCodes.has(code)) return "Timeout"
  // HPE_*: the HTTP parser of Node and undici met bytes that are not HTTP.
  return invalidResponseCodes.has(code) || code.startsWith("HPE_") ? "InvalidResponse" : "Transport"
}

export const fromHttpClientError = (error: HttpClientError): InstallationError => {
  if (error._tag === "RequestError" && error.reason !== "Transport")
    return new BadRequest({ issues: [{ path: [], message: "the request could not be written" }] })
  const code = findCode(error.cause)
  return new Infrastructure({ reason: reasonOfCode(code), ...(code === undefined ? {} : { code }) })
}

// RFC 9110 section 5.6.7, the one form that senders may still generate.
const imfFixdate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/

/** RFC 9110 section 10.2.3: seconds, or a date. A date is read against the server's own clock. */
const parseRetryAfter = (
  headers: HttpClientResponse["headers"],
  now: number
): Duration.Duration | undefined => {
  const value = headers["retry-after"]?.trim()
  if (value === undefined) return undefined
  if (/^\d{1,10}$/.test(value)) return Duration.seconds(Number(value))
  if (!imfFixdate.test(value)) return undefined
  const sentAt =
    headers["date"] !== undefined && imfFixdate.test(headers["date"]) ? Date.parse(headers["date"]) : now
  const wait = Date.parse(value) - sentAt
  return Number.isNaN(wait) ? undefined : Duration.millis(Math.max(0, wait))
}

const maxExcerptBytes = 2048

/** The longest start of a text that fits in 2 KiB of UTF-8. */
const excerpt = (text: string): string =>
  text.slice(0, new TextEncoder().encodeInto(text, new Uint8Array(maxExcerptBytes)).read)

/** What an answer tells besides its meaning. */
const answerFacts = (response: HttpClientResponse, body: string) => {
  const requestId = response.headers["x-request-id"]?.slice(0, 128)
  return {
    status: response.status,
    ...(body === "" ? {} : { body: excerpt(body) }),
    ...(requestId === undefined ? {} : { requestId })
  }
}

/** A success whose body is not an installation. JSON is not quoted: it may hold a customer's metadata. */
export const fromInvalidBody = (
  response: HttpClientResponse,
  body: string,
  issues: ReadonlyArray<Issue>
): Infrastructure =>
  new Infrastructure({
    reason: "InvalidResponse",
    ...answerFacts(response, /^\s*["[{]/.test(body) ? "" : body),
    issues
  })

/** An answer that is no success. `body` is scrubbed, `now` in milliseconds since the epoch. */
export const fromStatus = (response: HttpClientResponse, body: string, now: number): InstallationError => {
  const { status } = response
  const facts = answerFacts(response, body)
  if (status === 401) return new Unauthorized({ reason: "Unauthenticated", ...facts })
  if (status === 403) return new Unauthorized({ reason: "Forbidden", ...facts })
  if (status >= 400 && status < 500 && status !== 408 && status !== 429) return new BadRequest(facts)
  const retryAfter = parseRetryAfter(response.headers, now)
  return new Infrastructure({
    reason: infrastructureReason(status),
    ...facts,
    ...(retryAfter === undefined ? {} : { retryAfter })
  })
}

const infrastructureReason = (status: number) => {
  if (status === 408) return "Timeout"
  if (status === 429) return "RateLimited"
  // fetch shows a redirect that it was told not to follow as a status of 0.
  if ((status >= 300 && status < 400) || status === 0) return "Redirect"
  return status < 300 ? "InvalidResponse" : "ServerError"
}
