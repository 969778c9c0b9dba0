import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { outputOf } from "./support/command.ts"
import { cases, scriptFor } from "./support/completions.ts"

describe("--completions", () => {
  it.scopedLive("completes commands, options, their values and files in bash", () =>
    Effect.gen(function* () {
      const file = yield* scriptFor("bash")
      const complete = [
        ...cases.map(([line]) => line),
        "update A",
        `get --credential-file ${file.slice(0, -1)}`
      ]
        .map((line) => `COMP_WORDS=(effect-pleo ${line}); complete_words`)
        .join("\n")
      const output = yield* outputOf("bash", [
        "-c",
        `source '${file}'
complete_words() { COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _effect_pleo; echo "\${COMPREPLY[*]}"; }
${complete}`
      ])
      expect(output.trimEnd().split("\n")).toEqual([
        ...cases.map(([, completed]) => completed),
        "ACTIVATED AUTHORIZED",
        file
      ])
    })
  )
})
