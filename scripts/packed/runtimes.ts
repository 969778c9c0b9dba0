// Where an update is made by what npm installed: Node.js, Bun, Deno.
import { join } from "node:path"
import { run } from "./run.ts"

/** The first line that a command of a package prints, for a runtime that the registry of packages has. */
const printed = async (cwd: string, ...command: ReadonlyArray<string>): Promise<string> =>
  (await run(["npx", "-y", ...command], { cwd })).trim().split("\n").at(-1) ?? ""

const isCurrent = (major: number): boolean => process.versions.node.startsWith(`${major}.`)

/** Found once, since npx takes longer than what it starts. */
export const find = {
  node: async (major: number, cwd: string): Promise<ReadonlyArray<string>> => [
    isCurrent(major) ? process.execPath : await printed(cwd, `node@${major}`, "-p", "process.execPath")
  ],
  bun: async (cwd: string): Promise<ReadonlyArray<string>> => [
    await printed(cwd, "bun@1", "-e", "console.log(process.execPath)")
  ],
  deno: async (cwd: string): Promise<ReadonlyArray<string>> => [
    await printed(cwd, "deno@2", "eval", "console.log(Deno.execPath())"),
    "run",
    "--allow-all",
    "--no-prompt",
    "--node-modules-dir=manual"
  ]
}

export const update = (
  command: ReadonlyArray<string>,
  directory: string,
  file: string,
  server: string
): Promise<string> =>
  run([...command, join(directory, file)], {
    cwd: directory,
    env: { PLEO_SERVER: server, PLEO_ACCESS_TOKEN: `token-${file}` }
  })
