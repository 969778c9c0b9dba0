// The scripts of --completions, and cases that each shell completes alike.
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { temporaryDirectory } from "../../../node/test/support/temporaryDirectory.ts"
import { run } from "./command.ts"

export const cases: ReadonlyArray<readonly [line: string, completed: string]> = [
  ["up", "update"],
  ["update ACT", "ACTIVATED"],
  ["update --err", "--error-code"],
  ["update --error-code N", "NOT_ENTITLED"],
  ["update --server staging --json ACT", "ACTIVATED"],
  ["fl", "fleet"],
  ["fleet wat", "watch"],
  ["fleet set ACT", "ACTIVATED"],
  ["fleet set --json --err", "--error-code"],
  ["fleet set --error-code N", "NOT_ENTITLED"],
  ["fleet migrate --t", "--to"],
  ["--completions z", "zsh"]
]

/** The script, in a file. */
export const scriptFor = (shell: string) =>
  Effect.gen(function* () {
    const file = join(yield* temporaryDirectory, "completions")
    const { code, stderr, stdout } = yield* run(["--completions", shell])
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    writeFileSync(file, stdout)
    return file
  })
