// Questions to the person at the terminal, on stderr. Those of @effect/cli take a "t" for a yes, and clear as many lines
// as a hidden text would fill.
import * as Readline from "node:readline"
import { Writable } from "node:stream"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { paintErr } from "./terminal.ts"

/** One line. Ctrl-C and Ctrl-D interrupt. */
const ask = (question: string, isHidden: boolean): Effect.Effect<string> =>
  Effect.async((resume) => {
    let line: string | undefined
    const output = isHidden ? new Writable({ write: (_chunk, _encoding, done) => done() }) : process.stderr
    // From here on, the terminal itself does not show what is typed.
    const reader = Readline.createInterface({ input: process.stdin, output, terminal: true, historySize: 0 })
    reader.once("line", (text) => {
      line = text
      reader.close()
    })
    reader.once("close", () => {
      if (isHidden || line === undefined) process.stderr.write("\n")
      resume(line === undefined ? Effect.interrupt : Effect.succeed(line))
    })
    if (isHidden) process.stderr.write(question)
    reader.setPrompt(question)
    reader.prompt()
    return Effect.sync(() => reader.close())
  })

const paint = (message: string): string => paintErr("bold", message)

/** Asks for a secret, of which nothing is shown. */
export const hidden = (message: string): Effect.Effect<Redacted.Redacted> =>
  Effect.suspend(() => Effect.map(ask(`${paint(message)}: `, true), (text) => Redacted.make(text.trim())))

/** Asks for a yes: everything else is a no. */
export const confirm = (message: string): Effect.Effect<boolean> =>
  Effect.suspend(() =>
    Effect.map(ask(`${paint(message)} [y/N] `, false), (text) => /^y(?:es)?$/i.test(text.trim()))
  )
