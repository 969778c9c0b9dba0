// Opens a URL in the user's browser, without a shell.
import { spawn } from "node:child_process"
import * as Effect from "effect/Effect"

export const commandOf = (
  platform: NodeJS.Platform,
  url: string
): readonly [file: string, ...args: ReadonlyArray<string>] => {
  switch (platform) {
    case "darwin":
      return ["open", url]
    // `start` is a command of the shell, to which the `&` of a URL is one too. This is the program behind it.
    case "win32":
      return ["rundll32", "url.dll,FileProtocolHandler", url]
    default:
      return ["xdg-open", url]
  }
}

/** The environment without the variables of this command and of PostgreSQL's driver, some of which are secrets. */
const environment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(?:PLEO_|PG)/i.test(name)))

/** Does nothing where there is no browser: the URL was printed too. */
export const open = (url: string): Effect.Effect<void> =>
  Effect.sync(() => {
    const [file, ...args] = commandOf(process.platform, url)
    const child = spawn(file, args, { detached: true, env: environment(), stdio: "ignore" })
    child.on("error", () => {})
    child.unref()
  })
