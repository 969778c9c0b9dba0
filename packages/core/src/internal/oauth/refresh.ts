// Refreshes tokens that several processes share. A process stores a lease before it sends the refresh token, and only
// the holder of the lease sends it. If the process dies, the token may have been used: it is not sent again.
import type * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type { Authorization } from "../../Authorization.ts"
import { Infrastructure, type InstallationError, Unauthorized } from "../../InstallationError.ts"
import type { Stored, TokenStore, TokenStoreError } from "../../TokenStore.ts"
import { quoteStart } from "../advice.ts"
import type { Secrets } from "../credentials/credentials.ts"
import * as Deadline from "../http/deadline.ts"
import { monotonic } from "../http/deadline.ts"
import type { Sender } from "../http/sender.ts"
import { log } from "../telemetry/quietly.ts"
import type { Breaker } from "./breaker.ts"
import * as TokenEndpoint from "./tokenEndpoint.ts"

export type Tokens = Extract<Authorization, { readonly _tag: "Active" }>["tokens"]

export interface Settings extends TokenEndpoint.App {
  readonly store: TokenStore["Type"]
  /** Milliseconds: limits an exchange, and then saving its result. */
  readonly timeout: number
}

/** Tokens in use, with times of `monotonic`. */
export interface CachedTokens {
  readonly secrets: Secrets
  readonly cachedAt: number
  /** When they should be refreshed, and when they expire. */
  readonly refreshAt: number
  readonly expiresAt: number
  /** Whether they come from the token endpoint rather than from the store. */
  readonly isNew: boolean
}

// An update that begins within it arrives before the token expires.
const maxMargin = 60_000

const cache = (tokens: Tokens, clock: Clock.Clock, isNew: boolean): CachedTokens => {
  const { accessToken, expiresIn, receivedAt } = tokens
  const life = expiresIn === undefined ? Number.POSITIVE_INFINITY : Duration.toMillis(expiresIn)
  // Another process may have received them, by another clock.
  const age = isNew ? 0 : Math.max(0, clock.unsafeCurrentTimeMillis() - DateTime.toEpochMillis(receivedAt))
  const cachedAt = monotonic(clock)
  const expiresAt = cachedAt + life - age
  return {
    secrets: { scheme: "Bearer", secret: accessToken },
    refreshAt: expiresAt - Math.min(maxMargin, life / 10),
    expiresAt,
    cachedAt,
    isNew
  }
}

const reauthorize = (message: string) =>
  new Unauthorized({ reason: "ReauthorizationRequired", issues: [{ path: [], message }] })

const notConnected = ({ clientId, tokenEndpoint }: TokenEndpoint.App) => {
  const message = `no tokens are stored under client ID ${quoteStart(clientId)} and token endpoint ${tokenEndpoint.href}`
  return new Unauthorized({ reason: "NotConnected", issues: [{ path: [], message }] })
}

const ended = {
  Lost: "the refresh token was sent, but no response arrived",
  Refused: "the authorization server rejected the refresh token",
  Deleted: "the installation was deleted"
} as const

const unavailable = (code: string | undefined) => new Infrastructure({ reason: "TokenStore", code })

const within = <A, E>(timeout: number, self: Effect.Effect<A, E>): Effect.Effect<A, E | Deadline.TimedOut> =>
  Effect.clockWith((clock) => Deadline.effect({ clock, at: monotonic(clock) + timeout }, self))

/** Turns a timeout or a defect of the store into a failure, so that the caller keeps what it wanted to save. */
export const soon = <A>(
  self: () => Effect.Effect<A, TokenStoreError>,
  timeout: number
): Effect.Effect<A, Infrastructure> =>
  within(timeout, Effect.suspend(self)).pipe(
    Effect.mapError((error) => unavailable(error._tag === "TimedOut" ? "TIMEOUT" : error.code)),
    Effect.catchAllDefect(() => Effect.fail(unavailable("DEFECT")))
  )

const firstPause = 50
const longestPause = 1000

/** Waits longer each time, from `first` milliseconds on, but no longer than `most`. */
const makeBackoff = (first: number): ((most?: number) => Effect.Effect<void>) => {
  let pause = first
  return (most = longestPause) =>
    Effect.suspend(() => {
      const wait = Effect.sleep(Math.ceil(Math.min(pause, most)))
      pause = Math.min(Math.max(firstPause, 2 * pause), longestPause)
      return wait
    })
}

/**
 * Waits after a rejected write. The first one is a conflict, which needs no wait; more of them in a row come from a store
 * whose reads lag behind its writes.
 */
const makeConflictBackoff = () => makeBackoff(0)

/** Stores tokens, and replaces previous ones. */
export const put = (
  store: TokenStore["Type"],
  key: string,
  { expiresIn, ...others }: Tokens
): Effect.Effect<void, Infrastructure> =>
  Effect.gen(function* () {
    // JSON has no infinity: tokens stored with it could neither be read nor replaced.
    const tokens: Tokens =
      expiresIn === undefined || !Duration.isFinite(expiresIn) ? others : { ...others, expiresIn }
    const backoff = makeConflictBackoff()
    for (;;) {
      const stored = yield* soon(() => store.load(key), Number.POSITIVE_INFINITY)
      const generation = Option.match(stored, { onNone: () => 0, onSome: ({ generation }) => generation })
      if (
        yield* soon(() => store.save(key, generation, { _tag: "Active", tokens }), Number.POSITIVE_INFINITY)
      )
        return
      yield* backoff()
    }
  })

/** Stores that the installation was deleted, unless other tokens than these are stored. */
export const end = (
  { store, timeout }: Settings,
  key: string,
  accessToken: Redacted.Redacted
): Effect.Effect<void, Infrastructure> =>
  Effect.gen(function* () {
    const lease = crypto.randomUUID()
    const backoff = makeConflictBackoff()
    for (;;) {
      const stored = Option.getOrUndefined(yield* soon(() => store.load(key), timeout))
      if (stored === undefined || stored.authorization._tag === "Ended") return
      const { authorization, generation } = stored
      if (!isSame(authorization.tokens.accessToken, accessToken)) return
      const ended = { _tag: "Ended", reason: "Deleted", lease } as const
      if (yield* soon(() => store.save(key, generation, ended), timeout)) return
      yield* backoff()
    }
  })

const untilStored = /*#__PURE__*/ Schedule.union(
  /*#__PURE__*/ Schedule.exponential("50 millis"),
  /*#__PURE__*/ Schedule.spaced("5 seconds")
)

/** `put`, tried again until it succeeds, for at most `timeout` milliseconds. */
export const putInTime = (
  store: TokenStore["Type"],
  key: string,
  tokens: Tokens,
  timeout: number
): Effect.Effect<void, Infrastructure | Deadline.TimedOut> =>
  within(timeout, Effect.retry(put(store, key, tokens), untilStored))

/** Leases of this process that the store may not reflect. */
export interface Leases {
  /** Valid tokens, by a lease that is stored as refreshing or lost. */
  readonly known: Map<string, Tokens>
  /** Leases that may not have been stored, and under which nothing was sent, with the generation they would replace. */
  readonly unclear: Map<string, number>
}

export interface Shared {
  readonly settings: Settings
  readonly breaker: Breaker
  /** Limits concurrent exchanges, and refuses those that the breaker refuses. */
  readonly withPermit: <A>(
    hasValidToken: (now: number) => boolean,
    self: Effect.Effect<A, InstallationError>
  ) => Effect.Effect<A, InstallationError>
  /** Runs a long effect in the background. */
  readonly background: <A>(self: Effect.Effect<A>) => Effect.Effect<Fiber.Fiber<A>>
}

const warn = (pause: number) =>
  log(
    Effect.logWarning(
      "The token endpoint did not respond to several refreshes in a row, whose tokens are lost. " +
        `It is tried again with one token in ${Duration.format(Duration.millis(pause))}, and then more and more rarely.`
    )
  )

const load = ({ store, timeout }: Settings, key: string) => soon(() => store.load(key), timeout)

const isSame = (a: Redacted.Redacted, b: Redacted.Redacted) => Redacted.value(a) === Redacted.value(b)

/** Whether an access token is still stored. `true` if the store fails. */
export const isStored = (
  settings: Settings,
  key: string,
  accessToken: Redacted.Redacted
): Effect.Effect<boolean> =>
  Effect.match(load(settings, key), {
    onFailure: () => true,
    onSuccess: Option.exists(
      ({ authorization }) =>
        authorization._tag === "Active" && isSame(authorization.tokens.accessToken, accessToken)
    )
  })

/**
 * Tokens other than `stale`: those that another process has stored, or new ones. `onStored` gets stored ones that are due
 * for a refresh. Fails with `NotConnected` without any, and with `ReauthorizationRequired` if the grant has ended.
 */
export const refresh = (
  shared: Shared,
  key: string,
  stale: Redacted.Redacted | undefined,
  leases: Leases,
  sender: Sender,
  onStored: (tokens: CachedTokens) => void,
  hasValidToken: (now: number) => boolean
): Effect.Effect<CachedTokens, InstallationError> => {
  const { settings } = shared
  const { store, timeout } = settings
  const save = (expected: number, authorization: Authorization) =>
    soon(() => store.save(key, expected, authorization), timeout)

  const isStale = ({ accessToken }: Tokens) => stale !== undefined && isSame(stale, accessToken)

  /** Stores the end of a grant. `false` if something else is stored. */
  const settle = (expected: number, authorization: Authorization & { _tag: "Ended" }) =>
    Effect.retry(save(expected, authorization), {
      schedule: Schedule.intersect(untilStored, Schedule.recurUpTo(timeout))
    })

  /**
   * Replaces a lease by the valid tokens, even if another process has declared them lost. Retries until it succeeds,
   * since only this process has these tokens, and waits for that up to `timeout`. `false` if something else is stored.
   */
  const keep = (expected: number, lease: string, tokens: Tokens, isNew: boolean) => {
    leases.known.set(lease, tokens)
    const store = Effect.gen(function* () {
      const backoff = makeConflictBackoff()
      let generation = expected
      for (;;) {
        if (yield* save(generation, { _tag: "Active", tokens })) return true
        const stored = yield* load(settings, key)
        if (Option.isNone(stored)) return false
        const { authorization } = stored.value
        if (authorization._tag === "Active")
          return isSame(authorization.tokens.accessToken, tokens.accessToken)
        if (authorization.lease !== lease) return false
        generation = stored.value.generation
        yield* backoff()
      }
    })
    return store.pipe(
      Effect.tapError((error) =>
        isNew ? log(Effect.logError("New tokens are not stored yet", error)) : Effect.void
      ),
      Effect.retry(untilStored),
      Effect.orElseSucceed(() => true),
      Effect.ensuring(Effect.sync(() => leases.known.delete(lease))),
      (self) => shared.background(self),
      Effect.flatMap((fiber) => within(timeout, Fiber.join(fiber))),
      Effect.orElseSucceed(() => true)
    )
  }

  /**
   * Fences a lease whose save failed: stored after all, now or later, it would count as lost. A higher generation of the
   * tokens keeps a late save from taking effect.
   */
  const fence = (generation: number, lease: string, tokens: Tokens) => {
    const isUnderWay = leases.unclear.size > 0
    leases.known.set(lease, tokens)
    leases.unclear.set(lease, generation)
    if (isUnderWay) return Effect.void
    const store = Effect.gen(function* () {
      const backoff = makeConflictBackoff()
      for (;;) {
        const stored = yield* load(settings, key)
        if (Option.isNone(stored)) return
        const { authorization, generation } = stored.value
        const isActive = authorization._tag === "Active"
        if (isActive && generation > Math.max(...leases.unclear.values())) return
        if (!isActive && !leases.unclear.has(authorization.lease)) return
        const good = isActive ? authorization.tokens : (leases.known.get(authorization.lease) ?? tokens)
        yield* save(generation, { _tag: "Active", tokens: good })
        yield* backoff()
      }
    })
    return store.pipe(
      Effect.retry(untilStored),
      Effect.ignore,
      Effect.ensuring(
        Effect.sync(() => {
          for (const lease of leases.unclear.keys()) leases.known.delete(lease)
          leases.unclear.clear()
        })
      ),
      (self) => shared.background(self)
    )
  }

  /** Exchanges the token of a lease that is generation `expected`. `undefined` if something else is stored meanwhile. */
  const exchangeUnderLease = (expected: number, lease: string, tokens: Tokens) =>
    Effect.gen(function* () {
      const grant = {
        grant_type: "refresh_token",
        refresh_token: Redacted.value(tokens.refreshToken)
      } as const
      const result = yield* TokenEndpoint.exchange(settings, grant, sender, timeout)
      const pause = shared.breaker.note(result, monotonic(yield* Effect.clock))
      if (pause !== undefined) yield* warn(pause)
      switch (result._tag) {
        case "Issued": {
          const issued: Tokens = {
            accessToken: result.accessToken,
            refreshToken: result.refreshToken ?? tokens.refreshToken,
            receivedAt: yield* DateTime.now,
            ...(result.expiresIn === undefined ? {} : { expiresIn: result.expiresIn })
          }
          const cached = cache(issued, yield* Effect.clock, true)
          return (yield* keep(expected, lease, issued, true)) ? cached : undefined
        }
        case "Failed":
          yield* keep(expected, lease, tokens, false)
          return yield* Effect.fail(result.error)
        case "Refused":
        case "Lost": {
          const isSettled = yield* settle(expected, { _tag: "Ended", reason: result._tag, lease }).pipe(
            Effect.orElseSucceed(() => true)
          )
          return isSettled ? yield* Effect.fail(reauthorize(ended[result._tag])) : undefined
        }
      }
    })

  /** Stores a lease and, if that succeeds, exchanges the refresh token. */
  const claim = (generation: number, tokens: Tokens) =>
    Effect.gen(function* () {
      // Unique, since other processes measure how long they have seen it.
      const lease = crypto.randomUUID()
      const duration = Duration.millis(2 * timeout)
      const isClaimed = yield* save(generation, { _tag: "Refreshing", tokens, lease, duration }).pipe(
        Effect.tapError(() => fence(generation, lease, tokens))
      )
      return isClaimed ? yield* exchangeUnderLease(generation + 1, lease, tokens) : undefined
    })

  return Effect.gen(function* () {
    const clock = yield* Effect.clock
    let watched: { readonly lease: string; readonly since: number } | undefined
    const watch = makeBackoff(firstPause)
    const backoff = makeConflictBackoff()
    for (;;) {
      const stored: Option.Option<Stored> = yield* load(settings, key)
      if (Option.isNone(stored)) return yield* Effect.fail(notConnected(settings))
      const { authorization, generation } = stored.value
      const tokens =
        authorization._tag === "Active" ? authorization.tokens : leases.known.get(authorization.lease)
      if (tokens !== undefined) {
        const cached = cache(tokens, clock, false)
        if (!isStale(tokens)) {
          if (monotonic(clock) < cached.refreshAt) return cached
          onStored(cached)
        }
        // From the lease on, the refresh goes on to its end also when the layer is closed.
        const refreshed = yield* shared.withPermit(
          hasValidToken,
          Effect.uninterruptible(claim(generation, tokens))
        )
        if (refreshed !== undefined) return refreshed
        yield* backoff()
      } else if (authorization._tag === "Ended") {
        return yield* Effect.fail(reauthorize(ended[authorization.reason]))
      } else if (authorization._tag === "Refreshing") {
        const { duration, lease } = authorization
        const now = monotonic(clock)
        // Measured here, since the clocks of two machines may disagree.
        if (watched?.lease !== lease) watched = { lease, since: now }
        const left = watched.since + Duration.toMillis(duration) - now
        if (left <= 0) {
          yield* save(generation, { _tag: "Ended", reason: "Lost", lease })
        } else {
          yield* watch(left)
        }
      }
    }
  })
}
