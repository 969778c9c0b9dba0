import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { InstallationError } from "../../InstallationError.ts"
import type * as internal from "../credentials/credentials.ts"
import { monotonic } from "../http/deadline.ts"
import type { Sender } from "../http/sender.ts"
import type { Node } from "../linkedList.ts"
import { log } from "../telemetry/quietly.ts"
import * as Refresh from "./refresh.ts"

export type Refreshed = Exit.Exit<Refresh.CachedTokens, InstallationError>

/** Shared by the sessions of one app. */
export interface Shared extends Refresh.Shared {
  /** Refreshes in the background, and calls `onEnd`. */
  readonly refresh: (
    self: Effect.Effect<Refresh.CachedTokens, InstallationError>,
    onEnd: (exit: Refreshed) => void
  ) => Effect.Effect<void>
  /** Records the use of a session, at a time of `monotonic`. */
  readonly touch: (session: Session, now: number) => void
}

/** Milliseconds for which valid tokens stay in use after a failed refresh. */
const pause = 5000

/**
 * How long a new token is used on, in milliseconds, although it was rejected and never accepted; it doubles with each
 * further one, so that an API that rejects all tokens causes no loop of refreshes.
 */
const shortestLife = 60_000
const longestLife = 60 * 60_000

const isEnd = (error: InstallationError): boolean =>
  error._tag === "Unauthorized" &&
  (error.reason === "ReauthorizationRequired" || error.reason === "NotConnected")

const isRejection = (error: InstallationError): boolean =>
  error._tag === "Unauthorized" && error.reason === "Unauthenticated"

/** Whether Pleo accepted the token, but not the update. */
const isAcceptance = (error: InstallationError) =>
  (error._tag === "Unauthorized" && error.reason === "Forbidden") ||
  (error._tag === "BadRequest" && error.status !== undefined)

/** One customer's tokens in this process, refreshed once for all callers. */
export class Session implements internal.Session {
  readonly identity: string
  lastUsed: number
  /** Its place among the sessions, ordered by last use. */
  place: Node<Session> | undefined
  readonly #shared: Shared
  readonly #leases: Refresh.Leases = { known: new Map(), unclear: new Map() }
  #cached: Refresh.CachedTokens | undefined
  #isAccepted = false
  #isRejected = false
  /** How many new tokens in a row were rejected without ever being accepted. */
  #rejectedInVain = 0
  /** A promise, so that each caller continues in its own async context. */
  #refresh: Promise<Refreshed> | undefined

  constructor(shared: Shared, identity: string, now: number) {
    this.#shared = shared
    this.identity = identity
    this.lastUsed = now
  }

  /** Whether a refresh or a save is in flight. */
  get isBusy(): boolean {
    return this.#refresh !== undefined || this.#leases.known.size > 0
  }

  /** One attempt, repeated with other tokens if the first are rejected. */
  attempt<A>(
    call: internal.SessionCall,
    sender: Sender,
    send: (secrets: internal.Secrets) => Effect.Effect<A, InstallationError>
  ): Effect.Effect<A, InstallationError> {
    const sendWith = (secrets: internal.Secrets) =>
      Effect.tapBoth(send(secrets), {
        onFailure: (error) => Effect.sync(() => isAcceptance(error) && this.#accept(secrets)),
        onSuccess: () => Effect.sync(() => this.#accept(secrets))
      })
    const server = this.#shared.settings.tokenEndpoint.host
    const sendFirst = (secrets: internal.Secrets) =>
      Effect.catchAll(sendWith(secrets), (error) =>
        isRejection(error)
          ? Effect.flatMap(call.token(this.#replace(secrets, sender), server), (others) =>
              others === undefined ? Effect.fail(error) : sendWith(others)
            )
          : Effect.fail(error)
      )
    const ready = this.#ready(call.deadline.clock)
    return ready === undefined
      ? Effect.flatMap(call.token(this.#secrets(sender), server), sendFirst)
      : sendFirst(ready)
  }

  end({ secret }: internal.Secrets): Effect.Effect<void> {
    if (this.#cached?.secrets.secret === secret) this.#cached = undefined
    return Refresh.end(this.#shared.settings, this.identity, secret).pipe(
      Effect.catchAll((error) =>
        log(Effect.logWarning("The grant of a deleted installation is still stored", error))
      ),
      Effect.uninterruptible
    )
  }

  /** The current secrets, unless they need a refresh first. */
  #ready(clock: Clock.Clock): internal.Secrets | undefined {
    const now = monotonic(clock)
    this.#shared.touch(this, now)
    const cached = this.#cached
    return cached !== undefined && !this.#isRejected && this.#refresh === undefined && now < cached.refreshAt
      ? cached.secrets
      : undefined
  }

  /** The current secrets, refreshed if necessary. */
  #secrets(sender: Sender): Effect.Effect<internal.Secrets, InstallationError> {
    return Effect.clockWith((clock) => {
      const ready = this.#ready(clock)
      return ready === undefined
        ? Effect.map(this.#refreshed(sender), ({ secrets }) => secrets)
        : Effect.succeed(ready)
    })
  }

  /** Secrets to replace rejected ones. `undefined` if there are none. */
  #replace(
    rejected: internal.Secrets,
    sender: Sender
  ): Effect.Effect<internal.Secrets | undefined, InstallationError> {
    return Effect.suspend(() => {
      const cached = this.#cached
      const isOfNoUse = cached?.secrets === rejected && cached.isNew && !this.#isAccepted
      if (!isOfNoUse || this.#refresh !== undefined) {
        this.#reject(rejected)
        return this.#secrets(sender)
      }
      return Effect.flatMap(
        Effect.zip(
          Refresh.isStored(this.#shared.settings, this.identity, cached.secrets.secret),
          Effect.clock
        ),
        ([isStored, clock]) => {
          const age = monotonic(clock) - cached.cachedAt
          // New and never accepted: something else than the token is wrong, and the next would fare no better.
          if (isStored && age < Math.min(shortestLife * 2 ** this.#rejectedInVain, longestLife))
            return Effect.succeed(undefined)
          if (isStored) this.#rejectedInVain += 1
          this.#reject(rejected)
          return this.#secrets(sender)
        }
      )
    })
  }

  #reject(rejected: internal.Secrets): void {
    if (this.#cached?.secrets === rejected) this.#isRejected = true
  }

  #accept(secrets: internal.Secrets): void {
    if (this.#cached?.secrets !== secrets) return
    this.#isAccepted = true
    this.#rejectedInVain = 0
  }

  /** Continues when its callers are interrupted. */
  #refreshed(sender: Sender): Effect.Effect<Refresh.CachedTokens, InstallationError> {
    return Effect.uninterruptibleMask((restore) => {
      const end = (refreshed: Promise<Refreshed>) => restore(Effect.flatten(Effect.promise(() => refreshed)))
      if (this.#refresh !== undefined) return end(this.#refresh)
      let onEnd = (_: Refreshed) => {}
      const refreshed = new Promise<Refreshed>((resolve) => {
        onEnd = resolve
      })
      this.#refresh = refreshed
      const shared = this.#shared
      const stale = this.#cached?.secrets.secret
      const onStored = (tokens: Refresh.CachedTokens) => this.#adopt(tokens)
      const hasValidToken = (now: number) => this.#useOn(now, 0) !== undefined
      const self = Refresh.refresh(
        shared,
        this.identity,
        stale,
        this.#leases,
        sender,
        onStored,
        hasValidToken
      ).pipe(
        Effect.catchTag("Infrastructure", (error) =>
          Effect.clockWith((clock) => {
            const wait = error.retryAfter === undefined ? 0 : Duration.toMillis(error.retryAfter)
            const cached = this.#useOn(monotonic(clock), Math.max(pause, wait))
            return cached === undefined ? Effect.fail(error) : Effect.succeed(cached)
          })
        ),
        Effect.onExit((exit) => Effect.sync(() => this.#settle(exit)))
      )
      return Effect.zipRight(shared.refresh(self, onEnd), end(refreshed))
    })
  }

  /** Uses stored tokens that are still valid while their refresh fails. */
  #adopt(tokens: Refresh.CachedTokens): void {
    this.#cached = tokens
    this.#isAccepted = false
    this.#isRejected = false
  }

  /** The cached tokens if they are still valid, with their refresh postponed by `wait` milliseconds. */
  #useOn(now: number, wait: number): Refresh.CachedTokens | undefined {
    const cached = this.#cached
    return cached === undefined || this.#isRejected || now >= cached.expiresAt
      ? undefined
      : { ...cached, refreshAt: Math.min(now + wait, cached.expiresAt) }
  }

  #settle(exit: Refreshed): void {
    this.#refresh = undefined
    if (Exit.isSuccess(exit)) {
      if (exit.value.secrets !== this.#cached?.secrets) this.#isAccepted = false
      this.#isRejected = false
      this.#cached = exit.value
    } else if (exit.cause._tag === "Fail" && isEnd(exit.cause.error)) {
      this.#cached = undefined
    }
  }
}
