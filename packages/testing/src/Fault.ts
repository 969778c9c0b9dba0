/**
 * Faults to inject into a test: `InstallationServiceTest` and `Sandbox` take the same ones. In memory, an update
 * fails as that of the real client does over HTTP.
 *
 * @since 0.1.0
 * @module
 */

import type { UpdateInstallation } from "@effect-pleo/core/Installation"
import type { InstallationError } from "@effect-pleo/core/InstallationError"
import * as Duration from "effect/Duration"
import { served } from "./internal/marketplace/marketplace.ts"
import * as internal from "./internal/marketplace/plan.ts"

/**
 * A fault. `E` is the error that it fails with in memory, if it is one of `fail`: the sandbox takes only `Fault<never>`.
 *
 * @example
 * ```ts
 * // Down for two requests, then one response is lost.
 * const faults: ReadonlyArray<Fault.Fault> = [Fault.status(503, { times: 2 }), Fault.loseResponse()]
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Fault<out E = never> extends internal.Fault<E> {}

/**
 * Which requests a fault is for, and how often.
 *
 * @example
 * ```ts
 * const ofAcme: Fault.Options = { when: ({ tenant }) => tenant === "acme", times: 2 }
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** How many requests it is for. Default: 1. None if it is less, all if it is infinite. */
  readonly times?: number | undefined
  /** Which requests it is for. Others meet the next fault that is for them, and do not count. Default: all. */
  readonly when?:
    | ((request: {
        readonly method: string
        /** `/v1/installations/me`, or `/oauth/token` of the sandbox. */
        readonly path: string
        /** Absent if the request is no valid update. */
        readonly update?: UpdateInstallation
        /** In memory, the tenant that `OAuth.tenant` chose. */
        readonly tenant?: string
        /** In the sandbox, the id of the grant whose token the request carries. */
        readonly grant?: string
      }) => boolean)
    | undefined
  /** How long the request waits first, on the `Clock`. It ends there if the client gives up. Default: not at all. */
  readonly after?: Duration.DurationInput | undefined
  /** Whether the update is applied all the same. Default: `false`, and `true` of `delay`. */
  readonly isApplied?: boolean | undefined
}

const make = <E = never>(
  label: string,
  end: internal.Plan<E>["end"],
  { after = 0, isApplied = false, times = 1, when = served.when }: Options = {}
): Fault<E> => ({
  [internal.TypeId]: { ...served, label, end, times, when, after: Duration.decode(after), isApplied }
})

const respond = (label: string, response: internal.Response, options?: Options): Fault =>
  make(label, { _tag: "Response", response }, options)

const lowerCased = (headers: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))

/**
 * Responds with a status from 200 to 999, and an empty body by default. Nothing is applied, unless `isApplied` says so.
 * Throws a `RangeError` for another status.
 *
 * @example
 * ```ts
 * const busy = Fault.status(429, { retryAfter: "7 seconds" })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const status = (
  status: number,
  options: Options & {
    readonly headers?: Readonly<Record<string, string>> | undefined
    readonly body?: string | undefined
    /** The `Retry-After` header, in whole seconds. */
    readonly retryAfter?: Duration.DurationInput | undefined
  } = {}
): Fault => {
  if (!Number.isInteger(status) || status < 200 || status > 999)
    throw new RangeError(`Expected a status from 200 to 999, got ${status}`)
  const { body = "", headers = {}, retryAfter, ...others } = options
  const wait =
    retryAfter === undefined ? {} : { "retry-after": String(Math.ceil(Duration.toSeconds(retryAfter))) }
  return respond(`status ${status}`, { status, headers: { ...lowerCased(headers), ...wait }, body }, others)
}

/**
 * Sends the response late. The update is applied before the delay; with `isApplied: false` after it, and not at all if
 * the client gives up before. `delay(0)` lets a request through.
 *
 * @example
 * ```ts
 * const slow = Fault.delay("5 seconds", { times: Infinity })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const delay = (duration: Duration.DurationInput, options: Options = {}): Fault => {
  const { after = 0, isApplied = true, ...others } = options
  const { [internal.TypeId]: plan } = make(`delay ${Duration.format(duration)}`, served.end, {
    ...others,
    after: isApplied ? after : Duration.sum(after, duration)
  })
  return { [internal.TypeId]: isApplied ? { ...plan, delay: Duration.decode(duration) } : plan }
}

/**
 * Resets the connection before the update is applied.
 *
 * @example
 * ```ts
 * const unlucky = Fault.resetConnection({ when: ({ update }) => update?.status === "ERROR" })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const resetConnection = (options?: Omit<Options, "isApplied">): Fault =>
  make("resetConnection", { _tag: "ConnectionReset" }, { ...options, isApplied: false })

/**
 * Applies the update, and resets the connection instead of responding.
 *
 * @example
 * ```ts
 * const lost = Fault.loseResponse({ times: 2 })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const loseResponse = (options?: Omit<Options, "isApplied">): Fault =>
  make("loseResponse", { _tag: "ConnectionReset" }, { ...options, isApplied: true })

/**
 * Never responds. Nothing is applied, unless `isApplied` says so.
 *
 * @example
 * ```ts
 * const hanging = Fault.stallResponse({ isApplied: true })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const stallResponse = (options?: Options): Fault =>
  make("stallResponse", { _tag: "NoResponse" }, options)

/**
 * Responds with a success whose body is a web page, as a captive portal does. Nothing is applied, unless `isApplied`
 * says so.
 *
 * @example
 * ```ts
 * const captivePortal = Fault.malformedResponse()
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const malformedResponse = (options?: Options): Fault =>
  respond(
    "malformedResponse",
    {
      status: 200,
      headers: { "content-type": "text/html" },
      body: "<html><body>Welcome to the network</body></html>"
    },
    options
  )

/**
 * Fails with this error, in memory only. Nothing is applied, unless `isApplied` says so: then it throws a `TypeError`
 * if the error's `mayHaveBeenApplied` is `false`.
 *
 * @example
 * ```ts
 * const overtaken = Fault.fail(new InstallationError.Infrastructure({ reason: "Superseded" }))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const fail = (error: InstallationError, options: Options = {}): Fault<InstallationError> => {
  if (options.isApplied && !error.mayHaveBeenApplied)
    throw new TypeError(`Cannot be applied all the same, since the error says otherwise: ${error.message}`)
  return make<InstallationError>("fail", { _tag: "Failure", error }, options)
}
