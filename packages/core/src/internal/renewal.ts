// How tokens are renewed when several processes share them. Whoever wants to renew first stores that it does, and
// only who could store it sends the refresh token. A process that dies in between leaves that mark, and nobody can
// know whether the token was used up: it is not sent again.
import type * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type { Authorization, Tokens } from "../Authorization.ts"
import { Infrastructure, type InstallationError, Unauthorized } from "../InstallationError.ts"
import type { Stored, TokenStore, TokenStoreError } from "../TokenStore.ts"
import type { Post, Secrets } from "./credentials.ts"
import { within } from "./timeout.ts"
import * as TokenEndpoint from "./tokenEndpoint.ts"

export interface Settings extends TokenEndpoint.App {
  readonly store: TokenStore["Type"]
  /** Milliseconds that an exchange may take, and then again storing what came of it. */
  readonly timeout: number
}

/** Tokens in use, with times as `monotonic` counts them. */
export interface Held {
  readonly accessToken: Redacted.Redacted
  readonly secrets: Secrets
  /** When they should be renewed, and when they are of no use any more. */
  readonly renewAt: number
  readonly expiresAt: number
  /** Whether they were had from the token endpoint just now, and not from the store. */
  readonly isNew: boolean
}

/** Milliseconds, by a clock that nobody sets. */
export const monotonic = (clock: Clock.Clock): number => Number(clock.unsafeCurrentTimeNanos() / 1_000_000n)

// An update that begins before the end arrives before it.
const maxMargin = 60_000

const hold = (tokens: Tokens, clock: Clock.Clock, isNew: boolean): Held => {
  const { expiresIn, receivedAt } = tokens
  const authorization = `Bearer ${Redacted.value(tokens.accessToken)}`
  // A part of it, and no copy: a customer who is idle takes hardly more memory than this.
  const accessToken = Redacted.make(authorization.slice("Bearer ".length))
  const life = expiresIn === undefined ? Number.POSITIVE_INFINITY : Duration.toMillis(expiresIn)
  // Another process may have received them, by another clock.
  const age = isNew ? 0 : Math.max(0, clock.unsafeCurrentTimeMillis() - DateTime.toEpochMillis(receivedAt))
  const expiresAt = monotonic(clock) + life - age
  return {
    accessToken,
    secrets: { authorization: Redacted.make(authorization), forms: [accessToken] },
    renewAt: expiresAt - Math.min(maxMargin, life / 10),
    expiresAt,
    isNew
  }
}

const reauthorise = (message: string) =>
  new Unauthorized({ reason: "ReauthorizationRequired", issues: [{ path: [], message }] })

const ended = {
  Lost: "the refresh token was sent and no answer came",
  Refused: "the authorisation server refused the refresh token"
} as const

const unavailable = (code: string | undefined) =>
  new Infrastructure({ reason: "TokenStore", ...(code === undefined ? {} : { code }) })

/** A store that does not answer is one that fails. */
const soon = <A>(
  self: Effect.Effect<A, TokenStoreError>,
  timeout: number
): Effect.Effect<A, Infrastructure> =>
  within(
    Effect.mapError(self, ({ code }) => unavailable(code)),
    timeout
  ).pipe(Effect.mapError((error) => (error.reason === "Timeout" ? unavailable("TIMEOUT") : error)))

/** Stores tokens in place of whatever is stored. */
export const put = (
  store: TokenStore["Type"],
  key: string,
  tokens: Tokens
): Effect.Effect<void, Infrastructure> =>
  Effect.gen(function* () {
    for (;;) {
      const stored = yield* store.load(key)
      const generation = Option.match(stored, { onNone: () => 0, onSome: ({ generation }) => generation })
      if (yield* store.save(key, generation, { _tag: "Active", tokens })) return
    }
  }).pipe(Effect.mapError(({ code }) => unavailable(code)))

const untilStored = Schedule.exponential("50 millis").pipe(Schedule.union(Schedule.spaced("5 seconds")))

// How often to look whether another process is done: it mostly takes less than a second.
const firstLook = 50
const longestLook = 1000

/** The lease under which this process has sent nothing yet, though it may be stored already. */
export interface Leases {
  unused?: string | undefined
}

export interface Host {
  readonly settings: Settings
  /** Carries out in the background what may take long, and waits for a while. */
  readonly background: (self: Effect.Effect<void>) => Effect.Effect<void>
}

/**
 * Tokens other than `stale`: those that another process has stored, or else new ones. Fails with
 * `ReauthorizationRequired` when there will be none.
 */
export const renew = (
  host: Host,
  key: string,
  stale: Redacted.Redacted | undefined,
  leases: Leases,
  post: Post
): Effect.Effect<Held, InstallationError> => {
  const { settings } = host
  const { store, timeout } = settings
  const load = Effect.suspend(() => soon(store.load(key), timeout))
  const save = (expected: number, authorization: Authorization) =>
    Effect.suspend(() => soon(store.save(key, expected, authorization), timeout))

  const isStale = ({ accessToken }: Tokens) =>
    stale !== undefined && Redacted.value(stale) === Redacted.value(accessToken)

  /** Stores what has become of tokens that were not replaced. `false` when something else is stored already. */
  const settle = (expected: number, authorization: Authorization) =>
    Effect.retry(save(expected, authorization), {
      schedule: Schedule.intersect(untilStored, Schedule.recurUpTo(timeout))
    })

  /** Stores new tokens, for as long as it takes: they are the only ones there are. */
  const keep = (expected: number, lease: string, authorization: Authorization & { _tag: "Active" }) =>
    Effect.gen(function* () {
      let generation = expected
      for (;;) {
        if (yield* save(generation, authorization)) return
        const stored = yield* load
        if (Option.isNone(stored)) return
        // That it was lost was said by another process, for which this one has taken too long.
        if (stored.value.authorization._tag !== "Ended" || stored.value.authorization.lease !== lease) return
        generation = stored.value.generation
      }
    }).pipe(
      Effect.tapError((error) => Effect.logError("New tokens are not stored yet", error)),
      Effect.retry(untilStored),
      Effect.ignore
    )

  /** With the lease stored as the generation `expected`. `undefined` when something else is stored meanwhile. */
  const exchange = (expected: number, lease: string, tokens: Tokens) =>
    Effect.gen(function* () {
      leases.unused = undefined
      const outcome = yield* TokenEndpoint.refresh(settings, tokens.refreshToken, post, timeout)
      switch (outcome._tag) {
        case "Issued": {
          const issued: Tokens = {
            accessToken: outcome.accessToken,
            refreshToken: outcome.refreshToken ?? tokens.refreshToken,
            receivedAt: yield* DateTime.now,
            ...(outcome.expiresIn === undefined ? {} : { expiresIn: outcome.expiresIn })
          }
          const held = hold(issued, yield* Effect.clock, true)
          yield* host.background(keep(expected, lease, { _tag: "Active", tokens: issued }))
          return held
        }
        case "Failed":
          yield* Effect.catchAll(settle(expected, { _tag: "Active", tokens }), () =>
            Effect.sync(() => {
              leases.unused = lease
            })
          )
          return yield* Effect.fail(outcome.error)
        case "Refused":
        case "Lost": {
          const isSettled = yield* settle(expected, { _tag: "Ended", reason: outcome._tag, lease }).pipe(
            Effect.orElseSucceed(() => true)
          )
          return isSettled ? yield* Effect.fail(reauthorise(ended[outcome._tag])) : undefined
        }
      }
    })

  return Effect.gen(function* () {
    const clock = yield* Effect.clock
    let watched: { readonly lease: string; readonly since: number } | undefined
    let look = firstLook
    for (;;) {
      const stored: Option.Option<Stored> = yield* load
      if (Option.isNone(stored)) return yield* Effect.fail(reauthorise("no tokens are stored"))
      const { authorization, generation } = stored.value
      switch (authorization._tag) {
        case "Ended":
          return yield* Effect.fail(reauthorise(ended[authorization.reason]))
        case "Active": {
          const { tokens } = authorization
          const held = hold(tokens, clock, false)
          if (!isStale(tokens) && monotonic(clock) < held.renewAt) return held
          leases.unused ??= crypto.randomUUID()
          const duration = Duration.millis(2 * timeout)
          yield* save(generation, { _tag: "Refreshing", tokens, lease: leases.unused, duration })
          break
        }
        case "Refreshing": {
          const { duration, lease, tokens } = authorization
          if (lease === leases.unused) {
            const renewed = yield* exchange(generation, lease, tokens)
            if (renewed !== undefined) return renewed
            break
          }
          const now = monotonic(clock)
          // By how long it was seen here: the clocks of two machines need not agree.
          if (watched?.lease !== lease) watched = { lease, since: now }
          const left = watched.since + Duration.toMillis(duration) - now
          if (left <= 0) {
            yield* save(generation, { _tag: "Ended", reason: "Lost", lease })
          } else {
            yield* Effect.sleep(Math.ceil(Math.min(look, left)))
            look = Math.min(2 * look, longestLook)
          }
        }
      }
    }
  })
}
