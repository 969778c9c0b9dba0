import { execFile } from "node:child_process"
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import { compile } from "../../packages/node/test/support/program.ts"

export interface Options {
  readonly environment?: Record<string, string>
  readonly argument?: string
}

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a file as a process of its own, with nothing configured but `environment`. */
export const run = (file: URL, options: Options = {}): Effect.Effect<Outcome> =>
  Effect.flatMap(
    Effect.promise(() => compile(file)),
    (program) =>
      Effect.async((resume) => {
        const { PLEO_ACCESS_TOKEN: _, PLEO_API_KEY: __, PLEO_SERVER: ___, ...inherited } = process.env
        const child = execFile(
          process.execPath,
          [program, ...(options.argument === undefined ? [] : [options.argument])],
          {
            cwd: dirname(fileURLToPath(file)),
            env: { ...inherited, NO_COLOR: "1", ...options.environment }
          },
          (error, stdout, stderr) =>
            resume(
              Effect.succeed({
                code: typeof error?.code === "number" ? error.code : error === null ? 0 : -1,
                stdout,
                stderr
              })
            )
        )
        return Effect.sync(() => child.kill())
      })
  )
