// The terminal: results go to stdout, everything else to stderr.

import * as Terminal from "@effect/platform/Terminal"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as NodeTerminal from "@effect/platform-node/NodeTerminal"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"

/** Whether a person can be asked: results may be piped all the same. */
export const isInteractive = (): boolean => process.stdin.isTTY === true && process.stderr.isTTY === true

const isDumb = (): boolean => process.env["TERM"] === "dumb"

/** https://no-color.org: any value but the empty one. */
const hasColors = (stream: NodeJS.WriteStream): boolean =>
  stream.isTTY === true && !process.env["NO_COLOR"] && !isDumb()

const styles = { bold: "1", dim: "2", red: "31", green: "32", yellow: "33", loud: "1;97;41" } as const

export type Style = keyof typeof styles

const paint = (stream: NodeJS.WriteStream, style: Style, text: string): string =>
  hasColors(stream) ? `\u001b[${styles[style]}m${text}\u001b[0m` : text

export const paintOut = (style: Style, text: string): string => paint(process.stdout, style, text)
export const paintErr = (style: Style, text: string): string => paint(process.stderr, style, text)

/** Escapes control and formatting characters: text of a server must not move the cursor or hide other text. */
export const visible = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    Array.from(
      { length: character.length },
      (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`
    ).join("")
  )

// biome-ignore lint/suspicious/noControlCharactersInRegex: SGR sequences begin with one.
const sgr = /\u001b\[[\d;]*m/g

/** @effect/cli paints its help and its prompts always. */
const unpainted = (stream: NodeJS.WriteStream, text: string): string =>
  hasColors(stream) ? text : text.replace(sgr, "")

const unpaintedConsole = Effect.map(Effect.console, (console) => ({
  ...console,
  log: (...args: ReadonlyArray<unknown>) =>
    console.log(...args.map((each) => unpainted(process.stdout, String(each)))),
  error: (...args: ReadonlyArray<unknown>) =>
    console.error(...args.map((each) => unpainted(process.stderr, String(each))))
}))

/** The prompts of @effect/cli appear on stderr, so that stdout has nothing but the result. */
const onStderr = Layer.effect(
  Terminal.Terminal,
  Effect.map(Terminal.Terminal, (self) => ({
    ...self,
    columns: Effect.sync(() => columns()),
    display: (text: string) =>
      Effect.async<void>((resume) => {
        process.stderr.write(unpainted(process.stderr, text), () => resume(Effect.void))
      })
  }))
)

/** The services of @effect/cli, with this command's manners. Logs go to stderr, and only from warnings on. */
export const layer = Layer.mergeAll(
  Layer.unwrapEffect(Effect.map(unpaintedConsole, Console.setConsole)),
  Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logger.logfmtLogger)),
  Logger.minimumLogLevel(LogLevel.Warning),
  NodeFileSystem.layer,
  NodePath.layer,
  Layer.provide(onStderr, NodeTerminal.layer)
)

/** A result, on stdout. */
export const print = (text: string): Effect.Effect<void> => Console.log(text)

/** A remark, on stderr. */
export const say = (text: string): Effect.Effect<void> => Console.error(text)

/** Whether stderr can show a line that changes. */
export const canRedraw = (): boolean => process.stderr.isTTY === true && !isDumb()

/** Replaces the line of stderr that changes. */
export const redraw = (line: string): Effect.Effect<void> =>
  Effect.sync(() => {
    process.stderr.write(`\r${line}\u001b[K`)
  })

/** A terminal that does not know its width says 0. */
export const columns = (): number => process.stderr.columns || 80

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"]

/** Shows on stderr, if that is a terminal, that the command waits. */
export const waiting =
  (label: string) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    !canRedraw()
      ? self
      : Effect.acquireUseRelease(
          Effect.sync(() => {
            let frame = 0
            return setInterval(() => {
              process.stderr.write(`\r${frames[frame++ % frames.length]} ${label}`)
            }, 80)
          }),
          () => self,
          (timer) =>
            Effect.sync(() => {
              clearInterval(timer)
              process.stderr.write("\r\u001b[K")
            })
        )
