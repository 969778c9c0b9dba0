// Sends the rows of the partitions that this process has. A partition belongs to one process at a time, and a row is in
// flight once at a time: so updates of an installation arrive in order.
import * as Credentials from "@effect-pleo/core/Credentials"
import type { UpdateInstallation } from "@effect-pleo/core/Installation"
import type { InstallationError } from "@effect-pleo/core/InstallationError"
import { InstallationService } from "@effect-pleo/core/InstallationService"
import * as RetryPolicy from "@effect-pleo/core/RetryPolicy"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Metric from "effect/Metric"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { Crew } from "./crew.ts"
import type { FleetError } from "./error.ts"
import * as Limiter from "./limiter.ts"
import { type Facts, type Outcome, type Pending, State, type Store } from "./store.ts"

/** Updates that ended, by `result`: `applied`, `failed`, `retried` or `limited`. */
const updates = Metric.counter("pleo.fleet.updates", { incremental: true })
const ends = {
  applied: Metric.tagged(updates, "result", "applied"),
  failed: Metric.tagged(updates, "result", "failed"),
  retried: Metric.tagged(updates, "result", "retried"),
  limited: Metric.tagged(updates, "result", "limited")
}
const inFlight = Metric.counter("pleo.fleet.updates.active")

/** Rows of one load, beyond those in flight. */
const pageSize = 64

/** Milliseconds in which outcomes are collected before they are stored together. */
const markDelay = 20

/** Milliseconds between looks for rows that another process stored. */
const pollInterval = 1000

/** Attempts after which a row that will be sent again is listed among the failures. */
const listedAfter = 3

/** Milliseconds of the longest wait between attempts, unless the server asks for a longer one. */
const maxDelay = 60_000

/** Milliseconds that an update needs at least, to be sent at all. */
const minimum = 1000

/** Milliseconds before a row that was not sent is looked at again. */
const fencePause = 100

export interface Options<E, R> {
  readonly credentials: (tenant: string) => Effect.Effect<Credentials.Credentials, E, R>
  readonly concurrency: number
  readonly rateLimit: number | undefined
  /** Milliseconds. */
  readonly timeout: number
}

/** Whether a partition is this process's. */
export interface Fence {
  /** Milliseconds for which no other process takes it over. */
  readonly left: (partition: number) => number
}

export interface Runner {
  /** Sends the rows of a partition until it is interrupted; then it waits for those in flight. */
  readonly drain: (partition: number) => Effect.Effect<never>
  /** Updates in flight. */
  readonly active: () => number
  /** Looks for rows now. */
  readonly wake: Effect.Effect<void>
  /** Sends nothing more. */
  readonly stop: Effect.Effect<void>
}

type Ended =
  | { readonly _tag: "Outcome"; readonly result: "applied" | "failed" | "retried"; readonly outcome: Outcome }
  /** Not sent, or rejected by the rate limit: the row stays as it is. */
  | { readonly _tag: "Kept"; readonly result: "limited" | "fenced" }

const factsOf = (error: InstallationError, reason: string): Facts => ({
  reason,
  message: error.message.slice(0, 500),
  status: error.status,
  requestId: error.requestId
})

const applied = ({ attempts, generation, tenant }: Pending): Ended => ({
  _tag: "Outcome",
  result: "applied",
  outcome: { tenant, generation, state: State.applied, due: 0, attempts: attempts + 1 }
})

/** Why a row has ended, or `undefined` if it will be sent again. */
const endOf = (error: InstallationError): "Refused" | "ReconnectNeeded" | undefined => {
  if (error._tag === "Unauthorized" && error.reason !== "Forbidden") return "ReconnectNeeded"
  return error.isRetryable ? undefined : "Refused"
}

export const make = <E extends InstallationError, R>(
  store: Store,
  options: Options<E, R>,
  fence: Fence
): Effect.Effect<Runner, never, InstallationService | Scope.Scope | R> =>
  Effect.gen(function* () {
    const service = yield* InstallationService
    const limiter = yield* Limiter.make(store, options.rateLimit)
    const crew = yield* Crew.make<R>(options.concurrency)
    let active = 0
    const countActive = (change: number) => {
      active += change
      inFlight.unsafeUpdate(change, [])
    }
    const wakes = new Set<() => void>()
    let isStopped = false
    /** One warning is enough for all partitions. */
    let isStoreDown = false
    // First of all, when the scope closes, so that no partition goes on while others wait for their rows in flight.
    const stop = Effect.sync(() => {
      isStopped = true
    })

    const send = (row: Pending, partition: number): Effect.Effect<Ended, never, R> => {
      const left = fence.left(partition)
      if (left < minimum) return Effect.succeed({ _tag: "Kept", result: "fenced" })
      return service.update(JSON.parse(row.request) as UpdateInstallation).pipe(
        Credentials.use(options.credentials(row.tenant)),
        RetryPolicy.timeout(Math.min(options.timeout, left)),
        Effect.matchEffect({
          onFailure: (error) => failed(row, error),
          onSuccess: () => Effect.succeed(applied(row))
        })
      )
    }

    const failed = (
      { attempts, generation, tenant }: Pending,
      error: InstallationError
    ): Effect.Effect<Ended> =>
      Effect.gen(function* () {
        const row = { tenant, generation, due: 0, attempts: attempts + 1 }
        const asked =
          error._tag === "Infrastructure" && error.retryAfter !== undefined
            ? Duration.toMillis(error.retryAfter)
            : 0
        if (error._tag === "Infrastructure" && error.reason === "RateLimited") {
          yield* Effect.ignore(limiter.slowDown(Math.min(asked || 1000, maxDelay)))
          return { _tag: "Kept", result: "limited" }
        }
        const reason = endOf(error)
        if (reason !== undefined)
          return {
            _tag: "Outcome",
            result: "failed",
            outcome: { ...row, state: State.failed, facts: factsOf(error, reason) }
          }
        const backoff = (yield* Random.next) * Math.min(maxDelay, 500 * 2 ** Math.min(attempts, 20))
        return {
          _tag: "Outcome",
          result: "retried",
          outcome: {
            ...row,
            state: State.pending,
            due: (yield* Clock.currentTimeMillis) + Math.max(backoff, asked),
            facts: row.attempts >= listedAfter ? factsOf(error, "Retrying") : undefined
          }
        }
      })

    // Outcomes of all partitions, stored together.
    let outcomes: Array<{ readonly outcome: Outcome; readonly stored: () => void }> = []
    const flush = Effect.gen(function* () {
      const taken = outcomes
      if (taken.length === 0) return
      outcomes = []
      yield* Effect.flatMap(Clock.currentTimeMillis, (now) =>
        store.mark(
          taken.map(({ outcome }) => outcome),
          now
        )
      ).pipe(
        Effect.retry({ times: 10, schedule: Schedule.spaced("500 millis") }),
        // The rows are sent again.
        Effect.catchAll((error) => Effect.logWarning(error.message))
      )
      for (const { stored } of taken) stored()
    })
    let isFlushing = false
    const fibers = yield* FiberSet.make()
    const runFork = yield* FiberSet.runtime(fibers)<never>()
    const flushSoon = () => {
      if (isFlushing) return
      isFlushing = true
      runFork(
        Effect.gen(function* () {
          while (outcomes.length > 0) {
            yield* Effect.sleep(markDelay)
            yield* flush
          }
        }).pipe(
          Effect.uninterruptible,
          Effect.ensuring(
            Effect.sync(() => {
              isFlushing = false
            })
          )
        )
      )
    }

    const drain = (partition: number): Effect.Effect<never> =>
      Effect.gen(function* () {
        const sending = new Set<string>()
        /** Those that landed since the last load began, which may have seen them pending. */
        const landed = new Set<string>()
        let isAwake = false
        let isStale = false
        let wake = () => {}
        const rouse = () => {
          isAwake = true
          wake()
        }
        const reload = () => {
          isStale = true
          rouse()
        }
        const idle = Effect.async<void>((resume) => {
          if (isAwake) resume(Effect.void)
          else wake = () => resume(Effect.void)
        }).pipe(Effect.timeoutOption(pollInterval))

        /** Ends the flight of a row. */
        const land = (tenant: string) => {
          sending.delete(tenant)
          landed.add(tenant)
          rouse()
        }
        const fly = (row: Pending) =>
          Effect.matchCauseEffect(
            Effect.suspend(() => send(row, partition)),
            {
              onFailure: (cause) => {
                countActive(-1)
                return Effect.zipRight(
                  Effect.logError("An update of the fleet died", cause),
                  Effect.delay(keep(row), pollInterval)
                )
              },
              onSuccess: (ended) => {
                countActive(-1)
                if (ended.result === "fenced") return Effect.delay(keep(row), fencePause)
                ends[ended.result].unsafeUpdate(1, [])
                if (ended._tag === "Kept") return keep(row)
                outcomes.push({ outcome: ended.outcome, stored: () => land(row.tenant) })
                flushSoon()
                return Effect.void
              }
            }
          )
        const keep = ({ tenant }: Pending) => Effect.sync(() => land(tenant))

        /**
         * Takes a fiber of this process and a place of the fleet's rate, and sends. A request that was sent cannot be taken
         * back: its outcome has to be known before the next one.
         */
        const start = (row: Pending) =>
          Effect.uninterruptibleMask((restore) =>
            Effect.flatMap(restore(crew.take), (worker) =>
              Effect.matchCauseEffect(restore(limiter.take), {
                onFailure: (cause) => {
                  crew.giveBack(worker)
                  return Effect.failCause(cause)
                },
                onSuccess: () => {
                  sending.add(row.tenant)
                  countActive(1)
                  worker(fly(row))
                  return Effect.void
                }
              })
            )
          )

        const round = Effect.gen(function* () {
          if (isStopped) return yield* Effect.never
          isAwake = isStale = false
          landed.clear()
          const now = yield* Clock.currentTimeMillis
          const rows = yield* store.load(partition, now, pageSize + sending.size)
          let started = 0
          for (const row of rows) {
            if (sending.has(row.tenant) || landed.has(row.tenant)) continue
            if (isStopped) return yield* Effect.never
            started += 1
            yield* start(row)
            // The rest may have been set anew meanwhile.
            if (isStale) break
          }
          if (started === 0) yield* idle
        })
        const allLanded = Effect.suspend(function wait(): Effect.Effect<void> {
          if (sending.size === 0) return Effect.void
          return Effect.flatMap(
            Effect.async<void>((resume) => {
              wake = () => resume(Effect.void)
            }),
            wait
          )
        })
        wakes.add(reload)
        return yield* round.pipe(
          Effect.matchEffect({
            onFailure: (error: FleetError) => {
              const warning = isStoreDown ? Effect.void : Effect.logWarning(error.message)
              isStoreDown = true
              return Effect.zipRight(warning, Effect.sleep(pollInterval))
            },
            onSuccess: () => {
              isStoreDown = false
              return Effect.void
            }
          }),
          Effect.forever,
          Effect.ensuring(
            Effect.suspend(() => {
              wakes.delete(reload)
              return allLanded
            })
          )
        )
      })

    return {
      active: () => active,
      drain,
      stop,
      wake: Effect.sync(() => {
        for (const wake of wakes) wake()
      })
    }
  })
