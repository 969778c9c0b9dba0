import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { inPseudoTerminal, outputOf, timeout } from "./support/command.ts"
import { cases, scriptFor } from "./support/completions.ts"

describe("--completions", () => {
  it.scopedLive(
    "completes commands, options and their values in zsh",
    () =>
      Effect.gen(function* () {
        const file = yield* scriptFor("zsh")
        const shell = yield* inPseudoTerminal("zsh -f -i", { TERM: "dumb" })
        yield* shell.type(
          `autoload -Uz compinit; compinit -u -D; source '${file}'; effect-pleo() { echo "got $*"; }; echo $((6 * 7))\n`
        )
        yield* shell.says("42")
        for (const [line, completed] of cases) {
          yield* shell.type(`effect-pleo ${line}\t\n`)
          yield* shell.says(`got ${[...line.split(" ").slice(0, -1), completed].join(" ")}`)
        }
      }),
    timeout
  )

  it.scopedLive("completes commands, options and their values in fish", () =>
    Effect.gen(function* () {
      const file = yield* scriptFor("fish")
      const complete = cases.map(([line]) => `complete -C 'effect-pleo ${line}'`).join("; ")
      const output = yield* outputOf("fish", ["--no-config", "-c", `source '${file}'; ${complete}`])
      const completed = output
        .trimEnd()
        .split("\n")
        .map((line) => line.split("\t")[0])
      expect(completed).toEqual(cases.map(([, completed]) => completed))
    })
  )
})
