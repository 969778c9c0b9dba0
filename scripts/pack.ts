import { fork } from "node:child_process"
import { once } from "node:events"
import { readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { root } from "./support/modules.ts"

/** Builds packages, or else all, and packs them into a directory, which gives the names of the tarballs. */
export const pack = async (
  directory: string,
  packages: ReadonlyArray<string> = []
): Promise<ReadonlyArray<string>> => {
  // A process of its own, that has this one's loader of TypeScript.
  const child = fork(fileURLToPath(new URL("build.ts", import.meta.url)), [directory, ...packages], {
    cwd: root,
    silent: true
  })
  let output = ""
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk) => {
      output += chunk
    })
  const [code] = await once(child, "close")
  if (code !== 0) throw new Error(`building failed:\n${output}`)
  return readdirSync(directory).sort()
}
