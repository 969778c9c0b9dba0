/**
 * Reports on many installations at once: the desired state of each is stored, and runners send it, through restarts and
 * within a rate limit. At least once, in order for each installation, and the newest wins.
 *
 * @since 0.1.0
 * @module
 */
import type * as SqlClient from "@effect/sql/SqlClient"
import type { Credentials } from "@effect-pleo/core/Credentials"
import type { UpdateInstallation } from "@effect-pleo/core/Installation"
import { BadRequest, type Infrastructure, type InstallationError } from "@effect-pleo/core/InstallationError"
import type { InstallationService } from "@effect-pleo/core/InstallationService"
import { makeCodec, operations } from "@effect-pleo/core/internal/shared"
import * as OAuth from "@effect-pleo/core/OAuth"
import type { TokenStore } from "@effect-pleo/core/TokenStore"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Cluster from "./internal/cluster.ts"
import * as Embedded from "./internal/embedded.ts"
import { FleetError } from "./internal/error.ts"
import * as Runner from "./internal/runner.ts"
import * as Stores from "./internal/store.ts"
import { type Facts, State, type Store } from "./internal/store.ts"

export { FleetError }

/**
 * The desired state of an installation. `tenant` is your name for the customer, as in `OAuth.tenant`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Change {
  readonly tenant: string
  readonly request: UpdateInstallation
}

/**
 * Counts of the installations, and the pace.
 *
 * @since 0.1.0
 * @category models
 */
export interface Progress {
  /** Installations whose desired state is not applied yet, including those in flight. */
  readonly pending: number
  /** Updates of all runners that await their responses, as of a second ago. Those of a lost runner count for 3 seconds. */
  readonly inFlight: number
  readonly applied: number
  /** Changes that were replaced by a newer one before they were applied. */
  readonly superseded: number
  /** Installations of `failures`, by reason. Those that are `Retrying` are pending, too. */
  readonly failed: Readonly<Partial<Record<Failure["reason"], number>>>
  /** Updates of all runners in the last second. */
  readonly rate: number
  /** Until nothing is pending, at this rate. Absent if nothing is sent. */
  readonly remaining: Duration.Duration | undefined
}

/**
 * An installation whose desired state could not be applied, without secrets.
 *
 * - `Refused`: a retry will not help. `message` says what to correct.
 * - `ReconnectNeeded`: the customer has to connect again. Then set the state again.
 * - `Retrying`: 3 attempts or more have failed, and there will be others.
 *
 * @since 0.1.0
 * @category models
 */
export interface Failure {
  readonly tenant: string
  readonly reason: "Refused" | "ReconnectNeeded" | "Retrying"
  readonly message: string
  readonly status: number | undefined
  readonly requestId: string | undefined
  readonly attempts: number
  readonly at: Date
}

/**
 * The desired state of all installations.
 *
 * @example
 * ```ts
 * const live = Fleet.layerSingle({ file: "fleet.db" })
 * ```
 * @since 0.1.0
 * @category tags
 */
export class Fleet extends Context.Tag("@effect-pleo/fleet/Fleet")<
  Fleet,
  {
    /**
     * Stores changes, and returns their number. They are durable when it returns; after an error, those before it may be.
     * Fails with `BadRequest` if a request is invalid.
     */
    readonly set: <E = never, R = never>(
      changes: Iterable<Change> | Stream.Stream<Change, E, R>
    ) => Effect.Effect<number, FleetError | BadRequest | E, R>
    /** The progress, now and about once a second, until nothing is pending. */
    readonly progress: Stream.Stream<Progress, FleetError>
    /** A page of installations to act on, by name. `after` is the last name of the page before. */
    readonly failures: (options?: {
      readonly after?: string | undefined
      /** Default: 100. */
      readonly limit?: number | undefined
    }) => Effect.Effect<ReadonlyArray<Failure>, FleetError>
  }
>() {}

/**
 * How a runner sends updates.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<E = never, R = never> {
  /** Default: `OAuth.tenant`. */
  readonly credentials?: ((tenant: string) => Effect.Effect<Credentials, E, R>) | undefined
  /** The most updates in flight in this process. Default: 32. */
  readonly concurrency?: number | undefined
  /** The most updates a second, of all runners. The fleet slows down by itself after a 429. Default: no limit. */
  readonly rateLimit?: number | undefined
  /** Limits one attempt. Default, and at most: 5 seconds. */
  readonly timeout?: Duration.DurationInput | undefined
}

/** Changes of one statement. */
const batchSize = 2000

/** Milliseconds for which applied rows are kept. */
const retention = Duration.toMillis("1 day")

/** As `InstallationService.update` does, so that what is stored can be sent. */
const codec = /* @__PURE__ */ makeCodec(operations.updateInstallation)

/** Encodes each request once, since many changes have the same one. */
const encodeChange =
  (known: Map<UpdateInstallation, ReturnType<typeof codec.encode>>) =>
  ({ request, tenant }: Change): Either.Either<Stores.Desired, BadRequest> => {
    const encoded = known.get(request) ?? codec.encode(request)
    known.set(request, encoded)
    return Either.mapBoth(encoded, {
      onLeft: ({ issues }) => new BadRequest({ tenant, issues }),
      // An operation without a request has no body.
      onRight: (body) => ({ tenant, request: body as string })
    })
  }

const toFailure = ({ at, attempts, facts, reason, tenant }: Stores.FailedRow): Failure => {
  const { message, requestId, status } = JSON.parse(facts) as Facts
  return {
    tenant,
    reason: reason as Failure["reason"],
    message,
    status,
    requestId,
    attempts,
    at: new Date(at)
  }
}

/** Milliseconds: a second, or less if it will be over by then. */
const nextLook = ({ remaining }: Progress): number =>
  remaining === undefined ? 1000 : Math.min(1000, Math.max(50, Duration.toMillis(remaining)))

const service = (store: Store, wake: Effect.Effect<void>): Fleet["Type"] => {
  const setBatch = (changes: Chunk.Chunk<Change>) =>
    Effect.gen(function* () {
      const encoded = yield* Either.all(Chunk.map(changes, encodeChange(new Map())))
      const newest = new Map([...encoded].map((desired) => [desired.tenant, desired]))
      yield* store.set([...newest.values()], yield* Clock.currentTimeMillis)
      return changes.length
    })
  const measure = Effect.map(Effect.all([store.active, store.counts, store.rate]), (all): Progress => {
    const [active, counts, rate] = all
    const sum = (state: number) =>
      counts.reduce((total, row) => total + (row.state === state ? row.count : 0), 0)
    const pending = sum(State.pending)
    return {
      pending,
      // Some of them may have been applied since they were counted.
      inFlight: Math.min(active, pending),
      applied: sum(State.applied),
      superseded: counts.reduce((total, { superseded }) => total + superseded, 0),
      failed: Object.fromEntries(
        counts.flatMap(({ count, reason }) => (reason === "" ? [] : [[reason, count]]))
      ),
      rate,
      remaining: rate > 0 ? Duration.seconds(pending / rate) : undefined
    }
  })
  return Fleet.of({
    set: <E, R>(changes: Iterable<Change> | Stream.Stream<Change, E, R>) =>
      (Stream.StreamTypeId in changes ? changes : Stream.fromIterable(changes)).pipe(
        Stream.rechunk(batchSize),
        Stream.chunks,
        Stream.runFoldEffect(0, (count, changes) =>
          Effect.map(setBatch(changes), (length) => count + length)
        ),
        Effect.ensuring(wake),
        Effect.withSpan("Fleet.set")
      ),
    progress: Stream.paginateEffect(0, (delay) =>
      Effect.map(Effect.delay(measure, delay), (progress) => [
        progress,
        progress.pending === 0 ? Option.none() : Option.some(nextLook(progress))
      ])
    ),
    failures: ({ after = "", limit = 100 } = {}) =>
      Effect.map(store.failures(after, limit), (rows) => rows.map(toFailure))
  })
}

/**
 * The desired state without a runner: for a process that sets it, or watches its progress, while others send it.
 *
 * @example
 * ```ts
 * const live = Layer.provide(Fleet.layer, LibsqlClient.layer({ url: "file:fleet.db" }))
 * ```
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Fleet, FleetError, SqlClient.SqlClient> = Layer.effect(
  Fleet,
  Effect.map(Stores.make, (store) => service(store, Effect.void))
)

const maxTimeout = 5000

/** Milliseconds. A note counts for three times as long. */
const noteInterval = 1000

/** Notes about once a second what a runner has in flight. One that is idle notes nothing. */
const noteActive = (store: Store, { active }: Runner.Runner): Effect.Effect<never> =>
  Effect.suspend(() => {
    const name = crypto.randomUUID()
    let noted = 0
    return Effect.suspend(() => {
      const count = active()
      if (count === 0 && noted === 0) return Effect.void
      noted = count
      return Effect.ignore(store.noteActive(name, count))
    }).pipe(Effect.delay(noteInterval), Effect.forever)
  })

/** A fleet with a runner, whose partitions `run` has. */
const running = <E extends InstallationError, R>(
  options: Options<E, R>,
  fence: Runner.Fence,
  run: (runner: Runner.Runner) => Effect.Effect<void, never, Scope.Scope>
): Effect.Effect<Fleet["Type"], FleetError, InstallationService | SqlClient.SqlClient | Scope.Scope | R> =>
  Effect.gen(function* () {
    const store = yield* Stores.make
    const runner = yield* Runner.make(
      store,
      {
        credentials: options.credentials ?? (OAuth.tenant as NonNullable<typeof options.credentials>),
        concurrency: options.concurrency ?? 32,
        rateLimit: options.rateLimit,
        timeout: Math.min(maxTimeout, Duration.toMillis(options.timeout ?? maxTimeout))
      },
      fence
    )
    yield* Effect.flatMap(Clock.currentTimeMillis, (now) => store.purge(now - retention)).pipe(
      Effect.catchAll((error) => Effect.logWarning(error.message)),
      Effect.repeat(Schedule.spaced("1 hour")),
      Effect.forkScoped
    )
    yield* Effect.forkScoped(noteActive(store, runner))
    yield* run(runner)
    return service(store, runner.wake)
  })

/**
 * The fleet of one process, in a SQLite file of its own. Fails with `Locked` if another process runs it: beside it, use
 * `layer`.
 *
 * @example
 * ```ts
 * const live = Fleet.layerSingle({ file: "fleet.db", rateLimit: 50 })
 * ```
 * @since 0.1.0
 * @category layers
 */
export const layerSingle = <E extends InstallationError = never, R = never>(
  options: Options<E, R> & { readonly file: string }
): Layer.Layer<Fleet, FleetError, InstallationService | R> =>
  Layer.scoped(Fleet, running(options, Embedded.fence, Embedded.run)).pipe(
    Layer.provide(Embedded.client(options.file))
  ) as Layer.Layer<Fleet, FleetError, InstallationService | R>

/**
 * The fleet of any number of processes over one PostgreSQL, which share the installations among them. They need no address.
 * If one is lost or frozen, others take over its share within 15 seconds.
 *
 * @example
 * ```ts
 * const live = Fleet.layerCluster().pipe(Layer.provide(PgClient.layer({ database: "fleet" })))
 * ```
 * @since 0.1.0
 * @category layers
 */
export const layerCluster = <E extends InstallationError = never, R = never>(
  options: Options<E, R> = {}
): Layer.Layer<Fleet, FleetError, InstallationService | SqlClient.SqlClient | Exclude<R, Scope.Scope>> =>
  Layer.scoped(
    Fleet,
    Effect.flatMap(Cluster.make, ({ fence, run }) => running(options, fence, run))
  )

/**
 * Sets the desired state of installations: accessor of `Fleet`.
 *
 * @example
 * ```ts
 * const down = Fleet.set([{ tenant: "acme", request: { status: "ERROR", errorCode: "AUTH_ERROR" } }])
 * ```
 * @since 0.1.0
 * @category accessors
 */
export const set = <E = never, R = never>(
  changes: Iterable<Change> | Stream.Stream<Change, E, R>
): Effect.Effect<number, FleetError | BadRequest | E, Fleet | R> =>
  Effect.flatMap(Fleet, (fleet) => fleet.set(changes))

/**
 * The progress, now and about once a second, until nothing is pending.
 *
 * @example
 * ```ts
 * const watched = Stream.runForEach(Fleet.progress, ({ pending, rate }) => Effect.logInfo(`${pending} at ${rate}/s`))
 * ```
 * @since 0.1.0
 * @category accessors
 */
export const progress: Stream.Stream<Progress, FleetError, Fleet> = Stream.unwrap(
  Effect.map(Fleet, (fleet) => fleet.progress)
)

/**
 * A page of installations to act on, by name. `after` is the last name of the page before.
 *
 * @example
 * ```ts
 * const names = Effect.map(Fleet.failures(), (failures) => failures.map(({ tenant }) => tenant))
 * ```
 * @since 0.1.0
 * @category accessors
 */
export const failures = (
  options?: Parameters<Fleet["Type"]["failures"]>[0]
): Effect.Effect<ReadonlyArray<Failure>, FleetError, Fleet> =>
  Effect.flatMap(Fleet, (fleet) => fleet.failures(options))

/**
 * Sets the desired state of all connected customers of an app, or of those that `filter` accepts.
 *
 * @example
 * ```ts
 * const back = Fleet.setAll({ clientId: "my-app" }, { status: "ACTIVATED" })
 * ```
 * @since 0.1.0
 * @category accessors
 */
export const setAll = (
  app: Parameters<typeof OAuth.tenants>[0] & { readonly filter?: ((tenant: string) => boolean) | undefined },
  request: UpdateInstallation
): Effect.Effect<number, FleetError | BadRequest | Infrastructure, Fleet | TokenStore> =>
  set(
    Stream.filterMap(OAuth.tenants(app), ({ _tag, tenant }) =>
      (_tag === "Active" || _tag === "Refreshing") && (app.filter?.(tenant) ?? true)
        ? Option.some({ tenant, request })
        : Option.none()
    )
  )
