/**
 * Reports a synchronization of an installation, from its start to its end.
 *
 * @since 0.1.0
 * @module
 */
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import * as Metric from "effect/Metric"
import type { UpdateInstallation } from "./Installation.ts"
import { type Installation, InstallationErrorCode, InstallationStatus } from "./Installation.ts"
import { InstallationService } from "./InstallationService.ts"
import { withCallContext } from "./internal/call/scope.ts"
import { keyOf } from "./internal/credentials/credentials.ts"
import { failedReports } from "./internal/telemetry/metrics.ts"
import { log } from "./internal/telemetry/quietly.ts"
import type { Metadata } from "./Metadata.ts"
import * as RetryPolicy from "./RetryPolicy.ts"

/**
 * How `report` reports.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<A, E> {
  /**
   * The error code of a failure, or `"previous"`: the status before the synchronization, or `ERROR` if it is unknown.
   * Default: `"previous"` if the effect is interrupted, otherwise `ERROR` without a code.
   */
  readonly onFailure?: ((cause: Cause.Cause<E>) => InstallationErrorCode | "previous" | undefined) | undefined
  /** Metadata of the reports. Default: none. */
  readonly metadata?:
    | {
        readonly pending?: Metadata | undefined
        readonly success?: ((value: A) => Metadata | undefined) | undefined
        readonly failure?: ((cause: Cause.Cause<E>) => Metadata | undefined) | undefined
      }
    | undefined
  /** How long the effect runs before `PENDING_INTEGRATION` is reported. Default: not at all. */
  readonly pendingAfter?: Duration.DurationInput | undefined
  /** Whether to leave out reports that would change nothing. Default: `false`. */
  readonly skipUnchanged?: boolean | undefined
  /** Retries and time limits of each report. The last one delays the end of the effect. Default: those of `RetryPolicy`. */
  readonly retry?: RetryPolicy.Options | undefined
}

/** The synchronizations of one installation that are under way. */
interface Running {
  count: number
  /** The installation before the first of them, if it could be read. */
  previous: Installation | undefined
  /** Whether `PENDING_INTEGRATION` may have been reported. */
  isPending: boolean
  /** Reports it later. */
  later: Fiber.Fiber<void> | undefined
}

const running = new WeakMap<InstallationService["Type"], Map<string, Running>>()

const includes = <A extends string>(literals: ReadonlyArray<A>, value: string | undefined): value is A =>
  literals.some((literal) => literal === value)

/** The request that restores a status, unless it is unknown or itself pending. */
const restore = (previous: Installation | undefined): UpdateInstallation => {
  const { errorCode, status } = previous ?? {}
  if (!includes(InstallationStatus.literals, status) || status === "PENDING_INTEGRATION")
    return { status: "ERROR" }
  return includes(InstallationErrorCode.literals, errorCode) ? { status, errorCode } : { status }
}

const requestOf = <A, E>(
  exit: Exit.Exit<A, E>,
  { metadata = {}, onFailure }: Options<A, E>,
  previous: Installation | undefined
): UpdateInstallation => {
  if (Exit.isSuccess(exit)) return { status: "ACTIVATED", metadata: metadata.success?.(exit.value) }
  const { cause } = exit
  const isInterrupted = Cause.isInterruptedOnly(cause)
  const code = onFailure === undefined ? (isInterrupted ? "previous" : undefined) : onFailure(cause)
  const request = code === "previous" ? restore(previous) : { status: "ERROR" as const, errorCode: code }
  return { ...request, metadata: metadata.failure?.(cause) }
}

const isUnchanged = (previous: Installation | undefined, request: UpdateInstallation): boolean =>
  previous !== undefined &&
  request.metadata === undefined &&
  request.status === previous.status &&
  request.errorCode === previous.errorCode

const run = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  options: Options<A, E>
): Effect.Effect<A, E, InstallationService | R> =>
  Effect.flatMap(InstallationService, (service) =>
    withCallContext(({ credentials }) => {
      const { metadata, pendingAfter = 0, retry, skipUnchanged = false } = options

      /** Reports a status. Never fails: a failed report is logged and counted. */
      const tell = (make: () => UpdateInstallation, isNeeded: (request: UpdateInstallation) => boolean) =>
        Effect.suspend(() => {
          const request = make()
          return isNeeded(request) ? RetryPolicy.retry(retry)(service.update(request)) : Effect.void
        }).pipe(
          Effect.asVoid,
          Effect.catchAllCause((cause) =>
            Cause.isInterruptedOnly(cause)
              ? Effect.interrupt
              : Effect.zipRight(
                  Metric.increment(failedReports),
                  log(Effect.logError("The status of a synchronization was not reported", cause))
                )
          )
        )

      const tellPending = (state: Running) =>
        tell(
          () => ({ status: "PENDING_INTEGRATION", metadata: metadata?.pending }),
          (request) => {
            state.isPending = !(skipUnchanged && isUnchanged(state.previous, request))
            return state.isPending
          }
        )

      /** Reads the status before the synchronization, which goes on without it. */
      const begin = (state: Running) =>
        service.get({ inOrder: true }).pipe(
          RetryPolicy.timeout("5 seconds"),
          Effect.flatMap((installation) =>
            Effect.sync(() => {
              state.previous = installation
            })
          ),
          Effect.catchAllCause((cause) => (Cause.isInterruptedOnly(cause) ? Effect.interrupt : Effect.void))
        )

      return Effect.uninterruptibleMask((interruptible) => {
        const states = running.get(service) ?? new Map<string, Running>()
        running.set(service, states)
        const key = keyOf(credentials)
        const known = states.get(key)
        const state = known ?? { count: 0, previous: undefined, isPending: false, later: undefined }
        states.set(key, state)
        state.count += 1

        const start =
          known !== undefined
            ? Effect.void
            : Effect.zipRight(
                begin(state),
                pendingAfter === 0
                  ? tellPending(state)
                  : Effect.map(
                      Effect.forkDaemon(Effect.delay(Effect.interruptible(tellPending(state)), pendingAfter)),
                      (fiber) => {
                        state.later = fiber
                      }
                    )
              )

        const finish = (exit: Exit.Exit<A, E>) =>
          Effect.suspend(() => {
            state.count -= 1
            if (state.count > 0) return Effect.void
            // The next synchronization begins anew. Its reports wait for the last one of this.
            states.delete(key)
            return Effect.zipRight(
              state.later === undefined ? Effect.void : Fiber.interrupt(state.later),
              tell(
                () => requestOf(exit, options, state.previous),
                (request) => !skipUnchanged || state.isPending || !isUnchanged(state.previous, request)
              )
            )
          })

        return Effect.onExit(interruptible(Effect.zipRight(start, self)), finish)
      })
    })
  )

/**
 * Reports an effect as a synchronization: `PENDING_INTEGRATION` while it runs, then `ACTIVATED`, or the status of a failure,
 * a defect, or an interruption. The effect keeps its own result: a report that fails is logged and counted. Of nested and
 * concurrent synchronizations of one installation, the last to end reports.
 *
 * @example
 * ```ts
 * const synchronize = (work: Effect.Effect<void, Error>) =>
 *   work.pipe(Synchronization.report({ onFailure: () => "AUTH_ERROR" }))
 * ```
 * @since 0.1.0
 * @category combinators
 */
export const report: {
  /** Reports the effect in a pipe. */
  <A, E>(
    options?: Options<NoInfer<A>, NoInfer<E>>
  ): <R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, InstallationService | R>
  /** Reports an effect. */
  <A, E, R>(
    self: Effect.Effect<A, E, R>,
    options?: Options<A, E>
  ): Effect.Effect<A, E, InstallationService | R>
} = dual(
  ([self]) => Effect.isEffect(self),
  <A, E, R>(self: Effect.Effect<A, E, R>, options: Options<A, E> = {}) => run(self, options)
)
