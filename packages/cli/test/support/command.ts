// The command as a process of its own: piped, or in a pseudo-terminal.
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Sandbox from "@effect-pleo/testing/Sandbox"
import type * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { databaseDirectory } from "../../../node/test/support/temporaryDirectory.ts"
import { program } from "../../src/internal/program.ts"
import { programs } from "./build.ts"

export interface Result {
  readonly code: number | null
  /** In a terminal, also what the command wrote to stderr. */
  readonly stdout: string
  readonly stderr: string
}

export interface Process {
  readonly child: ChildProcess
  /** Waits until the text has been written, to either stream. */
  readonly says: (text: string) => Effect.Effect<void>
  readonly type: (text: string) => Effect.Effect<void>
  /** Of stderr so far. */
  readonly stderr: () => string
  readonly end: Effect.Effect<Result>
}

/** Of a test that starts several processes, in milliseconds: a busy machine takes seconds for each. */
export const timeout = 60_000

type Environment = Readonly<Record<string, string>>

const follow = (child: ChildProcess): Process => {
  const output = { stdout: "", stderr: "" }
  const listeners = new Set<() => void>()
  const wake = () => {
    for (const listener of [...listeners]) listener()
  }
  let isClosed = false
  for (const name of ["stdout", "stderr"] as const)
    child[name]?.on("data", (chunk) => {
      output[name] += chunk
      wake()
    })
  const end = once(child, "close").then(([code]) => {
    isClosed = true
    wake()
    return { code, ...output }
  })
  return {
    child,
    says: (text) =>
      Effect.async((resume) => {
        const look = () => {
          const isSaid = `${output.stdout}${output.stderr}`.includes(text)
          if (!isSaid && !isClosed) return
          listeners.delete(look)
          resume(
            isSaid
              ? Effect.void
              : Effect.dieMessage(`It ended without "${text}":\n${output.stdout}${output.stderr}`)
          )
        }
        listeners.add(look)
        look()
      }),
    type: (text) => Effect.sync(() => child.stdin?.write(text)),
    stderr: () => output.stderr,
    end: Effect.promise(() => end)
  }
}

const environmentOf = (environment: Environment): Environment => ({
  PATH: process.env["PATH"] ?? "",
  HOME: tmpdir(),
  TERM: "xterm",
  ...environment
})

const start = (file: string, args: ReadonlyArray<string>, environment: Environment, hasInput: boolean) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      follow(
        spawn(file, args, {
          env: environmentOf(environment),
          stdio: [hasInput ? "pipe" : "ignore", "pipe", "pipe"]
        })
      )
    ),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  )

/** A command ends before it would profit from an optimizing compiler. */
const flags = ["--no-opt", "--max-semi-space-size=32"]

/** A running command without a terminal. A `lean` one has the files of its start, and no others. */
export const spawned = (
  args: ReadonlyArray<string>,
  environment: Environment = {},
  which: "program" | "lean" = "program"
): Effect.Effect<Process, never, Scope.Scope> =>
  Effect.flatMap(Effect.promise(programs), (programs) =>
    start(process.execPath, [...flags, programs[which], ...args], environment, false)
  )

/** A shell's command in a pseudo-terminal of util-linux. */
export const inPseudoTerminal = (
  command: string,
  environment: Environment
): Effect.Effect<Process, never, Scope.Scope> =>
  start("script", ["-qec", `exec ${command}`, "/dev/null"], environment, true)

/** A running command in a pseudo-terminal. `redirection` is the shell's, such as `>file`. */
export const inTerminal = (
  args: ReadonlyArray<string>,
  environment: Environment = {},
  redirection = ""
): Effect.Effect<Process, never, Scope.Scope> =>
  Effect.flatMap(Effect.promise(programs), ({ program }) => {
    const command = [process.execPath, ...flags, program, ...args].map((each) => `'${each}'`).join(" ")
    return inPseudoTerminal(`${command} ${redirection}`, environment)
  })

export const runPiped = (
  args: ReadonlyArray<string>,
  environment?: Environment,
  which?: "program" | "lean"
): Effect.Effect<Result> => Effect.scoped(Effect.flatMap(spawned(args, environment, which), ({ end }) => end))

export const runInTerminal = (
  args: ReadonlyArray<string>,
  environment?: Environment
): Effect.Effect<Result> => Effect.scoped(Effect.flatMap(inTerminal(args, environment), ({ end }) => end))

/** A run in this process, which costs a fraction: for all that a process of its own would not do otherwise. */
export const run = (args: ReadonlyArray<string>, environment: Environment = {}): Effect.Effect<Result> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const { env } = process
      process.env = environmentOf(environment)
      return env
    }),
    () =>
      Effect.gen(function* () {
        const output = { stdout: "", stderr: "" }
        const add = (name: keyof typeof output) => (text: unknown) => {
          output[name] += `${text}\n`
        }
        const console = yield* Effect.console
        const code = yield* Effect.withConsole(program(args), {
          ...console,
          log: (text) => Effect.sync(() => add("stdout")(text)),
          error: (text) => Effect.sync(() => add("stderr")(text)),
          unsafe: { ...console.unsafe, log: add("stdout"), error: add("stderr") }
        } satisfies Console.Console)
        return { code, ...output }
      }),
    (env) =>
      Effect.sync(() => {
        process.env = env
      })
  )

/** A sandbox, and the variables of an app and of a store in a new directory. */
export const makeSandbox = Effect.gen(function* () {
  const sandbox = Context.get(yield* Layer.build(Sandbox.layer()), Sandbox.Sandbox)
  const file = join(yield* databaseDirectory, "tokens.db")
  return {
    sandbox,
    file,
    app: {
      PLEO_SERVER: sandbox.url,
      PLEO_TOKEN_ENDPOINT: `${sandbox.url}/oauth/token`,
      PLEO_CLIENT_ID: "client-of-the-tests",
      PLEO_CLIENT_SECRET: "canary-client-secret",
      PLEO_STORE: `sqlite:${file}`
    }
  }
})

/** The only JSON value of an output, on one line, as its schema has it. */
export const strictly =
  <A, I>(schema: Schema.Schema<A, I>) =>
  (stdout: string): A => {
    const [line = "", ...others] = stdout.trimEnd().split("\n")
    if (others.length > 0) throw new Error(`expected one line:\n${stdout}`)
    return Schema.decodeUnknownSync(schema)(JSON.parse(line), { onExcessProperty: "error" })
  }

/** The output of a program that is no command of ours. */
export const outputOf = (file: string, args: ReadonlyArray<string>): Effect.Effect<string> =>
  Effect.scoped(
    Effect.flatMap(start(file, args, {}, false), ({ end }) => Effect.map(end, ({ stdout }) => stdout))
  )
