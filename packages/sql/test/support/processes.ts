// Processes that share a token store, see refreshProcess.ts, and the sandbox that they speak to.
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import type * as SqlClient from "@effect/sql/SqlClient"
import * as OAuth from "@effect-pleo/core/OAuth"
import { type Stored, TokenStore } from "@effect-pleo/core/TokenStore"
import * as Sandbox from "@effect-pleo/testing/Sandbox"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { compile } from "../../../node/test/support/program.ts"
import * as SqlTokenStore from "../../src/SqlTokenStore.ts"
import type { Order } from "./refreshProcess.ts"

const clientId = "client-of-the-tests"

export interface Process {
  readonly order: (order: Order) => void
  /** The rest of the first line, not asked for before, that begins so. Waits for it. */
  readonly says: (start: string) => Effect.Effect<string>
  readonly kill: (signal: NodeJS.Signals) => void
  readonly isRunning: () => boolean
  readonly end: Effect.Effect<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
}

const spawnProcess = (program: string, environment: Record<string, string>): Process => {
  const child = spawn(process.execPath, [program], { env: { ...process.env, ...environment } })
  let output = ""
  let isClosed = false
  const lines: Array<string> = []
  const listeners = new Set<() => void>()
  const wake = () => {
    for (const listener of [...listeners]) listener()
  }
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk) => {
      output += chunk
    })
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line)
    wake()
  })
  const end = once(child, "close").then(([code, signal]) => {
    isClosed = true
    wake()
    return { code, signal }
  })
  return {
    order: (order) => {
      child.stdin.write(`${JSON.stringify(order)}\n`)
    },
    says: (start) =>
      Effect.async((resume) => {
        const look = () => {
          const index = lines.findIndex((line) => line.startsWith(start))
          if (index < 0 && !isClosed) return
          listeners.delete(look)
          resume(
            index < 0
              ? Effect.dieMessage(`The process ended without "${start}":\n${output}`)
              : Effect.succeed((lines.splice(index, 1)[0] ?? "").slice(start.length))
          )
        }
        listeners.add(look)
        look()
        return Effect.sync(() => listeners.delete(look))
      }),
    kill: (signal) => {
      child.kill(signal)
    },
    isRunning: () => child.exitCode === null && child.signalCode === null,
    end: Effect.promise(() => end)
  }
}

export interface Customer {
  readonly tenant: string
  readonly grantId: string
  /** What is stored at present. */
  readonly stored: Effect.Effect<Stored | undefined>
  /** The requests to the token endpoint: the generation of the token that was sent, and what became of it. */
  readonly refreshes: Effect.Effect<ReadonlyArray<string>>
  /** The status of each update that arrived, with the generation of the token that it carried. */
  readonly updates: Effect.Effect<ReadonlyArray<string>>
  /** What the updates that succeeded carried. */
  readonly notes: Effect.Effect<ReadonlyArray<string>>
  /** The same customer with the tokens of a new consent, stored. */
  readonly authorizeAgain: Effect.Effect<Customer>
}

export class Processes extends Context.Tag("Processes")<
  Processes,
  {
    readonly sandbox: Sandbox.Sandbox["Type"]
    /** A new customer whose tokens are stored. `storedFor` is their life as the store has it. */
    readonly authorize: (storedFor?: Duration.DurationInput) => Effect.Effect<Customer>
    /** A process that starts now. */
    readonly start: Effect.Effect<Process, never, Scope.Scope>
    /** A process that has been there for a while: to start one takes much longer than what it is for. */
    readonly running: Effect.Effect<Process, never, Scope.Scope>
  }
>() {}

const make = (database: string) =>
  Effect.gen(function* () {
    const sandbox = yield* Sandbox.Sandbox
    const store = yield* TokenStore
    const scope = yield* Effect.scope
    const program = yield* Effect.promise(() => compile(new URL("refreshProcess.ts", import.meta.url)))
    const clientSecret = "canary-of-the-client-secret"
    const tokenEndpoint = `${sandbox.url}/oauth/token`
    let count = 0

    const authorize = (tenant: string, storedFor?: Duration.DurationInput): Effect.Effect<Customer> =>
      Effect.gen(function* () {
        const grant = yield* sandbox.authorize({ clientId, clientSecret })
        let key = ""
        yield* OAuth.storeTokens(
          { clientId, tenant, tokenEndpoint },
          { ...grant, expiresIn: storedFor ?? grant.expiresIn }
        ).pipe(
          Effect.provideService(TokenStore, {
            ...store,
            save: (own, expected, authorization) => {
              key = own
              return store.save(own, expected, authorization)
            }
          })
        )
        const seen = <A>(path: string, pick: (request: Recorded) => A) =>
          Effect.map(sandbox.requests, (requests) =>
            requests.filter((request) => request.path === path && request.grant?.id === grant.id).map(pick)
          )
        return {
          tenant,
          grantId: grant.id,
          stored: Effect.map(Effect.orDie(store.load(key)), Option.getOrUndefined),
          refreshes: seen("/oauth/token", ({ grant }) => `${grant?.generation} ${grant?.outcome}`),
          updates: seen("/v1/installations/me", ({ grant, status }) => `${grant?.generation} ${status}`),
          notes: Effect.map(
            seen("/v1/installations/me", ({ body, status }) =>
              status === 200 ? [String(JSON.parse(body).metadata.note)] : []
            ),
            (notes) => notes.flat()
          ),
          authorizeAgain: Effect.suspend(() => authorize(tenant))
        }
      }).pipe(Effect.orDie)

    const spawned = Effect.gen(function* () {
      const process = yield* Effect.acquireRelease(
        Effect.sync(() =>
          spawnProcess(program, {
            CLIENT_ID: clientId,
            CLIENT_SECRET: clientSecret,
            DATABASE: database,
            SERVER: sandbox.url
          })
        ),
        ({ end, kill }) =>
          Effect.zipRight(
            Effect.sync(() => kill("SIGKILL")),
            end
          )
      ).pipe(Scope.extend(scope))
      yield* process.says("ready")
      return process
    })

    const idle: Array<Process> = []
    /** What is left of a test that failed is for no other. */
    const lend = (process: Effect.Effect<Process>) =>
      Effect.acquireRelease(process, (process, exit) =>
        Effect.sync(() => {
          if (Exit.isSuccess(exit) && process.isRunning()) idle.push(process)
        })
      )
    const known = Effect.suspend(() => {
      const process = idle.shift()
      return process === undefined ? spawned : Effect.succeed(process)
    })
    return Processes.of({
      sandbox,
      authorize: (storedFor) => Effect.suspend(() => authorize(`customer-${++count}`, storedFor)),
      start: lend(spawned),
      running: lend(known)
    })
  })

type Recorded = Effect.Effect.Success<Sandbox.Sandbox["Type"]["requests"]>[number]

/** Processes on this database, with a store of its own for what the tests themselves store there. */
export const layer = <E>(
  database: string,
  client: Layer.Layer<SqlClient.SqlClient, E>
): Layer.Layer<Processes> =>
  Layer.scoped(Processes, make(database)).pipe(
    Layer.provide([Sandbox.layer(), Layer.provide(SqlTokenStore.layer, client)]),
    Layer.orDie
  )
