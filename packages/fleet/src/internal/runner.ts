// Sends the rows of the partitions that this process has. A partition belongs to one process at a time, and a row is in
// flight once at a time: so updates of an installation arrive in order.
import * as Credentials from "@effect-pleo/core/Credentials"
import type { UpdateInstallation } from "@effect-pleo/core/Installation"
import type { InstallationError } from "@effect-pleo/core/InstallationError"
import { InstallationService } from "@effect-pleo/core/InstallationService"
import * as RetryPolicy from "@effect-pleo/core/RetryPolicy"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Metric from "effect/Metric"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { FleetError } from "./error.ts"
import * as Limiter from "./limiter.ts"
import { type Page, Queue } from "./queue.ts"
import { type Facts, type Outcome, type Pending, State, type Store } from "./store.ts"

/** Updates that ended, by `result`: `applied`, `failed`, `retried` or `limited`. */
const updates = Metric.counter("pleo.fleet.updates", { incremental: true })
const counted = (result: string) => Metric.tagged(updates, "result", result)
/** By the state of the row. */
const results = [
  [State.applied, counted("applied")],
  [State.failed, counted("failed")],
  [State.pending, counted("retried")]
] as const
const limited = counted("limited")
const inFlight = Metric.counter("pleo.fleet.updates.active")

/** Rows of one load, beyond those in flight. */
const pageSize = 256

/** Milliseconds in which outcomes are collected before they are stored together. */
const markDelay = 50

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

/** A partition of this process, with the rows of its last load that nobody took yet. */
interface Lane extends Page<Pending> {
  readonly partition: number
  /** The tenants whose rows are in flight. */
  readonly sending: Set<string>
  /** Ends the flight of a row. */
  readonly land: (tenant: string) => void
}

const factsOf = (error: InstallationError, reason: string): Facts => ({
  reason,
  message: error.message.slice(0, 500),
  status: error.status,
  requestId: error.requestId
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
    let active = 0
    const countActive = (change: number) => {
      active += change
      inFlight.unsafeUpdate(change, [])
    }
    const queue = new Queue<Pending, Lane>()
    const wakes = new Set<() => void>()
    /** One warning is enough for all partitions. */
    let isStoreDown = false
    const storeFailed = (error: FleetError) => {
      const warning = isStoreDown ? Effect.void : Effect.logWarning(error.message)
      isStoreDown = true
      return Effect.zipRight(warning, Effect.sleep(pollInterval))
    }

    // Outcomes of all partitions, stored together.
    let outcomes: Array<{ readonly lane: Lane; readonly outcome: Outcome }> = []
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
      for (const { lane, outcome } of taken) lane.land(outcome.tenant)
      // Together, since Effect hashes a metric's labels at each update.
      for (const [state, metric] of results) {
        const count = taken.filter(({ outcome }) => outcome.state === state).length
        if (count > 0) metric.unsafeUpdate(count, [])
      }
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

    const ended = (lane: Lane, outcome: Outcome) => {
      outcomes.push({ lane, outcome })
      flushSoon()
      return Effect.void
    }

    const failed = (
      lane: Lane,
      { attempts, generation, tenant }: Pending,
      error: InstallationError
    ): Effect.Effect<void> =>
      Effect.gen(function* () {
        const row = { partition: lane.partition, tenant, generation, due: 0, attempts: attempts + 1 }
        const asked =
          error._tag === "Infrastructure" && error.retryAfter !== undefined
            ? Duration.toMillis(error.retryAfter)
            : 0
        if (error._tag === "Infrastructure" && error.reason === "RateLimited") {
          limited.unsafeUpdate(1, [])
          yield* Effect.ignore(limiter.slowDown(Math.min(asked || 1000, maxDelay)))
          // The row stays as it is.
          return lane.land(tenant)
        }
        const reason = endOf(error)
        if (reason !== undefined)
          return yield* ended(lane, {
            ...row,
            state: State.failed,
            facts: factsOf(error, reason)
          })
        const backoff = (yield* Random.next) * Math.min(maxDelay, 500 * 2 ** Math.min(attempts, 20))
        return yield* ended(lane, {
          ...row,
          state: State.pending,
          due: (yield* Clock.currentTimeMillis) + Math.max(backoff, asked),
          facts: row.attempts >= listedAfter ? factsOf(error, "Retrying") : undefined
        })
      })

    // Many rows have the request of the one before.
    let text = ""
    let request: UpdateInstallation
    const requestOf = (row: Pending): UpdateInstallation => {
      if (row.request !== text) {
        request = JSON.parse(row.request)
        text = row.request
      }
      return request
    }

    /**
     * Sends a row, and waits for the response, even if the partition is lost meanwhile. A request that was sent cannot be
     * taken back: its outcome has to be known before the next one.
     */
    const send = (lane: Lane, row: Pending): Effect.Effect<void, never, R> => {
      const { generation, tenant } = row
      const left = fence.left(lane.partition)
      if (left < minimum) {
        queue.remove(lane)
        return Effect.delay(Effect.sync(lane.onEmpty), fencePause)
      }
      lane.sending.add(tenant)
      countActive(1)
      const update = Effect.suspend(() =>
        service
          .update(requestOf(row))
          .pipe(
            Credentials.use(options.credentials(tenant)),
            RetryPolicy.timeout(Math.min(options.timeout, left))
          )
      )
      const died = (cause: Cause.Cause<unknown>) =>
        Effect.zipRight(
          Effect.logError("An update of the fleet died", cause),
          Effect.delay(
            Effect.sync(() => lane.land(tenant)),
            pollInterval
          )
        )
      return Effect.matchCauseEffect(update, {
        onFailure: (cause) => {
          countActive(-1)
          const error = Cause.failureOption(cause)
          return error._tag === "None"
            ? died(cause)
            : Effect.catchAllCause(failed(lane, row, error.value), died)
        },
        onSuccess: () => {
          countActive(-1)
          const attempts = row.attempts + 1
          const { partition } = lane
          return ended(lane, {
            partition,
            tenant,
            generation,
            state: State.applied,
            due: 0,
            attempts
          })
        }
      })
    }

    // A fiber has a place of the fleet's rate before it takes a row, which may be set anew or lost while it waits.
    const work: Effect.Effect<never, never, R> = Effect.suspend(() => {
      if (queue.isEmpty) return Effect.flatMap(Effect.interruptible(queue.wait), () => work)
      const wait = limiter.take()
      return wait === undefined
        ? next
        : Effect.matchEffect(Effect.interruptible(wait), { onFailure: pause, onSuccess: () => next })
    })
    const pause = (error: FleetError) => Effect.flatMap(Effect.interruptible(storeFailed(error)), () => work)
    const next = Effect.suspend(() => {
      const taken = queue.take()
      return taken === undefined ? work : Effect.flatMap(send(...taken), () => work)
    })
    yield* Effect.replicateEffect(Effect.forkScoped(Effect.uninterruptible(work)), options.concurrency, {
      discard: true
    })

    const drain = (partition: number): Effect.Effect<never> =>
      Effect.gen(function* () {
        /** Those that landed since the last load began, which may have seen them pending. */
        const landed = new Set<string>()
        const sending = new Set<string>()
        let isAwake = false
        let isStale = false
        let wake = () => {}
        const rouse = () => {
          isAwake = true
          if (lane.rows.length === 0) wake()
        }
        const lane: Lane = {
          partition,
          rows: [],
          sending,
          onEmpty: rouse,
          land: (tenant) => {
            sending.delete(tenant)
            landed.add(tenant)
            rouse()
          }
        }
        const reload = () => {
          isStale = true
          queue.remove(lane)
          rouse()
        }
        wakes.add(reload)
        const awake = Effect.async<void>((resume) => {
          if (isAwake && lane.rows.length === 0) resume(Effect.void)
          else wake = () => resume(Effect.void)
        })

        const round = Effect.gen(function* () {
          queue.remove(lane)
          isAwake = isStale = false
          landed.clear()
          const now = yield* Clock.currentTimeMillis
          const rows = yield* store.load(partition, now, pageSize + sending.size)
          isStoreDown = false
          if (isStale) return
          lane.rows = rows.filter(({ tenant }) => !sending.has(tenant) && !landed.has(tenant)).reverse()
          if (lane.rows.length > 0) queue.add(lane)
          yield* Effect.timeoutOption(awake, pollInterval)
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
        return yield* round.pipe(
          Effect.catchAll(storeFailed),
          Effect.forever,
          Effect.ensuring(
            Effect.suspend(() => {
              wakes.delete(reload)
              queue.remove(lane)
              return allLanded
            })
          )
        )
      })

    return {
      active: () => active,
      drain,
      // First of all, when the scope closes, so that no partition goes on while others wait for their rows in flight.
      stop: Effect.sync(() => queue.stop()),
      wake: Effect.sync(() => {
        for (const wake of wakes) wake()
      })
    }
  })
