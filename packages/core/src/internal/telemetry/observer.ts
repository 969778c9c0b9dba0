// Spans, metrics, and logs of an update. All names and values of a trace are here: no header, no body, no credential.
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberRef from "effect/FiberRef"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import type * as Tracer from "effect/Tracer"
import { InstallationStatus } from "../../Installation.ts"
import { isInstallationError } from "../../InstallationError.ts"
import * as MetricLabels from "./metricLabels.ts"
import * as metrics from "./metrics.ts"
import { log, quietly } from "./quietly.ts"
import * as Span from "./span.ts"

/** The attributes of a client's requests (OpenTelemetry's semantic conventions for HTTP). */
export interface Endpoint {
  readonly name: string
  readonly attributes: Span.Attributes
}

export const endpoint = (method: string, url: URL): Endpoint => ({
  name: `${method} ${url.pathname}`,
  attributes: [
    ["http.request.method", method],
    ["http.route", url.pathname],
    ["server.address", url.hostname],
    ["server.port", url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port)],
    ["url.full", url.origin + url.pathname]
  ]
})

type Result = Exit.Exit<unknown, unknown>

interface End {
  readonly outcome: string
  /** The reason of the error, if it has one. */
  readonly reason?: string
}

const statuses: ReadonlyArray<unknown> = InstallationStatus.literals

/** Sets the attributes of an update. Only a status that the contract has: `request` may be anything. */
const describe = (span: Tracer.Span, request: unknown, tenant: string | undefined): void =>
  quietly(() => {
    const status = (request as { readonly status?: unknown }).status
    if (statuses.includes(status)) span.attribute("pleo.installation.status", status)
    if (tenant !== undefined) span.attribute("pleo.tenant", tenant)
  })

const success: End = { outcome: "Success" }

const endOf = (exit: Result): End => {
  if (Exit.isSuccess(exit)) return success
  const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
  return isInstallationError(error)
    ? { outcome: error._tag, ...("reason" in error && { reason: error.reason }) }
    : { outcome: Cause.isInterrupted(exit.cause) ? "Interrupted" : "Defect" }
}

/** The value of OpenTelemetry's `error.type`. */
const errorTypeOf = (end: End): string | undefined =>
  end === success ? undefined : (end.reason ?? end.outcome)

const ends = new MetricLabels.Cache()

const results = new MetricLabels.Cache()

/** A request in flight. */
interface Request {
  readonly name: string
  readonly span: Tracer.Span | undefined
  readonly beganAt: bigint
  status?: number
}

/** Observes one logical update, across all attempts. */
export interface Observer {
  /** The span of the update. */
  readonly span: Tracer.Span | undefined
  /** Begins a request. Returns its span. */
  readonly sent: (endpoint: Endpoint) => Tracer.Span | undefined
  readonly answered: (status: number) => void
  /** Ends the request in flight, if any. Logs it if the log level allows. */
  readonly received: (exit: Result) => Effect.Effect<void> | undefined
  /** Ends the update. */
  readonly end: (exit: Result) => void
}

/** A no-op observer. */
export const noop: Observer = {
  span: undefined,
  sent: () => undefined,
  answered: () => {},
  received: () => undefined,
  end: () => {}
}

/** Reports to tracers, metrics, and logs. */
export class UpdateObserver implements Observer {
  readonly #fiber: Span.Fiber
  readonly #clock: Clock.Clock
  readonly #labels: MetricLabels.Labels
  readonly #beganAt: bigint
  readonly span: Tracer.Span | undefined
  /** Whether requests are logged or traced. */
  readonly #isDetailed: boolean
  #requests = 0
  #request: Request | undefined
  #hasEnded = false

  constructor(
    fiber: Span.Fiber,
    clock: Clock.Clock,
    spanName: string,
    request: unknown,
    tenant: string | undefined
  ) {
    this.#fiber = fiber
    this.#clock = clock
    this.#labels = MetricLabels.around(fiber)
    this.#beganAt = clock.unsafeCurrentTimeNanos()
    this.span = Span.begin(fiber, spanName, "internal", [], this.#beganAt)
    if (this.span !== undefined) describe(this.span, request, tenant)
    this.#isDetailed = this.span !== undefined || logsDebug(fiber)
    MetricLabels.update(metrics.activeUpdates, 1, this.#labels)
  }

  #now(): bigint {
    return this.#isDetailed ? this.#clock.unsafeCurrentTimeNanos() : 0n
  }

  sent({ attributes, name }: Endpoint): Tracer.Span | undefined {
    const beganAt = this.#now()
    const span = this.span && Span.begin(this.#fiber, name, "client", attributes, beganAt, this.span)
    if (this.#requests > 0) Span.setAttribute(span, "http.request.resend_count", this.#requests)
    this.#requests += 1
    this.#request = { name, span, beganAt }
    return span
  }

  answered(status: number): void {
    if (this.#request === undefined) return
    this.#request.status = status
    Span.setAttribute(this.#request.span, "http.response.status_code", status)
  }

  received(exit: Result): Effect.Effect<void> | undefined {
    const request = this.#request
    if (request === undefined) return undefined
    this.#request = undefined
    const { beganAt, name, span, status } = request
    const endedAt = this.#now()
    const errorType = errorTypeOf(endOf(exit))
    if (errorType) Span.setAttribute(span, "error.type", errorType)
    Span.end(span, endedAt, exit)
    const result = status ?? errorType ?? "Success"
    MetricLabels.update(
      metrics.attempts,
      1,
      this.#labels,
      results.get(result, () => ({ result: String(result) }))
    )
    return logsDebug(this.#fiber)
      ? log(
          Effect.annotateLogs(Effect.logDebug(`${name} ${result}`), {
            attempt: this.#requests,
            durationMs: Number(endedAt - beganAt) / 1e6,
            ...(errorType && { errorType })
          })
        )
      : undefined
  }

  end(exit: Result): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    const endedAt = this.#clock.unsafeCurrentTimeNanos()
    const end = endOf(exit)
    const errorType = errorTypeOf(end)
    if (errorType) Span.setAttribute(this.span, "error.type", errorType)
    Span.end(this.span, endedAt, exit)
    MetricLabels.update(metrics.activeUpdates, -1, this.#labels)
    MetricLabels.update(
      metrics.updateDuration,
      Number(endedAt - this.#beganAt) / 1e9,
      this.#labels,
      ends.get(errorType, () => ({ ...end }))
    )
  }
}

/** Runs an optional effect first. */
export const after = <A, E>(
  telling: Effect.Effect<void> | undefined,
  self: Effect.Effect<A, E>
): Effect.Effect<A, E> => (telling === undefined ? self : Effect.zipRight(telling, self))

const logsDebug = (fiber: Span.Fiber): boolean =>
  LogLevel.lessThanEqual(fiber.getFiberRef(FiberRef.currentMinimumLogLevel), LogLevel.Debug)
