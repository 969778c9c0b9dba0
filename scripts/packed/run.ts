// Commands that end by themselves, and soon.
import { spawn } from "node:child_process"
import { once } from "node:events"

interface Options {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
}

/** In milliseconds. */
const maxTime = 150_000

const environment = (() => {
  // What was set for this process is not meant for those it starts.
  const { NODE_OPTIONS: _, NODE_PATH: __, ...rest } = process.env
  return rest
})()

/** What the command writes to its output. Fails with the start of what it said, unless it ends with 0. */
export const run = async (command: ReadonlyArray<string>, options: Options): Promise<string> => {
  const [file = "", ...args] = command
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: { ...environment, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: maxTime,
    killSignal: "SIGKILL"
  })
  let [output, errors] = ["", ""]
  child.stdout.on("data", (chunk) => {
    output += chunk
  })
  child.stderr.on("data", (chunk) => {
    errors += chunk
  })
  const [code, signal] = await once(child, "close")
  if (code === 0) return output
  const said = (errors + output).trim().split("\n").slice(0, 12).join("\n")
  throw new Error(`${signal ?? `exit code ${code}`}: ${said}`)
}
