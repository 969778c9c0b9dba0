/**
 * The three ways in which an update fails. Each says who has to act, whether trying again can help and
 * whether the update may have been applied all the same. None holds a credential, the request or the
 * transport's own error.
 *
 * @since 0.1.0
 * @module
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"

/**
 * One thing that is wrong with a value: where (an empty path is the value itself) and what was expected
 * there. Never the value.
 *
 * @since 0.1.0
 * @category models
 */
export interface Issue {
  readonly path: ReadonlyArray<string | number>
  readonly message: string
}

interface AnswerFields {
  /** The HTTP status of the answer. Absent when there was none. */
  readonly status?: number
  /** The start of the answer's body, at most 2 KiB, the credential and the strings of the metadata scrubbed out. */
  readonly body?: string
  /** The answer's `x-request-id`: what Pleo's support will ask for. */
  readonly requestId?: string
}

interface Described {
  readonly message: string
  readonly isRetryable: boolean
  readonly mayHaveBeenApplied: boolean
}

const toJSON = (error: Described): unknown => ({
  ...error,
  message: error.message,
  isRetryable: error.isRetryable,
  mayHaveBeenApplied: error.mayHaveBeenApplied
})

// JSON leaves two of the characters that end a line as they are.
const formatKey = (key: string | number): string =>
  typeof key === "string" && /^[A-Za-z_$][\w$]*$/.test(key)
    ? `.${key}`
    : `[${JSON.stringify(key).replace(/[\u2028\u2029]/g, " ")}]`

const formatPath = (path: Issue["path"]): string => path.map(formatKey).join("").replace(/^\./, "")

const formatIssues = (issues: ReadonlyArray<Issue> | undefined): string =>
  issues === undefined || issues.length === 0
    ? ""
    : ` (${issues.map(({ path, message }) => (path.length === 0 ? message : `${formatPath(path)}: ${message}`)).join("; ")})`

const notApplied = "Nothing was applied."

/**
 * The caller has to change something: the request, or an option of the client. `status` is absent when it
 * was refused before anything was sent. Trying the same again cannot help; nothing was applied.
 *
 * @since 0.1.0
 * @category errors
 */
export class BadRequest extends Data.TaggedError("BadRequest")<
  AnswerFields & {
    /** What is wrong, where this side knows it. Pleo describes no body for a 400. */
    readonly issues?: ReadonlyArray<Issue>
  }
> {
  get isRetryable(): boolean {
    return false
  }
  get mayHaveBeenApplied(): boolean {
    return false
  }
  override get message(): string {
    const what =
      this.status === undefined
        ? `The update was refused before it was sent${formatIssues(this.issues)}`
        : `Pleo refused the update (status ${this.status})`
    return `${what}. ${notApplied} Correct it and send it again.`
  }
  override toJSON(): unknown {
    return toJSON(this)
  }
}

const unauthorized = {
  Unauthenticated: ["The credential was not accepted", "Provide another credential."],
  Forbidden: ["The credential may not update this installation", "Check what the app was authorised to do."],
  ReauthorizationRequired: [
    "The authorisation is no longer valid",
    "Ask the customer to authorise the app again."
  ]
} as const

/**
 * The credential has to change. Trying the same again cannot help; nothing was applied.
 *
 * - `Unauthenticated`: it is missing, malformed, expired or unknown (401, or refused before sending).
 * - `Forbidden`: it is known and may not do this (403).
 * - `ReauthorizationRequired`: its grant is gone; the customer has to authorise the app again. Only the tokens of
 *   `Credentials.oauth` end so, and effects of your own that make credentials may.
 *
 * @since 0.1.0
 * @category errors
 */
export class Unauthorized extends Data.TaggedError("Unauthorized")<
  AnswerFields & {
    readonly reason: "Unauthenticated" | "Forbidden" | "ReauthorizationRequired"
    /** What is wrong with a credential that cannot even be sent. */
    readonly issues?: ReadonlyArray<Issue>
  }
> {
  get isRetryable(): boolean {
    return false
  }
  get mayHaveBeenApplied(): boolean {
    return false
  }
  override get message(): string {
    const { issues, reason, status } = this
    const [what, whatToDo] = unauthorized[reason]
    const details = status === undefined ? formatIssues(issues) : ` (status ${status})`
    return `${what}${details}. ${notApplied} ${whatToDo}`
  }
  override toJSON(): unknown {
    return toJSON(this)
  }
}

// Failures before the first byte of the request was written. Any other transport failure may have come after.
const unsentCodes: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_CLOSED"
])

// The certificate or the TLS handshake was refused, or this side is shutting down: the next try ends the same.
// A damaged record is neither: it may come at any time, after the request too.
const isPermanent = (code: string): boolean =>
  !code.includes("BAD_RECORD_MAC") &&
  /CERT|^ERR_(TLS|SSL)_|^EPROTO$|UNABLE_TO_(GET|VERIFY)|HOSTNAME_MISMATCH|^UND_ERR_(CLOSED|DESTROYED)$/.test(
    code
  )

const isTlsRefusal = (code: string): boolean => isPermanent(code) && !code.startsWith("UND_ERR_")

const happened = {
  Transport: "No answer came from Pleo",
  Timeout: "No complete answer came from Pleo in time",
  RateLimited: "Pleo is receiving too many requests",
  ServerError: "Pleo could not process the update",
  InvalidResponse: "Pleo's answer could not be understood",
  Redirect: "The server answered with a redirect, which is not followed",
  Superseded: "A newer update of the same installation came before this one could be sent",
  TokenEndpoint: "No new access token came from Pleo",
  TokenStore: "The token store did not answer as it should"
}

const retryableServerErrors: ReadonlySet<number> = new Set([500, 502, 503, 504])
const retryableTokenErrors: ReadonlySet<number> = new Set([408, 429, ...retryableServerErrors])

/**
 * Nobody's fault on this side: the network, a proxy or Pleo.
 *
 * - `Transport`: no answer came; `code` says why (`ECONNREFUSED`, `UND_ERR_SOCKET`, ...).
 * - `Timeout`: no complete answer came in time, or the server gave up waiting (408).
 * - `RateLimited`: too many requests (429); `retryAfter` is how long the server asks to wait.
 * - `ServerError`: 5xx, or a status outside HTTP's five classes.
 * - `InvalidResponse`: an answer that is not HTTP, not JSON, too large, or not an installation.
 * - `Redirect`: 3xx. Redirects are not followed, since they would carry the credential elsewhere.
 * - `Superseded`: it was given up, since a newer update of the same installation came before it could be
 *   sent again.
 * - `TokenEndpoint`: the access token has expired, and there is no new one to be had at present.
 * - `TokenStore`: the store of the tokens could not be read or written; `code` says why.
 *
 * @since 0.1.0
 * @category errors
 */
export class Infrastructure extends Data.TaggedError("Infrastructure")<
  AnswerFields & {
    readonly reason:
      | "Transport"
      | "Timeout"
      | "RateLimited"
      | "ServerError"
      | "InvalidResponse"
      | "Redirect"
      | "Superseded"
      | "TokenEndpoint"
      | "TokenStore"
    /** The transport's own code, such as `ECONNRESET`. */
    readonly code?: string
    /** How long the server asks to wait before the next request (`Retry-After`). */
    readonly retryAfter?: Duration.Duration
    /** With `InvalidResponse`: what was expected of the answer, and where. */
    readonly issues?: ReadonlyArray<Issue>
  }
> {
  get isRetryable(): boolean {
    switch (this.reason) {
      case "Timeout":
      case "RateLimited":
      case "TokenStore":
        return true
      case "Transport":
        return this.code === undefined || !isPermanent(this.code)
      case "TokenEndpoint":
        return this.status === undefined
          ? this.code === undefined || !isPermanent(this.code)
          : retryableTokenErrors.has(this.status)
      case "ServerError":
        return this.status !== undefined && retryableServerErrors.has(this.status)
      case "InvalidResponse":
      case "Redirect":
      case "Superseded":
        return false
    }
  }
  get mayHaveBeenApplied(): boolean {
    switch (this.reason) {
      case "Transport":
        return this.code === undefined || !(unsentCodes.has(this.code) || isTlsRefusal(this.code))
      case "Timeout":
        // RFC 9110 section 15.5.9: with a 408 the request never arrived whole.
        return this.status !== 408
      case "RateLimited":
      case "TokenEndpoint":
      case "TokenStore":
        return false
      case "ServerError":
      case "InvalidResponse":
      case "Superseded":
        return true
      case "Redirect":
        // RFC 9110 section 15.4.4: a 303 may answer a request that was carried out. fetch hides the status.
        return this.status === 303 || this.status === 0
    }
  }
  override get message(): string {
    const { code, reason, status } = this
    const facts = [status === undefined ? [] : `status ${status}`, code ?? []].flat()
    const details = facts.length === 0 ? "" : ` (${facts.join(", ")})`
    const applied = this.mayHaveBeenApplied ? "The update may have been applied." : notApplied
    return `${happened[reason]}${details}${formatIssues(this.issues)}. ${applied} ${this.#whatToDo}`
  }
  get #whatToDo(): string {
    if (this.isRetryable)
      return this.retryAfter === undefined
        ? "Try again later."
        : `Try again after ${Duration.format(this.retryAfter)}.`
    switch (this.reason) {
      case "Redirect":
        return "Check the configured server."
      case "Superseded":
        return "Nothing is left to do, unless the newer update lacks what this one said."
      default:
        return "Trying again will not help by itself: look at what stands between this program and Pleo."
    }
  }
  override toJSON(): unknown {
    return toJSON(this)
  }
}

/**
 * Everything an update can fail with.
 *
 * @since 0.1.0
 * @category errors
 */
export type InstallationError = BadRequest | Unauthorized | Infrastructure

/**
 * Whether a value is one of the three.
 *
 * @since 0.1.0
 * @category guards
 */
export const isInstallationError = (u: unknown): u is InstallationError =>
  u instanceof BadRequest || u instanceof Unauthorized || u instanceof Infrastructure
