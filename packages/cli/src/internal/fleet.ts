// The commands of a fleet. Nothing else loads it, with its database drivers.
import { text } from "node:stream/consumers"
import type { UpdateInstallation } from "@effect-pleo/core/Installation"
import * as OAuth from "@effect-pleo/core/OAuth"
import * as Fleet from "@effect-pleo/fleet/Fleet"
import * as Migrate from "@effect-pleo/fleet/internal/migrate"
import * as NodeInstallationService from "@effect-pleo/node/NodeInstallationService"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { environment } from "./credentials.ts"
import { CommandError, formatCode, UsageError } from "./failure.ts"
import * as Progress from "./fleetProgress.ts"
import * as Json from "./json.ts"
import * as Output from "./output.ts"
import { productionNotice, serverOf } from "./server.ts"
import * as Store from "./store.ts"
import { canRedraw, columns, paintErr, redraw, say } from "./terminal.ts"

export interface Options {
  readonly json: boolean
  readonly server: string | undefined
  readonly fleet: string | undefined
  readonly store: string | undefined
  readonly rateLimit: number | undefined
}

const failed = (message: string) => new CommandError({ reason: "Fleet", message })

/** A driver's message may quote the URL. */
const cannotOpen = (name: string) => (error: unknown) =>
  failed(`The ${name} cannot be opened${formatCode(error)}`)

const postgresOf = (location: Extract<Store.Location, { readonly _tag: "Postgres" }>, name: string) =>
  Layer.unwrapEffect(Store.postgres(location.url)).pipe(
    Layer.catchAll((error) => Layer.fail(cannotOpen(name)(error)))
  )

/** Whether no process runs the fleet of this file. */
const isFree = (file: string) =>
  Effect.scoped(Layer.build(Migrate.fromFile(file))).pipe(
    Effect.as(true),
    Effect.catchIf(
      ({ reason }) => reason === "Locked",
      () => Effect.succeed(false)
    )
  )

/** A fleet that sends, with the tokens of the app's customers. */
const sending = (file: string, { rateLimit, server, store }: Options) =>
  Fleet.layerSingle({ file, rateLimit }).pipe(
    Layer.provide(NodeInstallationService.layerConfig({ credentials: OAuth.config })),
    Layer.provide(Store.layer(store)),
    Layer.provide(environment(server))
  )

/** A fleet that others send. */
const writing = (location: Store.Location) => {
  if (location._tag === "Postgres") return Layer.provide(Fleet.layer, postgresOf(location, Store.fleet.name))
  const sql = Effect.map(
    Effect.promise(() => import("@effect/sql-libsql/LibsqlClient")),
    ({ layer }) => layer({ url: `file:${location.file}` })
  )
  return Layer.provide(Fleet.layer, Layer.unwrapEffect(sql))
}

const notify = (command: string, server: string | undefined) => {
  const notice = productionNotice(command, serverOf(server))
  return notice === undefined ? Effect.void : say(paintErr("loud", notice))
}

const withMessage = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.mapError(self, (error) => (error instanceof Fleet.FleetError ? failed(error.message) : error))

const toJson = ({ remaining, ...others }: Fleet.Progress): Json.FleetProgress => ({
  ...others,
  ...(remaining === undefined ? {} : { remaining: Duration.toSeconds(remaining) })
})

/** All failures, page by page. */
const failuresOf = (isIncluded: (tenant: string) => boolean) =>
  Stream.paginateChunkEffect("", (after) =>
    Effect.map(Fleet.failures({ after, limit: 1000 }), (page) => {
      const last = page.at(-1)
      return [
        Chunk.unsafeFromArray(page.filter(({ tenant }) => isIncluded(tenant))),
        last === undefined ? Option.none() : Option.some(last.tenant)
      ] as const
    })
  ).pipe(
    Stream.map(({ at, requestId, status, ...others }) => ({
      ...others,
      ...(status === undefined ? {} : { status }),
      ...(requestId === undefined ? {} : { requestId }),
      at: at.toISOString()
    })),
    Stream.runCollect,
    Effect.map((all): Json.FleetEnd["failures"] => Chunk.toReadonlyArray(all))
  )

/** Milliseconds between lines where none can be replaced. */
const lineInterval = 5000

/** Shows progress as it comes: in JSON, in a line that changes, or in lines. */
const show = (json: boolean) => {
  let total = 0
  let saidAt = Number.NEGATIVE_INFINITY
  return (progress: Json.FleetProgress) => {
    if (json) return Output.line(Json.FleetProgress, progress)
    total = Math.max(total, progress.pending)
    if (canRedraw()) return redraw(Progress.bar(progress, total, columns()))
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      if (progress.pending > 0 && now - saidAt < lineInterval) return Effect.void
      saidAt = now
      return say(Progress.plain(progress))
    })
  }
}

const resume = "What is pending stays stored. To watch it again: effect-pleo fleet watch"

const watching = (json: boolean, isIncluded: (tenant: string) => boolean) =>
  Effect.gen(function* () {
    const last = yield* Fleet.progress.pipe(
      Stream.map(toJson),
      Stream.tap(show(json)),
      Stream.runLast,
      Effect.ensuring(json || !canRedraw() ? Effect.void : redraw("")),
      Effect.onInterrupt(() => say(resume))
    )
    const { applied, superseded } = Option.getOrThrow(last)
    const failures = yield* failuresOf(isIncluded)
    yield* Output.result(json, Json.FleetEnd, { applied, superseded, failures }, () =>
      Output.table([
        ["applied", `${applied}`, "green"],
        ["superseded", superseded === 0 ? undefined : `${superseded}`],
        ["failed", failures.length === 0 ? undefined : `${failures.length}`, "red"]
      ])
    )
    if (failures.length > 0)
      return yield* new CommandError({ reason: "Incomplete", message: Progress.failures(failures) })
  })

/** The layer of a fleet that is watched. `announced` runs if this process sends. */
const watched = (location: Store.Location, options: Options, announced: Effect.Effect<void>) =>
  Effect.gen(function* () {
    if (location._tag === "Postgres") {
      yield* say("The processes of the app send: this one watches.")
      return writing(location)
    }
    if (yield* isFree(location.file)) {
      yield* announced
      yield* say("No other process runs this fleet: this one sends until nothing is pending.")
      return sending(location.file, options)
    }
    yield* say("Another process runs this fleet, and sends: this one watches.")
    return writing(location)
  })

/** Watches a fleet until nothing is pending. */
export const watch = (options: Options) =>
  Effect.gen(function* () {
    const location = yield* Store.locationOf(options.fleet, Store.fleet)
    if (location._tag === "Sqlite") yield* Store.prepareFile(location.file, Store.fleet, false)
    const fleet = yield* watched(location, options, notify("fleet watch", options.server))
    yield* Effect.provide(
      watching(options.json, () => true),
      fleet
    )
  }).pipe(withMessage)

const readNames = Effect.map(
  Effect.promise(() => text(process.stdin)),
  (input) => input.split(/\r?\n/).filter((line) => line.trim() !== "")
)

export interface Setting extends Options {
  readonly request: UpdateInstallation
  readonly customers: ReadonlyArray<string>
  readonly all: boolean
  readonly stdin: boolean
  readonly watch: boolean
}

/** Sets the state of customers, and watches the fleet if asked to. */
export const set = ({ all, customers, request, stdin, watch, ...options }: Setting) =>
  Effect.gen(function* () {
    if ([all, stdin, customers.length > 0].filter(Boolean).length !== 1)
      return yield* new UsageError({ message: "Name customers, or pass --all, or --stdin: one of these" })
    const location = yield* Store.locationOf(options.fleet, Store.fleet)
    const names = new Set(stdin ? yield* readNames : customers)
    const app = all ? yield* Effect.provide(OAuth.clientConfig, environment(options.server)) : undefined
    if (location._tag === "Sqlite") yield* Store.prepareFile(location.file, Store.fleet, true)
    yield* notify("fleet set", options.server)
    const fleet = watch ? yield* watched(location, options, Effect.void) : writing(location)
    yield* Effect.gen(function* () {
      const count =
        app === undefined
          ? yield* Fleet.set(Array.from(names, (tenant) => ({ tenant, request })))
          : yield* Effect.provide(
              Fleet.setAll(
                {
                  ...app,
                  filter: (tenant) => {
                    names.add(tenant)
                    return true
                  }
                },
                request
              ),
              Store.layer(options.store)
            )
      if (watch) {
        if (options.json) yield* Output.line(Json.FleetSet, { set: count })
        return yield* watching(options.json, (tenant) => names.has(tenant))
      }
      yield* Output.result(
        options.json,
        Json.FleetSet,
        { set: count },
        () =>
          `${count} stored. ${
            location._tag === "Postgres"
              ? "The processes of the app send them: effect-pleo fleet watch shows the progress."
              : "The process that runs the fleet sends them, or else effect-pleo fleet watch."
          }`
      )
    }).pipe(Effect.provide(fleet))
  }).pipe(withMessage)

const sourceOrTarget = (location: Store.Location, kind: typeof Store.fleet, isCreated: boolean) =>
  location._tag === "Postgres"
    ? Effect.succeed(postgresOf(location, kind.name))
    : Effect.as(Store.prepareFile(location.file, kind, isCreated), Migrate.fromFile(location.file))

const refusals = {
  InUse: (name: string) =>
    `Nothing was copied: a process runs the fleet of the ${name}, or did in the last 10 seconds. Stop it first.`,
  NotEmpty: (name: string) => `Nothing was copied: the ${name} has states already. Use an empty one.`
}

/** Copies the states of a fleet to another store. */
export const migrate = (options: {
  readonly json: boolean
  readonly fleet: string | undefined
  readonly to: string | undefined
}) =>
  Effect.gen(function* () {
    const from = yield* Store.locationOf(options.fleet, Store.fleet)
    const to = yield* Store.locationOf(options.to, Store.target)
    const source = yield* sourceOrTarget(from, Store.fleet, false)
    const target = yield* sourceOrTarget(to, Store.target, true)
    const migrated = yield* Migrate.migrate<Fleet.FleetError | CommandError>(source, target)
    yield* Output.result(
      options.json,
      Json.FleetMigrated,
      { migrated },
      () => `${migrated} copied. Run the fleet on the target only: the source still has its states.`
    )
  }).pipe(
    Effect.mapError((error) =>
      error instanceof Migrate.MigrationError
        ? failed(refusals[error.reason](error.store === "source" ? Store.fleet.name : Store.target.name))
        : error
    ),
    withMessage
  )
