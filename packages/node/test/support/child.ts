// A process of its own that sends updates, see updateProcess.ts.
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { compile } from "./program.ts"

export interface Child {
  /** Starts an update that carries this note in its metadata. */
  readonly send: (note: string) => void
  /** What became of the oldest update not yet asked for. */
  readonly outcome: Effect.Effect<unknown>
  readonly kill: (signal: NodeJS.Signals) => void
  /** The exit code and all that was printed, when the process is over. */
  readonly end: Effect.Effect<{ readonly code: number; readonly output: string }>
}

/** Starts the process, with these variables besides its parent's. It is killed with the scope. */
export const start = (environment: Record<string, string>): Effect.Effect<Child, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.map(
      Effect.promise(() => compile(new URL("updateProcess.ts", import.meta.url))),
      (program) => {
        const { PLEO_ACCESS_TOKEN: _, PLEO_API_KEY: __, PLEO_SERVER: ___, ...inherited } = process.env
        const child = spawn(process.execPath, [program], { env: { ...inherited, ...environment } })
        let output = ""
        for (const stream of [child.stdout, child.stderr])
          stream.on("data", (chunk) => {
            output += chunk
          })
        const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
        const closed = once(child, "close")
        return {
          child,
          send: (note: string) => {
            child.stdin.write(`${note}\n`)
          },
          outcome: Effect.promise(async () => JSON.parse((await lines.next()).value ?? "null") as unknown),
          kill: (signal: NodeJS.Signals) => {
            child.kill(signal)
          },
          end: Effect.promise(async () => {
            const [code] = await closed
            return { code: Number(code), output }
          })
        }
      }
    ),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  )
