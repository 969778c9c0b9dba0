/**
 * Errors of an operation. Each reports whether a retry could succeed, and whether the request may have been applied. None
 * contains a credential or the request.
 *
 * @since 0.1.0
 * @module
 */
import * as Duration from "effect/Duration"
import { adviceFor, oneLine, quoteStart } from "./internal/advice.ts"
import { taggedError } from "./internal/taggedError.ts"

/**
 * An invalid part of a value: where it is (an empty path is the value itself), and what was expected. Never the value.
 *
 * @since 0.1.0
 * @category models
 */
export interface Issue {
  readonly path: ReadonlyArray<string | number>
  readonly message: string
}

interface Retried {
  /** All attempts, including the first and the last. */
  readonly attempts: number
  /** The total of the waits between them. */
  readonly waited: Duration.Duration
  /** Whether any attempt may have been applied. */
  readonly mayHaveBeenApplied: boolean
}

interface CommonFields {
  /** The host, and a port other than the protocol's own, of the API or the token endpoint. */
  readonly server?: string | undefined
  /** Your name for the customer, as in `OAuth.tenant`. Absent with a fixed credential. */
  readonly tenant?: string | undefined
  /** The method of `InstallationService`, unless it is `update`. */
  readonly operation?: "get" | "create" | "updateMetadata" | "activate" | "delete" | "introspect" | undefined
  /** The HTTP status of the response. Absent without a response. */
  readonly status?: number | undefined
  /** The reason in the response's body: one line of at most 200 characters, redacted like `body`. */
  readonly detail?: string | undefined
  /** The first 2 KiB of the response's body, without the credential and the strings of the metadata. */
  readonly body?: string | undefined
  /** The response's `x-request-id`, for Pleo's support. */
  readonly requestId?: string | undefined
  /** The attempts of `RetryPolicy.retry`. Absent after a single one. */
  readonly retried?: Retried | undefined
}

const formatKey = (key: string | number): string =>
  typeof key === "string" && /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`

const formatPath = (path: Issue["path"]): string => path.map(formatKey).join("").replace(/^\./, "")

const formatIssues = (issues: ReadonlyArray<Issue> | undefined): string =>
  issues === undefined || issues.length === 0
    ? ""
    : ` (${issues.map(({ path, message }) => (path.length === 0 ? message : `${formatPath(path)}: ${message}`)).join("; ")})`

const nounOf = ({ operation }: CommonFields): string => (operation === undefined ? "update" : "request")

const formatApplied = (error: CommonFields, isSelfApplied = false): string => {
  if (isSelfApplied) return `The ${nounOf(error)} may have been applied.`
  const { retried } = error
  return retried?.mayHaveBeenApplied ? "An earlier attempt may have been applied." : "Nothing was applied."
}

/**
 * The request, or an option of the client, is invalid. Nothing was applied, and a retry will not help.
 *
 * @example
 * ```ts
 * const update = InstallationService.update({ status: "ACTIVATED" })
 * const handled = Effect.catchTag(update, "BadRequest", ({ issues }) => Effect.logError("Invalid", issues))
 * ```
 * @since 0.1.0
 * @category errors
 */
export class BadRequest extends taggedError("BadRequest")<
  CommonFields & {
    /** Absent if Pleo rejected the request: its 400 has no defined body. */
    readonly issues?: ReadonlyArray<Issue> | undefined
  }
> {
  get isRetryable(): boolean {
    return false
  }
  get mayHaveBeenApplied(): boolean {
    return this.retried?.mayHaveBeenApplied ?? false
  }
  override get message(): string {
    return `${whatHappened(this)}. ${formatApplied(this)} Correct it and send it again.`
  }
}

const unauthorized = {
  NotConnected: ["The customer is not connected", "Check the tenant's name, or connect the customer."],
  Unauthenticated: ["The credential was rejected", "Provide another credential."],
  Forbidden: ["The credential does not permit this", "Check the app's permissions."],
  ReauthorizationRequired: [
    "The authorization is no longer valid",
    "Ask the customer to authorize the app again."
  ]
} as const

/**
 * The credential was rejected. Nothing was applied, and a retry will not help.
 *
 * - `Unauthenticated`: it is missing, malformed, expired, or unknown (401, or rejected before sending).
 * - `Forbidden`: it does not permit the operation (403).
 * - `NotConnected`: no OAuth tokens are stored for this tenant, client ID, and token endpoint.
 * - `ReauthorizationRequired`: the OAuth grant has ended. The customer has to authorize the app again.
 *
 * @example
 * ```ts
 * const update = InstallationService.update({ status: "ACTIVATED" })
 * const handled = Effect.catchTag(update, "Unauthorized", ({ reason }) => Effect.logError(reason))
 * ```
 * @since 0.1.0
 * @category errors
 */
export class Unauthorized extends taggedError("Unauthorized")<
  CommonFields & {
    readonly reason: "Unauthenticated" | "Forbidden" | "NotConnected" | "ReauthorizationRequired"
    /** Why a credential cannot be sent, or why there is none. */
    readonly issues?: ReadonlyArray<Issue> | undefined
  }
> {
  get isRetryable(): boolean {
    return false
  }
  get mayHaveBeenApplied(): boolean {
    return this.retried?.mayHaveBeenApplied ?? false
  }
  override get message(): string {
    return `${whatHappened(this)}. ${formatApplied(this)} ${unauthorized[this.reason][1]}`
  }
}

// A rejected certificate or TLS handshake, or a client that is shutting down: a retry would end the same.
// A damaged record can occur at any time, even after the request.
const isPermanent = (code: string): boolean =>
  !code.includes("BAD_RECORD_MAC") &&
  /CERT|^ERR_(TLS|SSL)_|^EPROTO$|UNABLE_TO_(GET|VERIFY)|HOSTNAME_MISMATCH|^UND_ERR_(CLOSED|DESTROYED)$/.test(
    code
  )

const happened = {
  Transport: "No response from Pleo",
  Timeout: "No complete response from Pleo in time",
  RateLimited: "Too many requests",
  ServerError: "Pleo could not process the request",
  InvalidResponse: "Pleo's response is invalid",
  Redirect: "The server sent a redirect, which is not followed",
  Superseded: "A newer update of the same installation came first",
  TokenEndpoint: "Pleo issued no new access token",
  TokenStore: "The token store failed"
}

const waitedFor = {
  Queue: "its turn behind an earlier update of the same installation",
  AccessToken: "an access token",
  Connection: "a connection to Pleo"
}

// Those that are registered and do not pass. RFC 9110 section 15: any other one that is not known is like a 500.
const finalServerErrors: ReadonlySet<number> = new Set([501, 505, 506, 507, 508, 510, 511])
const isTransientServerError = (status: number): boolean => status >= 500 && !finalServerErrors.has(status)
// Of a token endpoint or a proxy.
const isTransient = (status: number): boolean =>
  status === 408 || status === 429 || isTransientServerError(status)

/**
 * A failure outside the caller's control: in the network, a proxy, Pleo, or the token store.
 *
 * - `Transport`: no response. `code` says why, such as `ECONNREFUSED`.
 * - `Timeout`: no complete response in time, or the server timed out (408).
 * - `RateLimited`: too many requests (429). `retryAfter` is how long the server asks to wait.
 * - `ServerError`: 5xx, or a status that HTTP does not define.
 * - `InvalidResponse`: a response that is not HTTP, not JSON, too large, or not an installation.
 * - `Redirect`: 3xx. Following it could send the credential elsewhere.
 * - `Superseded`: a newer update of the same installation came before a retry.
 * - `TokenEndpoint`: the access token has expired, and could not be refreshed for now. The refresh token was not used.
 * - `TokenStore`: reading or writing the token store failed. `code` says why.
 *
 * @example
 * ```ts
 * const update = InstallationService.update({ status: "ACTIVATED" })
 * const handled = Effect.catchTag(update, "Infrastructure", ({ reason }) => Effect.logWarning(reason))
 * ```
 * @since 0.1.0
 * @category errors
 */
export class Infrastructure extends taggedError("Infrastructure")<
  CommonFields & {
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
    /** The transport's code, such as `ECONNRESET`: for display only. */
    readonly code?: string | undefined
    /** The phase before sending in which the attempt failed. Absent if the request may have been sent. */
    readonly phase?: "Queue" | "AccessToken" | "Connection" | undefined
    /** The status with which a proxy refused a tunnel. */
    readonly proxyStatus?: number | undefined
    /** How long to wait before the next request, as the server asks (`Retry-After`), or until the next refresh. */
    readonly retryAfter?: Duration.Duration | undefined
    /** With `InvalidResponse`: why the response is invalid. */
    readonly issues?: ReadonlyArray<Issue> | undefined
  }
> {
  get isRetryable(): boolean {
    switch (this.reason) {
      case "Timeout":
      case "RateLimited":
      case "TokenStore":
        return true
      case "Transport":
      case "TokenEndpoint": {
        const status = this.status ?? this.proxyStatus
        return status === undefined ? this.code === undefined || !isPermanent(this.code) : isTransient(status)
      }
      case "ServerError":
        return this.status !== undefined && isTransientServerError(this.status)
      case "InvalidResponse":
      case "Redirect":
      case "Superseded":
        return false
    }
  }
  get mayHaveBeenApplied(): boolean {
    return this.#isSelfApplied || this.retried?.mayHaveBeenApplied === true
  }
  /** Whether the last attempt may have been applied. */
  get #isSelfApplied(): boolean {
    if (this.operation === "get" || this.operation === "introspect") return false
    switch (this.reason) {
      case "Transport":
      case "Timeout":
        // RFC 9110 section 15.5.9: a 408 means that the request never arrived completely.
        return this.phase === undefined && this.status !== 408
      case "RateLimited":
      case "TokenEndpoint":
      case "TokenStore":
        return false
      case "ServerError":
      case "InvalidResponse":
      case "Superseded":
        return true
      case "Redirect":
        // RFC 9110 section 15.4.4: a 303 may follow a request that was carried out. fetch hides the status as 0.
        return this.status === 303 || this.status === 0
    }
  }
  override get message(): string {
    return `${whatHappened(this)}. ${formatApplied(this, this.#isSelfApplied)} ${this.#whatToDo}`
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
        return "No action needed, unless the newer update omits something."
      default:
        return "A retry will not help: check the network between this program and Pleo."
    }
  }
}

/**
 * Any error of an operation.
 *
 * @since 0.1.0
 * @category errors
 */
export type InstallationError = BadRequest | Unauthorized | Infrastructure

/**
 * Whether a value is an error of an operation.
 *
 * @example
 * ```ts
 * const describe = (error: unknown) =>
 *   InstallationError.isInstallationError(error) ? InstallationError.explain(error) : String(error)
 * ```
 * @since 0.1.0
 * @category guards
 */
export const isInstallationError = (u: unknown): u is InstallationError =>
  // By its shape, since an application may load this library twice: by import, and by require.
  u instanceof Error &&
  "_tag" in u &&
  (u._tag === "BadRequest" || u._tag === "Unauthorized" || u._tag === "Infrastructure") &&
  "mayHaveBeenApplied" in u

const headlineOf = (error: InstallationError): string => {
  const noun = nounOf(error)
  switch (error._tag) {
    case "BadRequest":
      return error.status === undefined
        ? `The ${noun} was rejected before sending`
        : `Pleo rejected the ${noun}`
    case "Unauthorized":
      return unauthorized[error.reason][0]
    case "Infrastructure": {
      const end = error.reason === "Timeout" ? "timed out" : "failed"
      return error.phase === undefined
        ? happened[error.reason]
        : `The ${noun} ${end} waiting for ${waitedFor[error.phase]}`
    }
  }
}

/** The first sentence of a message, without its period. */
const whatHappened = (error: InstallationError): string => {
  const { detail, issues, server, status, tenant } = error
  const { code, proxyStatus } = error._tag === "Infrastructure" ? error : {}
  const facts = [
    status === undefined ? [] : `status ${status}`,
    proxyStatus === undefined ? [] : `the proxy responded with status ${proxyStatus}`,
    code ?? [],
    server === undefined ? [] : `server ${server}`,
    tenant === undefined ? [] : `tenant ${quoteStart(tenant)}`
  ].flat()
  const details = facts.length === 0 ? "" : ` (${facts.join(", ")})`
  const reason = detail === undefined ? "" : `: ${detail}`
  return oneLine(`${headlineOf(error)}${details}${formatIssues(issues)}${reason}`)
}

/**
 * Explains an error in five lines, without secrets: what happened, attempts, whether it may have been applied, what to do,
 * and the response.
 *
 * @example
 * ```ts
 * const update = InstallationService.update({ status: "ACTIVATED" })
 * const logged = Effect.tapError(update, (error) => Effect.logError(InstallationError.explain(error)))
 * ```
 * @since 0.1.0
 * @category formatting
 */
export const explain = (error: InstallationError): string => {
  const { body, mayHaveBeenApplied, requestId, retried } = error
  const reason = "reason" in error ? ` (${error.reason})` : ""
  const retryAfter = error._tag === "Infrastructure" ? error.retryAfter : undefined
  const waits = retryAfter === undefined ? "" : ` Wait ${Duration.format(retryAfter)} before the next one.`
  const evidence = [
    requestId === undefined ? [] : [`request id ${quoteStart(requestId)}`],
    body === undefined ? [] : [`body ${quoteStart(body)}`]
  ].flat()
  return [
    `What happened: ${error._tag}${reason}. ${whatHappened(error)}.`,
    retried === undefined
      ? `Attempts: 1 known.${waits}`
      : `Attempts: ${retried.attempts}, with waits of ${Duration.format(retried.waited)} in total.${waits}`,
    mayHaveBeenApplied
      ? "Applied: possibly. Sending the same update again is safe, unless a newer one was sent since."
      : "Applied: no.",
    `What to do: ${adviceFor(error)}.`,
    `Response: ${evidence.length > 0 ? evidence.join(", ") : error.status === undefined ? "none" : "no details"}.`
  ].join("\n")
}
