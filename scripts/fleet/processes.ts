// The processes of a measurement: the API, and those that send it updates.
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { compile } from "../../packages/node/test/support/program.ts"
import type { Order as ApiOrder, Report } from "./apiProcess.ts"
import type { Done, Order as RunnerOrder } from "./runnerProcess.ts"

interface Child {
  readonly process: ChildProcess
  /** Sends an order, and returns the next message. */
  readonly ask: <A>(order: object) => Effect.Effect<A>
}

const start = (
  file: string,
  environment: Readonly<Record<string, string>>
): Effect.Effect<Child & { readonly first: unknown }, never, Scope.Scope> =>
  Effect.gen(function* () {
    const program = yield* Effect.promise(() => compile(new URL(file, import.meta.url), false))
    // Without the options of this process, which are those of the loader that runs it.
    const process_ = yield* Effect.acquireRelease(
      Effect.sync(() =>
        fork(program, {
          execArgv: [],
          env: { ...process.env, ...environment }
        })
      ),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    )
    const next = async (): Promise<unknown> => {
      const controller = new AbortController()
      const { signal } = controller
      try {
        return await Promise.race([
          once(process_, "message", { signal }).then(([message]) => message),
          once(process_, "exit", { signal }).then(() => {
            throw new Error(`${file} ended`)
          })
        ])
      } finally {
        controller.abort()
      }
    }
    const first = yield* Effect.promise(next)
    const mutex = yield* Effect.makeSemaphore(1)
    return {
      first,
      process: process_,
      ask: <A>(order: object) =>
        mutex.withPermits(1)(
          Effect.promise(() => {
            const reply = next()
            process_.send(order)
            return reply as Promise<A>
          })
        )
    }
  })

export interface Api {
  readonly url: string
  readonly reset: (options?: { readonly latency?: number }) => Effect.Effect<void>
  /** The updates it received. `newest` is the number of the newest flip. */
  readonly report: (newest: number) => Effect.Effect<Report>
}

export const startApi: Effect.Effect<Api, never, Scope.Scope> = Effect.map(
  start("apiProcess.ts", {}),
  ({ ask, first }) => ({
    url: (first as { readonly url: string }).url,
    reset: (options) => Effect.asVoid(ask({ _tag: "Reset", ...options } satisfies ApiOrder)),
    report: (newest) => ask({ _tag: "Report", newest } satisfies ApiOrder)
  })
)

export interface Runner {
  readonly measure: (order: RunnerOrder) => Effect.Effect<Done>
  /** Runs the fleet of a database. */
  readonly run: (database: string, rateLimit?: number) => void
  readonly kill: (signal: NodeJS.Signals) => void
}

export const startRunner = (api: Api): Effect.Effect<Runner, never, Scope.Scope> =>
  Effect.map(start("runnerProcess.ts", { API_URL: api.url }), ({ ask, process }) => ({
    measure: (order) => ask<Done>(order),
    run: (database, rateLimit) => {
      process.send({ _tag: "Run", database, rateLimit } satisfies RunnerOrder)
    },
    kill: (signal) => {
      process.kill(signal)
    }
  }))
