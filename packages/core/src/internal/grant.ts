import type * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import type { InstallationError } from "../InstallationError.ts"
import type * as internal from "./credentials.ts"
import { attemptWith } from "./granted.ts"
import { monotonic } from "./http/deadline.ts"
import type { Sender } from "./http/sender.ts"
import type { Node } from "./linkedList.ts"
import * as Renewal from "./renewal.ts"

/** What the grants of one app share. */
export interface Host extends Renewal.Host {
  /** Carries a renewal out in the background. */
  readonly renew: (
    self: Effect.Effect<Renewal.Held, InstallationError>,
    result: Deferred.Deferred<Renewal.Held, InstallationError>
  ) => Effect.Effect<void>
  /** Learns that a grant is used, at a time of `monotonic`. */
  readonly touch: (grant: Grant, now: number) => void
}

/** How long tokens that are still good are used on after they could not be renewed, in milliseconds. */
const pause = 5000

const isEnd = (error: InstallationError): boolean =>
  error._tag === "Unauthorized" && error.reason === "ReauthorizationRequired"

/** One customer's tokens as this process has them, renewed once for all who ask. */
export class Grant implements internal.Grant {
  readonly identity: string
  lastUsed: number
  /** Among the grants, by their last use. */
  place: Node<Grant> | undefined
  readonly #host: Host
  readonly #leases: Renewal.Leases = { known: new Map(), unclear: new Set() }
  #held: Renewal.Held | undefined
  #isAccepted = false
  #isRejected = false
  #renewal: Deferred.Deferred<Renewal.Held, InstallationError> | undefined

  constructor(host: Host, identity: string, now: number) {
    this.#host = host
    this.identity = identity
    this.lastUsed = now
  }

  /** Whether it renews, or knows what the store does not know yet. */
  get isBusy(): boolean {
    return this.#renewal !== undefined || this.#leases.known.size > 0
  }

  ready(clock: Clock.Clock): internal.Secrets | undefined {
    const now = monotonic(clock)
    this.#host.touch(this, now)
    const held = this.#held
    return held !== undefined && !this.#isRejected && this.#renewal === undefined && now < held.renewAt
      ? held.secrets
      : undefined
  }

  secrets(sender: Sender): Effect.Effect<internal.Secrets, InstallationError> {
    return Effect.clockWith((clock) => {
      const ready = this.ready(clock)
      return ready === undefined
        ? Effect.map(this.#renewed(sender), ({ secrets }) => secrets)
        : Effect.succeed(ready)
    })
  }

  replace(
    rejected: internal.Secrets,
    sender: Sender
  ): Effect.Effect<internal.Secrets | undefined, InstallationError> {
    return Effect.suspend(() => {
      const held = this.#held
      if (held?.secrets === rejected && this.#renewal === undefined) {
        if (held.isNew && !this.#isAccepted)
          return Effect.flatMap(
            Renewal.isStored(this.#host.settings, this.identity, held.secrets.secret),
            (isLastWord) => {
              // New and never accepted: it is not the token that is wrong, and the next would fare no better.
              if (isLastWord) return Effect.succeed(undefined)
              this.#reject(rejected)
              return this.secrets(sender)
            }
          )
        this.#reject(rejected)
      }
      return this.secrets(sender)
    })
  }

  #reject(rejected: internal.Secrets): void {
    if (this.#held?.secrets === rejected) this.#isRejected = true
  }

  accept(secrets: internal.Secrets): void {
    if (this.#held?.secrets === secrets) this.#isAccepted = true
  }

  attempt<A>(
    call: internal.GrantCall,
    sender: Sender,
    exchange: (secrets: internal.Secrets) => Effect.Effect<A, InstallationError>
  ): Effect.Effect<A, InstallationError> {
    return attemptWith(this, call, sender, exchange)
  }

  /** Goes on without those who wait for it. */
  #renewed(sender: Sender): Effect.Effect<Renewal.Held, InstallationError> {
    return Effect.uninterruptibleMask((restore) => {
      const underWay = this.#renewal
      if (underWay !== undefined) return restore(Deferred.await(underWay))
      const renewal = Deferred.unsafeMake<Renewal.Held, InstallationError>(FiberId.none)
      this.#renewal = renewal
      const host = this.#host
      const stale = this.#held?.secrets.secret
      const self = Renewal.renew(host, this.identity, stale, this.#leases, sender).pipe(
        Effect.catchTag("Infrastructure", (error) =>
          Effect.clockWith((clock) => {
            const wait = error.retryAfter === undefined ? 0 : Duration.toMillis(error.retryAfter)
            const held = this.#hold(monotonic(clock), Math.max(pause, wait))
            return held === undefined ? Effect.fail(error) : Effect.succeed(held)
          })
        ),
        Effect.onExit((exit) => Effect.sync(() => this.#settle(exit)))
      )
      return Effect.zipRight(host.renew(self, renewal), restore(Deferred.await(renewal)))
    })
  }

  /** What is held, if it is still good, not to be renewed for some milliseconds. */
  #hold(now: number, wait: number): Renewal.Held | undefined {
    const held = this.#held
    return held === undefined || this.#isRejected || now >= held.expiresAt
      ? undefined
      : { ...held, renewAt: Math.min(now + wait, held.expiresAt) }
  }

  #settle(exit: Exit.Exit<Renewal.Held, InstallationError>): void {
    this.#renewal = undefined
    if (Exit.isSuccess(exit)) {
      if (exit.value.secrets !== this.#held?.secrets) this.#isAccepted = false
      this.#isRejected = false
      this.#held = exit.value
    } else if (exit.cause._tag === "Fail" && isEnd(exit.cause.error)) {
      this.#held = undefined
    }
  }
}
