import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { outputOf, run } from "./support/command.ts"

const cases: ReadonlyArray<readonly [line: string, completed: ReadonlyArray<string>]> = [
  ["up", ["update"]],
  ["update A", ["ACTIVATED", "AUTHORIZED"]],
  ["update --err", ["--error-code"]],
  ["update --error-code N", ["NOT_ENTITLED"]],
  ["update --server staging --json ACT", ["ACTIVATED"]],
  ["--completions z", ["zsh"]]
]

const script = (shell: string) =>
  Effect.map(run(["--completions", shell]), ({ code, stderr, stdout }) => {
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    return stdout
  })

const lines = (text: string) => text.trimEnd().split("\n")
const expected = cases.map(([, words]) => words.join(" "))

describe("--completions", () => {
  it.live("completes commands, options and their values in bash", () =>
    Effect.gen(function* () {
      const files = `${import.meta.dirname}/completions.te`
      const complete = [...cases.map(([line]) => line), `get --credential-file ${files}`].map(
        (line) =>
          `COMP_WORDS=(effect-pleo ${line}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _effect_pleo; echo "\${COMPREPLY[*]}"`
      )
      const output = yield* outputOf("bash", ["-c", [yield* script("bash"), ...complete].join("\n")])
      expect(lines(output)).toEqual([...expected, `${files}st.ts`])
    })
  )
})
