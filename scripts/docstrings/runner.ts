// Imports the modules that are its arguments, one after the other, and tells its parent how each ends. They reach
// this machine alone.
import { Socket } from "node:net"
import { setImmediate, setTimeout } from "node:timers/promises"
import { pathToFileURL } from "node:url"
import type { Finding } from "./compiler.ts"
import type { Message } from "./run.ts"

// What connects by a name or an address comes here with its options, undici and TLS included.
const { connect } = Socket.prototype
Socket.prototype.connect = function (this: Socket, ...args: ReadonlyArray<unknown>) {
  const [options] = args.flat() as ReadonlyArray<{ readonly host?: string } | undefined>
  if (!["127.0.0.1", "localhost", undefined].includes(options?.host))
    throw new Error(`it connects to ${options?.host}`)
  return Reflect.apply(connect, this, args)
}

const tell = (message: Message): Promise<void> =>
  new Promise((resolve) => process.send?.(message, undefined, {}, () => resolve()))

const describe = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const { cause, message, name } = error
  return `${name}: ${message}${cause === undefined ? "" : `, by ${describe(cause)}`}`
}

let current = ""
let failures: Array<Omit<Finding, "file">> = []

const fail = (what: string, error: unknown): void => {
  const [, place = ""] = (error instanceof Error && error.stack ? error.stack : "").split(`${current}:`)
  const line = Number.parseInt(place, 10)
  failures.push({ line: Number.isNaN(line) ? undefined : line, message: `${what}: ${describe(error)}` })
}

process.on("unhandledRejection", (error) => fail("leaves a rejection unhandled", error))
process.on("uncaughtException", (error) => fail("throws where nobody catches it", error))

/** What keeps the process alive, beyond what did before. */
const held = (before: ReadonlyArray<string> = []): ReadonlyArray<string> => {
  const rest = [...before]
  return process.getActiveResourcesInfo().filter((name) => {
    const at = rest.indexOf(name)
    if (at !== -1) rest.splice(at, 1)
    return at === -1
  })
}

for (const file of process.argv.slice(2)) {
  current = file
  failures = []
  await tell({ _tag: "Begin", file })
  const before = held()
  await import(pathToFileURL(file).href).catch((error) => fail("throws", error))
  // Rejections are reported before the next turn, and what is closed is gone a few turns later.
  await setImmediate()
  for (let turn = 0; held(before).length > 0 && turn < 100; turn++) await setTimeout(10)
  if (held(before).length > 0) fail("leaves something open", held(before).join(", "))
  await tell({ _tag: "End", file, failures })
}
// Whatever is still open was told.
process.exit()
