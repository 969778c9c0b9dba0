import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Finding } from "./compiler.ts"

/** What the process that runs the examples says: that one begins, or how it ended. */
export type Message =
  | { readonly _tag: "Begin"; readonly file: string }
  | { readonly _tag: "End"; readonly file: string; readonly failures: ReadonlyArray<Omit<Finding, "file">> }

const runner = fileURLToPath(new URL("runner.ts", import.meta.url))

/** Without what this machine may have configured, and without what they print, which is for their readers. */
const start = (files: ReadonlyArray<string>) =>
  fork(runner, files, {
    execArgv: ["--import", "tsx"],
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("PLEO_"))),
    stdio: ["ignore", "ignore", "inherit", "ipc"]
  })

/** Runs these files in one process, up to the one that it ends with. How many that were, and what went wrong. */
const runSome = (files: ReadonlyArray<string>, patience: number) =>
  new Promise<{ readonly done: number; readonly findings: ReadonlyArray<Finding> }>((resolve) => {
    const findings: Array<Finding> = []
    const child = start(files)
    let current: string | undefined
    let done = 0
    let isLate = false
    const giveUp = (file: string) => {
      if (current !== file) return
      isLate = true
      child.kill("SIGKILL")
    }
    child.on("message", (message: Message) => {
      const { file } = message
      if (message._tag === "Begin") {
        current = file
        // The compiler keeps this process busy meanwhile: what was told is heard first.
        setTimeout(() => setImmediate(giveUp, file), patience).unref()
      } else {
        current = undefined
        done += 1
        findings.push(...message.failures.map((failure) => ({ file, ...failure })))
      }
    })
    child.on("close", (code) => {
      if (done === files.length) return resolve({ done, findings })
      const file = current ?? "the process that runs the examples"
      const message = isLate ? `takes more than ${patience} ms` : `ends the process with ${code}`
      resolve({ done: done + 1, findings: [...findings, { file, message }] })
    })
  })

/** Runs files, one after the other in one process, or in the next when one of them ends it. */
export const run = async (
  files: ReadonlyArray<string>,
  patience: number
): Promise<ReadonlyArray<Finding>> => {
  if (files.length === 0) return []
  const { done, findings } = await runSome(files, patience)
  return [...findings, ...(await run(files.slice(done), patience))]
}
