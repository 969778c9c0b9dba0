// A process with clients on a token store that it shares with others. It says "ready", and then carries out the
// orders that it reads, each a line of JSON. What it does with the store it says as it comes to it: a line for each
// step, after the name of the customer. At one of them it may be ordered to stop.
import { createInterface } from "node:readline"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Credentials from "@effect-pleo/core/Credentials"
import { InstallationService } from "@effect-pleo/core/InstallationService"
import * as OAuth from "@effect-pleo/core/OAuth"
import { TokenStore } from "@effect-pleo/core/TokenStore"
import * as NodeInstallationService from "@effect-pleo/node/NodeInstallationService"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as SqlTokenStore from "../../src/SqlTokenStore.ts"

/** In the order in which a refresh comes to them, but for `waiting`: another process has the lease. */
export type Step = "waiting" | "leasing" | "leased" | "storing" | "stored"

export interface Order {
  readonly tenants: ReadonlyArray<string>
  /** How many updates of each, all at once. */
  readonly updates: number
  /** That of `OAuth.credentials`, in milliseconds: a lease lasts twice as long. */
  readonly timeout: number
  /** The process sends itself this signal, as soon as every one of the customers has come to this step. */
  readonly stop?: { readonly at: Step; readonly signal: "SIGKILL" | "SIGSTOP" }
}

const { CLIENT_ID = "", CLIENT_SECRET = "", DATABASE = "", SERVER = "" } = process.env

const say = (line: string) => process.stdout.write(`${line}\n`)

let stop: (NonNullable<Order["stop"]> & { readonly awaited: Set<string> }) | undefined

const reach = (step: Step, key: string) =>
  Effect.suspend(() => {
    const tenant = key.slice(key.lastIndexOf("/") + 1)
    say(`${tenant} ${step}`)
    if (stop?.at !== step) return Effect.void
    const { awaited, signal } = stop
    awaited.delete(tenant)
    if (awaited.size > 0) return Effect.never
    stop = undefined
    process.kill(process.pid, signal)
    return Effect.void
  })

const observe = (store: TokenStore["Type"]): TokenStore["Type"] => {
  const own = new Set<string>()
  return {
    ...store,
    load: (key) =>
      Effect.tap(store.load(key), (stored) => {
        const authorization = Option.getOrUndefined(stored)?.authorization
        return authorization?._tag === "Refreshing" && !own.has(authorization.lease)
          ? reach("waiting", key)
          : Effect.void
      }),
    save: (key, expected, authorization) => {
      const save = store.save(key, expected, authorization)
      const within = (before: Step, after: Step) =>
        Effect.tap(Effect.zipRight(reach(before, key), save), (saved) =>
          saved ? reach(after, key) : Effect.void
        )
      switch (authorization._tag) {
        case "Refreshing":
          own.add(authorization.lease)
          return within("leasing", "leased")
        case "Active":
          return within("storing", "stored")
        case "Ended":
          return save
      }
    }
  }
}

const client = DATABASE.startsWith("postgres:")
  ? PgClient.layer({ url: Redacted.make(DATABASE) })
  : LibsqlClient.layer({ url: DATABASE })

const store = Layer.effect(TokenStore, Effect.map(SqlTokenStore.make, observe)).pipe(Layer.provide(client))

const service = (timeout: number) =>
  NodeInstallationService.layer({
    server: SERVER,
    credentials: OAuth.credentials({
      clientId: CLIENT_ID,
      clientSecret: Redacted.make(CLIENT_SECRET),
      tokenEndpoint: `${SERVER}/oauth/token`,
      timeout
    })
  })

const program = Effect.gen(function* () {
  const scope = yield* Effect.scope
  // They keep what they have learnt from one order to the next.
  const clientFor = yield* Effect.cachedFunction((timeout: number) =>
    Effect.map(Layer.buildWithScope(service(timeout), scope), Context.get(InstallationService))
  )
  const carryOut = ({ stop: ordered, tenants, timeout, updates }: Order) =>
    Effect.gen(function* () {
      stop = ordered && { ...ordered, awaited: new Set(tenants) }
      const { update } = yield* clientFor(timeout)
      const updateOf = (tenant: string, number: number) =>
        update({ status: "ACTIVATED", metadata: { note: `${process.pid} ${number}` } }).pipe(
          Credentials.use(OAuth.tenant(tenant)),
          Effect.match({
            onFailure: (error) => ("reason" in error ? error.reason : error._tag),
            onSuccess: () => "updated"
          })
        )
      yield* Effect.forEach(
        tenants,
        (tenant) =>
          Effect.map(
            Effect.forEach(
              Array.from({ length: updates }, (_, number) => number),
              (number) => updateOf(tenant, number),
              { concurrency: "unbounded" }
            ),
            (outcomes) => {
              const counts: Record<string, number> = {}
              for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1
              say(`${tenant} done ${JSON.stringify(counts)}`)
            }
          ),
        { concurrency: "unbounded" }
      )
    })
  say("ready")
  yield* Stream.fromAsyncIterable(createInterface({ input: process.stdin }), (cause) => cause).pipe(
    Stream.mapEffect((line) => carryOut(JSON.parse(line)), { concurrency: "unbounded" }),
    Stream.runDrain
  )
})

const fiber = program.pipe(Effect.scoped, Effect.provide(store), Effect.runFork)
process.once("SIGTERM", () => {
  fiber.addObserver(() => process.exit(128 + 15))
  fiber.unsafeInterruptAsFork(fiber.id())
})
