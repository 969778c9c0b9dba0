// Keeps refresh tokens from a token endpoint that does not respond, since each one sent is lost. Only a request with a
// refresh token shows that it responds again: one with an invalid grant could raise an alarm or be throttled.
import * as Duration from "effect/Duration"
import { Infrastructure } from "../../InstallationError.ts"
import { Semaphore } from "../semaphore.ts"
import type { Result } from "./tokenEndpoint.ts"

/** Fewer than the sockets of a transport: an exchange that waits for one may time out, and lose its token. */
const maxExchanges = 16

/** How many tokens may be under way or lost before the first response. */
const maxAtRisk = 3

/** Milliseconds until an endpoint that does not respond is tried again, with one token. */
const firstPause = 30_000
const longestPause = 30 * 60_000

/** Milliseconds: the shortest wait asked of a caller. */
const shortestWait = 1000

const refuse = (error: Infrastructure, until: number, now: number) =>
  new Infrastructure({ ...error, retryAfter: Duration.millis(Math.max(until - now, shortestWait)) })

/** Permits for the exchanges of one app at its token endpoint. Times are of `monotonic`. */
export class Breaker extends Semaphore {
  #exchanges = 0
  /** Tokens lost since the last response. */
  #lost = 0
  /** Whether the endpoint has responded since it was last idle. */
  #isResponding = false
  #isTrying = false
  #pause = firstPause
  #tryAgainAt = 0
  /** The endpoint's request to wait. */
  #asked: { readonly error: Infrastructure; readonly until: number } | undefined

  constructor() {
    super(maxExchanges)
  }

  get #isOpen(): boolean {
    return this.#lost >= maxAtRisk
  }

  /** How many exchanges may be under way. Unlimited when `begin` refuses them, so that none waits for that. */
  override get permits(): number {
    if (this.#isOpen || this.#asked !== undefined) return Number.POSITIVE_INFINITY
    return this.#isResponding ? super.permits : maxAtRisk - this.#lost
  }

  /**
   * With a permit, begins an exchange, which must `end`, or refuses it. Only a customer without a valid access token takes
   * a risk. `"Wait"`: for another permit.
   */
  begin(now: number, hasValidToken: boolean): Infrastructure | "Wait" | undefined {
    const asked = this.#asked
    if (asked !== undefined) {
      if (now < asked.until) return refuse(asked.error, asked.until, now)
      this.#asked = undefined
      this.#isResponding = false
    }
    if (this.#isOpen) {
      if (hasValidToken || this.#exchanges > 0 || now < this.#tryAgainAt)
        return refuse(new Infrastructure({ reason: "TokenEndpoint" }), this.#tryAgainAt, now)
      this.#isTrying = true
    } else if (this.held > this.permits) {
      // The permit was granted under an earlier limit.
      return "Wait"
    }
    this.#exchanges += 1
    return undefined
  }

  end(): void {
    this.#exchanges -= 1
    this.#isTrying = false
    if (this.held === 1) this.#isResponding = false
  }

  /** Takes note of the result of an exchange. Returns the milliseconds of the pause when that opens the breaker. */
  note(result: Result, now: number): number | undefined {
    if (result._tag === "Failed" && !result.hasResponded) return undefined
    const error = result._tag === "Failed" || result._tag === "Lost" ? result.error : undefined
    if (error?._tag === "Infrastructure" && error.retryAfter !== undefined) {
      const until = now + Duration.toMillis(error.retryAfter)
      if (this.#asked === undefined || this.#asked.until < until) this.#asked = { error, until }
    }
    if (result._tag !== "Lost") {
      this.#lost = 0
      this.#isResponding = true
      return undefined
    }
    this.#lost += 1
    this.#isResponding = false
    const opens = this.#lost === maxAtRisk
    if (!opens && !this.#isTrying) return undefined
    this.#pause = opens ? firstPause : Math.min(2 * this.#pause, longestPause)
    this.#tryAgainAt = now + this.#pause
    return opens ? this.#pause : undefined
  }
}
