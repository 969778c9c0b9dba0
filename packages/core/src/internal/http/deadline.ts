// Deadlines by one timer each, rather than by racing fibers: so they hold in finalizers, which cannot be interrupted, and
// cost little.
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import { constVoid } from "effect/Function"
import { bind } from "../asyncContext.ts"

/** Milliseconds on a monotonic clock. */
export const monotonic = (clock: Clock.Clock): number => Number(clock.unsafeCurrentTimeNanos()) / 1e6

export interface Deadline {
  readonly clock: Clock.Clock
  /** A time of `monotonic`, or infinity. */
  readonly at: number
}

export const hasPassed = ({ at, clock }: Deadline): boolean =>
  at !== Number.POSITIVE_INFINITY && monotonic(clock) >= at

/** The clock of the platform's timers. A test may replace it. */
const liveClock = Context.get(DefaultServices.liveServices, Clock.Clock)

// The platform's timers fire immediately for a longer one.
const maxTimer = 2 ** 31 - 1

/** Calls `onLate` at a deadline, unless the returned function cancels it first. */
const start = ({ at, clock }: Deadline, onLate: () => void): (() => void) => {
  if (at === Number.POSITIVE_INFINITY) return constVoid
  if (clock !== liveClock) {
    const late = Effect.zipRight(clock.sleep(Duration.millis(at - monotonic(clock))), Effect.sync(onLate))
    const fiber = Effect.runFork(late)
    return () => fiber.unsafeInterruptAsFork(FiberId.none)
  }
  let isLast = false
  const wait = () => {
    const left = at - monotonic(clock)
    // In a process that was suspended, timers fire before the data that arrived meanwhile is read. One more turn of the
    // event loop lets it count.
    isLast = left <= 1
    return setTimeout(onTimer, Math.min(Math.max(0, left - 1), maxTimer))
  }
  const onTimer = () => {
    if (isLast) onLate()
    else timer = wait()
  }
  let timer = wait()
  return () => clearTimeout(timer)
}

/** Why an effect ended at its deadline. */
export interface TimedOut {
  readonly _tag: "TimedOut"
  /** The rest of the effect, still ending. */
  readonly fiber?: Fiber.RuntimeFiber<unknown, unknown>
}

/** A caller of `callback`. */
export interface Waiter {
  readonly deadline: Deadline
  /** Ends the wait, if there is one. `callback` sets it, and the caller calls it in the end, even if interrupted. */
  cancel: () => void
}

/**
 * Waits for a callback until a deadline, and continues in the async context of the waiting fiber. `register` begins, and
 * returns how to cancel. Interruption leaves that to the waiter: a finalizer here would take nine of an update's 29 steps in
 * Effect's interpreter.
 */
export const callback = <A, E>(
  waiter: Waiter,
  register: (resume: (end: Effect.Effect<A, E>) => void) => () => void
): Effect.Effect<A, E | TimedOut> =>
  Effect.async((callback) => {
    const resume = bind(callback)
    let cancel = constVoid
    const stop = start(waiter.deadline, () => {
      waiter.cancel()
      resume(Effect.fail({ _tag: "TimedOut" }))
    })
    const end = () => {
      stop()
      waiter.cancel = constVoid
    }
    waiter.cancel = () => {
      end()
      cancel()
    }
    try {
      cancel = register((result) => {
        end()
        resume(result)
      })
    } catch (defect) {
      end()
      throw defect
    }
  })

/** Runs an effect until a deadline, without waiting for its interruption. */
export const effect = <A, E>(
  deadline: Deadline,
  self: Effect.Effect<A, E>
): Effect.Effect<A, E | TimedOut> =>
  deadline.at === Number.POSITIVE_INFINITY
    ? self
    : Effect.uninterruptibleMask((restore) =>
        // Its exit: Effect logs the failure of a fiber, and a logger that throws would end it unobserved.
        Effect.flatMap(Effect.forkDaemon(Effect.exit(Effect.interruptible(self))), (fiber) => {
          const end = Effect.async<A, E | TimedOut>((resume) => {
            const stop = start(deadline, () => {
              fiber.unsafeInterruptAsFork(fiber.id())
              resume(Effect.fail({ _tag: "TimedOut", fiber }))
            })
            fiber.addObserver((exit) => {
              stop()
              resume(Exit.flatten(exit))
            })
            return Effect.sync(stop)
          })
          return Effect.onInterrupt(restore(end), () => Fiber.interrupt(fiber))
        })
      )
