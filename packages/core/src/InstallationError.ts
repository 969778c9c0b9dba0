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
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { InstallationService, UpdateInstallation } from "@effect-pleo/core"
 * import { InstallationServiceTest } from "@effect-pleo/testing"
 * import * as Effect from "effect/Effect"
 *
 * const error = await InstallationService.update(UpdateInstallation.activated({ ratio: Number.NaN })).pipe(
 *   Effect.flip,
 *   Effect.provide(InstallationServiceTest.layerTest()),
 *   Effect.runPromise
 * )
 * assert.ok(error._tag === "BadRequest")
 * const lines = error.issues?.map(({ message, path }) => `${path.join("/")}: ${message}`)
 * assert.deepEqual(lines, ["metadata/ratio: expected a finite number"])
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Issue {
  readonly path: ReadonlyArray<string | number>
  readonly message: string
}

/**
 * What `RetryPolicy.retry` did until it failed.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { InstallationError, RetryPolicy } from "@effect-pleo/core"
 * import * as Effect from "effect/Effect"
 *
 * const busy = new InstallationError.Infrastructure({ reason: "RateLimited", status: 429 })
 *
 * const { retried } = await Effect.fail(busy).pipe(
 *   RetryPolicy.retry({ baseDelay: "1 millis" }),
 *   Effect.flip,
 *   Effect.runPromise
 * )
 * assert.equal(retried?.attempts, 3)
 * assert.equal(retried.mayHaveBeenApplied, false)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Retried {
  /** The attempts, the first and the last included. */
  readonly attempts: number
  /** How long it waited between them, all in all. */
  readonly waited: Duration.Duration
  /** Whether any of them may have been applied. */
  readonly mayHaveBeenApplied: boolean
}

interface CommonFields {
  /** The HTTP status of the answer. Absent when there was none. */
  readonly status?: number
  /** The start of the answer's body, at most 2 KiB, the credential and the strings of the metadata scrubbed out. */
  readonly body?: string
  /** The answer's `x-request-id`: what Pleo's support will ask for. */
  readonly requestId?: string
  /** Absent where there was one attempt only, and where something else than `RetryPolicy.retry` tried again. */
  readonly retried?: Retried
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

/** What is known about the effect of an update that failed. */
const formatApplied = (isSelfApplied: boolean, retried: Retried | undefined): string => {
  if (isSelfApplied) return "The update may have been applied."
  return retried?.mayHaveBeenApplied ? "An earlier attempt may have been applied." : "Nothing was applied."
}

/**
 * The caller has to change something: the request, or an option of the client. `status` is absent when it
 * was refused before anything was sent. Trying the same again cannot help; nothing was applied by it.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { InstallationService } from "@effect-pleo/core"
 * import { InstallationServiceTest } from "@effect-pleo/testing"
 * import * as Effect from "effect/Effect"
 *
 * // A status that somebody typed, past the type checker.
 * const typed = JSON.parse('{ "status": "activated" }')
 *
 * const program = InstallationService.update(typed).pipe(
 *   Effect.as("updated"),
 *   Effect.catchTag("BadRequest", ({ issues = [], status }) =>
 *     Effect.succeed(status === undefined ? `look at ${issues[0]?.path}` : `Pleo says ${status}`)
 *   ),
 *   Effect.provide(InstallationServiceTest.layerTest())
 * )
 * assert.equal(await Effect.runPromise(program), "look at status")
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class BadRequest extends Data.TaggedError("BadRequest")<
  CommonFields & {
    /** What is wrong, where this side knows it. Pleo describes no body for a 400. */
    readonly issues?: ReadonlyArray<Issue>
  }
> {
  get isRetryable(): boolean {
    return false
  }
  get mayHaveBeenApplied(): boolean {
    return this.retried?.mayHaveBeenApplied ?? false
  }
  override get message(): string {
    return `${whatHappened(this)}. ${formatApplied(false, this.retried)} Correct it and send it again.`
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
 * The credential has to change. Trying the same again cannot help; nothing was applied by it.
 *
 * - `Unauthenticated`: it is missing, malformed, expired or unknown (401, or refused before sending).
 * - `Forbidden`: it is known and may not do this (403).
 * - `ReauthorizationRequired`: its grant is gone; the customer has to authorise the app again. Only the tokens of
 *   `OAuth.credentials` end so, and effects of your own that make credentials may.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { InstallationError } from "@effect-pleo/core"
 * import * as Effect from "effect/Effect"
 *
 * const update = Effect.fail(new InstallationError.Unauthorized({ reason: "Forbidden", status: 403 }))
 *
 * const program = update.pipe(
 *   Effect.catchTag("Unauthorized", ({ message, reason }) =>
 *     Effect.succeed(reason === "ReauthorizationRequired" ? "ask the customer" : message)
 *   )
 * )
 * assert.equal(
 *   Effect.runSync(program),
 *   "The credential may not update this installation (status 403). Nothing was applied. " +
 *     "Check what the app was authorised to do."
 * )
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class Unauthorized extends Data.TaggedError("Unauthorized")<
  CommonFields & {
    readonly reason: "Unauthenticated" | "Forbidden" | "ReauthorizationRequired"
    /** What is wrong with a credential that cannot even be sent. */
    readonly issues?: ReadonlyArray<Issue>
  }
> {
  get isRetryable(): boolean {
    return false
  }
  get mayHaveBeenApplied(): boolean {
    return this.retried?.mayHaveBeenApplied ?? false
  }
  override get message(): string {
    return `${whatHappened(this)}. ${formatApplied(false, this.retried)} ${unauthorized[this.reason][1]}`
  }
  override toJSON(): unknown {
    return toJSON(this)
  }
}

// The certificate or the TLS handshake was refused, or this side is shutting down: the next try ends the same.
// A damaged record is neither: it may come at any time, after the request too.
const isPermanent = (code: string): boolean =>
  !code.includes("BAD_RECORD_MAC") &&
  /CERT|^ERR_(TLS|SSL)_|^EPROTO$|UNABLE_TO_(GET|VERIFY)|HOSTNAME_MISMATCH|^UND_ERR_(CLOSED|DESTROYED)$/.test(
    code
  )

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

/** Names for the phases before a request is sent. */
const waitedFor = {
  Queue: "its turn, since an earlier update of the same installation was still under way",
  AccessToken: "an access token",
  Connection: "a connection to Pleo"
}

const retryableServerErrors: ReadonlySet<number> = new Set([500, 502, 503, 504])
// Statuses of a token endpoint or a proxy after which a retry could succeed.
const transientStatuses: ReadonlySet<number> = new Set([408, 429, ...retryableServerErrors])

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
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { InstallationError } from "@effect-pleo/core"
 * import * as Duration from "effect/Duration"
 * import * as Effect from "effect/Effect"
 *
 * const update = Effect.fail(
 *   new InstallationError.Infrastructure({
 *     reason: "RateLimited",
 *     status: 429,
 *     retryAfter: Duration.minutes(1),
 *     requestId: "4f0c"
 *   })
 * )
 *
 * const program = update.pipe(
 *   Effect.catchTag("Infrastructure", ({ isRetryable, mayHaveBeenApplied, requestId, retryAfter }) =>
 *     Effect.succeed({ isRetryable, mayHaveBeenApplied, requestId, wait: Duration.format(retryAfter ?? 0) })
 *   )
 * )
 * assert.deepEqual(Effect.runSync(program), {
 *   isRetryable: true,
 *   mayHaveBeenApplied: false,
 *   requestId: "4f0c",
 *   wait: "1m"
 * })
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class Infrastructure extends Data.TaggedError("Infrastructure")<
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
    /** The transport's own code, such as `ECONNRESET`: to be shown, not to be relied on. */
    readonly code?: string
    /**
     * The phase before sending in which the attempt failed: the request was certainly not sent. Absent: it may have been.
     */
    readonly phase?: "Queue" | "AccessToken" | "Connection"
    /** The status with which a proxy refused a tunnel. */
    readonly proxyStatus?: number
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
      case "TokenEndpoint": {
        const status = this.status ?? this.proxyStatus
        return status === undefined
          ? this.code === undefined || !isPermanent(this.code)
          : transientStatuses.has(status)
      }
      case "ServerError":
        return this.status !== undefined && retryableServerErrors.has(this.status)
      case "InvalidResponse":
      case "Redirect":
      case "Superseded":
        return false
    }
  }
  get mayHaveBeenApplied(): boolean {
    return this.#isSelfApplied || this.retried?.mayHaveBeenApplied === true
  }
  /** Whether the attempt that failed with this may have been applied. */
  get #isSelfApplied(): boolean {
    switch (this.reason) {
      case "Transport":
      case "Timeout":
        // RFC 9110 section 15.5.9: with a 408 the request never arrived whole.
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
        // RFC 9110 section 15.4.4: a 303 may answer a request that was carried out. fetch hides the status.
        return this.status === 303 || this.status === 0
    }
  }
  override get message(): string {
    return `${whatHappened(this)}. ${formatApplied(this.#isSelfApplied, this.retried)} ${this.#whatToDo}`
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
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { InstallationError } from "@effect-pleo/core"
 * import * as Match from "effect/Match"
 *
 * const whoActs = Match.type<InstallationError.InstallationError>().pipe(
 *   Match.tagsExhaustive({
 *     BadRequest: () => "a developer",
 *     Unauthorized: ({ reason }) => (reason === "ReauthorizationRequired" ? "the customer" : "an operator"),
 *     Infrastructure: () => "nobody here"
 *   })
 * )
 *
 * const error = new InstallationError.Infrastructure({ reason: "ServerError", status: 503 })
 * assert.equal(whoActs(error), "nobody here")
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export type InstallationError = BadRequest | Unauthorized | Infrastructure

/**
 * Whether something that was caught is an error of an update.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { InstallationError } from "@effect-pleo/core"
 *
 * // Where errors of all kinds end up.
 * const describe = (error: unknown) =>
 *   InstallationError.isInstallationError(error)
 *     ? `${error._tag}, ${error.mayHaveBeenApplied ? "perhaps applied" : "not applied"}`
 *     : "something else"
 *
 * assert.equal(
 *   describe(new InstallationError.Infrastructure({ reason: "Timeout" })),
 *   "Infrastructure, perhaps applied"
 * )
 * assert.equal(describe(new TypeError("no such method")), "something else")
 * ```
 *
 * @since 0.1.0
 * @category guards
 */
export const isInstallationError = (u: unknown): u is InstallationError =>
  u instanceof BadRequest || u instanceof Unauthorized || u instanceof Infrastructure

/** The first sentence about an error, without its full stop. */
const whatHappened = (error: InstallationError): string => {
  const { issues, status } = error
  switch (error._tag) {
    case "BadRequest":
      return status === undefined
        ? `The update was refused before it was sent${formatIssues(issues)}`
        : `Pleo refused the update (status ${status})`
    case "Unauthorized":
      return `${unauthorized[error.reason][0]}${status === undefined ? formatIssues(issues) : ` (status ${status})`}`
    case "Infrastructure": {
      const { code, phase, proxyStatus, reason } = error
      const facts = [
        status === undefined ? [] : `status ${status}`,
        proxyStatus === undefined ? [] : `the proxy answered with status ${proxyStatus}`,
        code ?? []
      ].flat()
      const details = facts.length === 0 ? "" : ` (${facts.join(", ")})`
      const end = reason === "Timeout" ? "timed out" : "failed"
      const what =
        phase === undefined ? happened[reason] : `The update ${end} waiting for ${waitedFor[phase]}`
      return `${what}${details}${formatIssues(issues)}`
    }
  }
}

const adviceForUnauthorized = {
  Unauthenticated: "replace the credential; with OAuth, check the client id and its secret, and PLEO_SERVER",
  Forbidden: "check in Pleo what the app may do, and that the installation is still there",
  ReauthorizationRequired: "ask the customer to authorise the app again, and store the new tokens"
}

/** What somebody on call does about an error. */
const adviceFor = (error: InstallationError): string => {
  switch (error._tag) {
    case "BadRequest":
      if (error.status === undefined) return "correct what is named above: it never left this program"
      return error.status === 404
        ? "check PLEO_SERVER, then compare the request with Pleo's documentation"
        : "compare the request with Pleo's documentation; the answer below may say more"
    case "Unauthorized":
      return adviceForUnauthorized[error.reason]
    case "Infrastructure":
      return adviceForInfrastructure(error)
  }
}

const adviceForInfrastructure = (error: Infrastructure): string => {
  switch (error.reason) {
    case "Transport":
      return error.isRetryable
        ? "look at the network, DNS and proxies between this program and Pleo; later updates may pass"
        : "look at certificates, the machine's clock and proxies, unless this program is shutting down"
    case "Timeout":
      return "nothing at once; if it goes on, look at the network, then ask Pleo's support"
    case "RateLimited":
      return "send less often, and spread the updates of many customers over time"
    case "ServerError":
      return error.isRetryable
        ? "nothing here; if it goes on, ask Pleo's support"
        : "ask Pleo's support, for the same update will fare no better"
    case "InvalidResponse":
      return "look for a proxy that answers in Pleo's place; if there is none, upgrade this library"
    case "Redirect":
      return "check PLEO_SERVER and proxies, for a redirect is never followed"
    case "Superseded":
      return "nothing, unless the newer update lacks what this one said"
    case "TokenEndpoint":
      return "nothing at once, for the refresh token is still good; if it goes on, ask Pleo's support"
    case "TokenStore":
      return "look at the database or the disk that holds the tokens"
  }
}

const quoteStart = (text: string): string => {
  const quoted = JSON.stringify(text.slice(0, 200)).replace(/[\u2028\u2029]/g, " ")
  return text.length > 200 ? `${quoted} and more` : quoted
}

/**
 * An error for somebody on call, in five lines: what happened, the attempts and waits, whether the update may have been
 * applied, what to do, and what the answer said. As little of it is secret as of the error itself.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { InstallationError } from "@effect-pleo/core"
 *
 * const error = new InstallationError.Infrastructure({ reason: "ServerError", status: 503, requestId: "7d9f" })
 *
 * assert.equal(
 *   InstallationError.explain(error),
 *   `What happened: Infrastructure (ServerError). Pleo could not process the update (status 503).
 * Attempts: 1 is known of.
 * Applied: perhaps. To send the same update again does no harm, unless a newer one was sent since.
 * What to do: nothing here; if it goes on, ask Pleo's support.
 * Answer: request id "7d9f".`
 * )
 * ```
 *
 * @since 0.1.0
 * @category formatting
 */
export const explain = (error: InstallationError): string => {
  const { body, mayHaveBeenApplied, requestId, retried } = error
  const reason = "reason" in error ? ` (${error.reason})` : ""
  const retryAfter = error._tag === "Infrastructure" ? error.retryAfter : undefined
  const waits = retryAfter === undefined ? "" : ` Pleo asked to wait ${Duration.format(retryAfter)}.`
  const evidence = [
    requestId === undefined ? [] : [`request id ${quoteStart(requestId)}`],
    body === undefined ? [] : [`body ${quoteStart(body)}`]
  ].flat()
  return [
    `What happened: ${error._tag}${reason}. ${whatHappened(error)}.`,
    retried === undefined
      ? `Attempts: 1 is known of.${waits}`
      : `Attempts: ${retried.attempts}, with ${Duration.format(retried.waited)} of waiting between them.${waits}`,
    mayHaveBeenApplied
      ? "Applied: perhaps. To send the same update again does no harm, unless a newer one was sent since."
      : "Applied: no.",
    `What to do: ${adviceFor(error)}.`,
    `Answer: ${evidence.length > 0 ? evidence.join(", ") : error.status === undefined ? "none" : "nothing to quote"}.`
  ].join("\n")
}
