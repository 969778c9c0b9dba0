import * as Clock from "effect/Clock"
import type * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Infrastructure, type InstallationError } from "../InstallationError.ts"
import { Grant, type Host } from "./grant.ts"
import { monotonic } from "./http/deadline.ts"
import { LinkedList } from "./linkedList.ts"
import type { Held, Settings } from "./renewal.ts"
import { Semaphore, withPermit } from "./semaphore.ts"

/** After how many milliseconds without use a grant is let go: the store has what is needed to go on. */
const maxIdle = 10 * 60_000

/** Fewer than a transport has sockets: an exchange that waits for one loses time, and may then be lost. */
const maxRenewals = 16

// The code that a transport has for it.
const closed = () => new Infrastructure({ reason: "TokenEndpoint", code: "UND_ERR_CLOSED" })

/** The grants of one app: each customer's by the key that it has in the store. */
export class Grants implements Host {
  readonly settings: Settings
  readonly #grants = new Map<string, Grant>()
  readonly #byLastUse = new LinkedList<Grant>()
  readonly #semaphore = new Semaphore(maxRenewals)
  readonly #running = new Set<Fiber.RuntimeFiber<unknown>>()
  #isClosed = false

  constructor(settings: Settings) {
    this.settings = settings
  }

  of(key: string, clock: Clock.Clock): Grant {
    const known = this.#grants.get(key)
    if (known !== undefined) return known
    const grant = new Grant(this, key, monotonic(clock))
    this.#grants.set(key, grant)
    grant.place = this.#byLastUse.append(grant)
    return grant
  }

  touch(grant: Grant, now: number): void {
    grant.lastUsed = now
    if (grant.place !== undefined) this.#byLastUse.remove(grant.place)
    grant.place = this.#byLastUse.append(grant)
    this.#grants.set(grant.identity, grant)
    for (let oldest = this.#byLastUse.first; oldest !== undefined; oldest = this.#byLastUse.first) {
      const { identity, isBusy, lastUsed } = oldest.value
      if (isBusy || now - lastUsed < maxIdle) return
      this.#byLastUse.remove(oldest)
      if (this.#grants.get(identity) === oldest.value) this.#grants.delete(identity)
    }
  }

  renew(
    self: Effect.Effect<Held, InstallationError>,
    result: Deferred.Deferred<Held, InstallationError>
  ): Effect.Effect<void> {
    return Effect.asVoid(this.background(Effect.intoDeferred(self, result)))
  }

  // What waits for another process takes no room: it may be dead.
  exchange<A>(self: Effect.Effect<A, InstallationError>): Effect.Effect<A, InstallationError> {
    return withPermit(
      this.#semaphore,
      Effect.suspend(() => (this.#isClosed ? Effect.fail(closed()) : self))
    )
  }

  background<A>(self: Effect.Effect<A>): Effect.Effect<Fiber.RuntimeFiber<A>> {
    return Effect.tap(Effect.forkDaemon(Effect.interruptible(self)), (fiber) =>
      Effect.sync(() => {
        this.#running.add(fiber)
        fiber.addObserver(() => this.#running.delete(fiber))
      })
    )
  }

  /** Waits for what is under way: a token that was sent is not lost, nor what it was exchanged for. */
  readonly close = Effect.suspend(() => {
    this.#isClosed = true
    return Fiber.awaitAll(this.#running).pipe(
      Effect.interruptible,
      Effect.timeout(2 * this.settings.timeout),
      Effect.ignore,
      // What is waited for goes on in real time, also where a test has replaced the clock.
      Effect.withClock(Clock.make())
    )
  })
}
