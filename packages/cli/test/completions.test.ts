import { existsSync, writeFileSync } from "node:fs"
import { delimiter, join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { directory, inPseudoTerminal, outputOf, run, timeout } from "./support/command.ts"

const cases: ReadonlyArray<readonly [line: string, completed: string]> = [
  ["up", "update"],
  ["update ACT", "ACTIVATED"],
  ["update --err", "--error-code"],
  ["update --error-code N", "NOT_ENTITLED"],
  ["update --server staging --json ACT", "ACTIVATED"],
  ["--completions z", "zsh"]
]

/** The script, in a file. */
const scriptFor = (shell: string) =>
  Effect.gen(function* () {
    const file = join(yield* directory, "completions")
    const { code, stderr, stdout } = yield* run(["--completions", shell])
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    writeFileSync(file, stdout)
    return file
  })

const isInstalled = (program: string): boolean =>
  (process.env["PATH"] ?? "").split(delimiter).some((path) => existsSync(join(path, program)))

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

  // CI installs both.
  if (isInstalled("zsh"))
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

  if (isInstalled("fish"))
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
