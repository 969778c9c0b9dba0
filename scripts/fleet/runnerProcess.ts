// A process that sends updates to the API of apiProcess.ts, by a fleet or by a plain loop. A parent tells it which.
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Credentials from "@effect-pleo/core/Credentials"
import * as InstallationService from "@effect-pleo/core/InstallationService"
import * as RetryPolicy from "@effect-pleo/core/RetryPolicy"
import { Fleet } from "@effect-pleo/fleet"
import * as NodeInstallationService from "@effect-pleo/node/NodeInstallationService"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { changesOf, requestOf, tenantOf } from "./changes.ts"

export type Order =
  /** One update after another, as many at a time as a fleet sends, for each of the flips. */
  | { readonly _tag: "Plain"; readonly rows: number; readonly flips: ReadonlyArray<number> }
  /** The same by a fleet in this process. */
  | {
      readonly _tag: "Flip"
      readonly rows: number
      readonly flips: ReadonlyArray<number>
      readonly file: string
    }
  /** A runner, until the process ends. */
  | { readonly _tag: "Run"; readonly database: string; readonly rateLimit?: number | undefined }

export interface Done {
  readonly seconds: number
  readonly cpuSeconds: number
  /** In bytes, at most. */
  readonly memory: number
}

const concurrency = 32
const server = process.env["API_URL"] ?? ""
const credentials = (tenant: string) => Credentials.bearer(Redacted.make(tenant))
const service = NodeInstallationService.layer({
  server,
  credentials: Credentials.perCall,
  connections: concurrency
})

const plain = (rows: number, flips: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    for (const flip of flips)
      yield* Effect.forEach(
        Array.from({ length: rows }).keys(),
        (row) =>
          InstallationService.update(requestOf(flip)).pipe(
            Credentials.use(credentials(tenantOf(row))),
            RetryPolicy.retry()
          ),
        { concurrency, discard: true }
      )
  }).pipe(Effect.orDie)

const flip = (rows: number, flips: ReadonlyArray<number>, file: string) =>
  Effect.gen(function* () {
    for (const flip of flips) {
      yield* Fleet.set(changesOf(rows, flip))
      yield* Stream.runDrain(Fleet.progress)
    }
  }).pipe(Effect.provide(Fleet.layerSingle({ file, concurrency, credentials })), Effect.orDie)

const measured = <R>(effect: Effect.Effect<void, never, R>) =>
  Effect.gen(function* () {
    let memory = 0
    const timer = setInterval(() => {
      memory = Math.max(memory, process.memoryUsage.rss())
    }, 100)
    const cpu = process.cpuUsage()
    const start = performance.now()
    yield* effect
    const seconds = (performance.now() - start) / 1000
    const { system, user } = process.cpuUsage(cpu)
    clearInterval(timer)
    process.send?.({ seconds, cpuSeconds: (user + system) / 1e6, memory } satisfies Done)
  })

const run = (database: string, rateLimit: number | undefined) =>
  Layer.launch(
    Fleet.layerCluster({ concurrency, credentials, rateLimit }).pipe(
      Layer.provide(PgClient.layer({ url: Redacted.make(database) })),
      Layer.orDie
    )
  )

const obey = (order: Order) => {
  switch (order._tag) {
    case "Plain":
      return measured(plain(order.rows, order.flips))
    case "Flip":
      return measured(flip(order.rows, order.flips, order.file))
    case "Run":
      return run(order.database, order.rateLimit)
  }
}

process.on("message", (order: Order) => {
  void Effect.runPromise(Effect.provide(obey(order), Layer.orDie(service))).catch((error) => {
    console.error(error)
    process.exit(1)
  })
})
process.on("disconnect", () => process.exit())
process.send?.({ ready: true })
