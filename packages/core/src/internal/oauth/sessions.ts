import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { Infrastructure, type InstallationError } from "../../InstallationError.ts"
import { monotonic } from "../http/deadline.ts"
import { LinkedList } from "../linkedList.ts"
import * as Semaphore from "../semaphore.ts"
import { Breaker } from "./breaker.ts"
import type { CachedTokens, Settings } from "./refresh.ts"
import { type Refreshed, Session, type Shared } from "./session.ts"

/** Milliseconds without use after which a session is evicted, to be reloaded from the store on demand. */
const maxIdle = 10 * 60_000

// A transport's code for a closed client.
const closed = () => new Infrastructure({ reason: "TokenEndpoint", code: "UND_ERR_CLOSED" })

/** The sessions of one app, by the customers' keys in the store. */
export class Sessions implements Shared {
  readonly settings: Settings
  readonly #sessions = new Map<string, Session>()
  readonly #byLastUse = new LinkedList<Session>()
  readonly breaker = new Breaker()
  readonly #refreshing = new Set<Fiber.RuntimeFiber<unknown, unknown>>()
  readonly #storing = new Set<Fiber.RuntimeFiber<unknown, unknown>>()
  #isClosed = false

  constructor(settings: Settings) {
    this.settings = settings
  }

  of(key: string, clock: Clock.Clock): Session {
    const known = this.#sessions.get(key)
    if (known !== undefined) return known
    const session = new Session(this, key, monotonic(clock))
    this.#sessions.set(key, session)
    session.place = this.#byLastUse.append(session)
    return session
  }

  touch(session: Session, now: number): void {
    session.lastUsed = now
    if (session.place !== undefined) this.#byLastUse.remove(session.place)
    session.place = this.#byLastUse.append(session)
    this.#sessions.set(session.identity, session)
    for (let oldest = this.#byLastUse.first; oldest !== undefined; oldest = this.#byLastUse.first) {
      const { identity, isBusy, lastUsed } = oldest.value
      if (isBusy || now - lastUsed < maxIdle) return
      this.#byLastUse.remove(oldest)
      if (this.#sessions.get(identity) === oldest.value) this.#sessions.delete(identity)
    }
  }

  refresh(
    self: Effect.Effect<CachedTokens, InstallationError>,
    onEnd: (exit: Refreshed) => void
  ): Effect.Effect<void> {
    const done = Effect.map(Effect.exit(Effect.interruptible(self)), (exit) =>
      onEnd(Exit.isInterrupted(exit) ? Exit.fail(closed()) : exit)
    )
    return Effect.asVoid(this.#fork(this.#refreshing, done))
  }

  // A session that waits for another process takes no permit: that process may be dead.
  withPermit<A>(
    hasValidToken: (now: number) => boolean,
    self: Effect.Effect<A, InstallationError>
  ): Effect.Effect<A, InstallationError> {
    const begin = Effect.clockWith((clock) => {
      const now = monotonic(clock)
      const error = this.#isClosed ? closed() : this.breaker.begin(now, hasValidToken(now))
      return error === undefined ? Effect.void : Effect.fail(error)
    })
    const exchange = Effect.acquireUseRelease(
      begin,
      () => self,
      () => Effect.sync(() => this.breaker.end())
    )
    return Effect.catchAll(Semaphore.withPermit(this.breaker, exchange), (error) =>
      error === "Wait" ? this.withPermit(hasValidToken, self) : Effect.fail(error)
    )
  }

  background<A>(self: Effect.Effect<A>): Effect.Effect<Fiber.RuntimeFiber<A>> {
    return this.#fork(this.#storing, Effect.interruptible(self))
  }

  /** Forks an effect that its caller does not take with it, and keeps the fiber among `running` until it ends. */
  #fork<A>(
    running: Set<Fiber.RuntimeFiber<unknown, unknown>>,
    self: Effect.Effect<A>
  ): Effect.Effect<Fiber.RuntimeFiber<A>> {
    return Effect.map(Effect.forkDaemon(self), (fiber) => {
      running.add(fiber)
      fiber.addObserver(() => running.delete(fiber))
      return fiber
    })
  }

  /** Waits for tokens that were sent or have to be stored. A refresh that only waits ends immediately. */
  readonly close = Effect.suspend(() => {
    this.#isClosed = true
    return Fiber.interruptAll(this.#refreshing).pipe(
      // A refresh that ends may leave something to store.
      Effect.zipRight(Effect.suspend(() => Fiber.awaitAll(this.#storing))),
      Effect.interruptible,
      Effect.timeout(2 * this.settings.timeout),
      Effect.ignore,
      // Refreshes run in real time, even if a test has replaced the clock.
      Effect.withClock(Clock.make())
    )
  })
}
