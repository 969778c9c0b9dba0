import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Finding } from "./check.ts"

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
    let current = "the process that runs the examples"
    let done = 0
    let isLate = false
    let timer: NodeJS.Timeout | undefined
    child.on("message", (message: Message) => {
      clearTimeout(timer)
      current = message.file
      if (message._tag === "End") {
        done += 1
        findings.push(...message.failures.map((failure) => ({ file: message.file, ...failure })))
      } else
        timer = setTimeout(() => {
          isLate = true
          child.kill("SIGKILL")
        }, patience)
    })
    child.on("close", (code) => {
      clearTimeout(timer)
      if (done === files.length) return resolve({ done, findings })
      const message = isLate ? `takes more than ${patience} ms` : `ends the process with ${code}`
      resolve({ done: done + 1, findings: [...findings, { file: current, message }] })
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
