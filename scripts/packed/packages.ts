// The packages as they are packed, and what tools say of them that know how packages are resolved.
import { execFile } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { publint } from "publint"
import { formatMessage } from "publint/utils"
import { pack } from "../pack.ts"
import { root } from "../support/modules.ts"

export interface Packed {
  readonly name: string
  readonly tarball: string
  /** The names of the modules that can be imported by a path. */
  readonly modules: ReadonlyArray<string>
  /** Its peers, with their ranges. */
  readonly peers: Readonly<Record<string, string>>
}

/** Builds and packs all into the directory. */
export const packAll = async (directory: string): Promise<ReadonlyArray<Packed>> => {
  const tarballs = await pack(directory)
  return tarballs.map((file) => {
    const name = file.replace(/^effect-pleo-(.*)-[^-]*\.tgz$/, "$1")
    const modules = readdirSync(join(root, "packages", name, "src"))
      // Modules have names in capitals; index and main are entries.
      .filter((file) => /^[A-Z].*\.ts$/.test(file))
      .map((file) => file.replace(/\.ts$/, ""))
    const manifest = readFileSync(join(root, "packages", name, "package.json"), "utf8")
    const { peerDependencies: peers } = JSON.parse(manifest)
    return { name: `@effect-pleo/${name}`, tarball: join(directory, file), modules, peers }
  })
}

export const checkByPublint = async ({ tarball }: Packed): Promise<void> => {
  const { buffer, byteOffset, length } = readFileSync(tarball)
  const contents = (buffer as ArrayBuffer).slice(byteOffset, byteOffset + length)
  const { messages, pkg } = await publint({ pack: { tarball: contents } })
  if (messages.length > 0)
    throw new Error(messages.map((message) => formatMessage(message, pkg, { color: false })).join("; "))
}

/** Of patterns it knows nothing, so it is told each module. */
export const checkByAttw = async ({ modules, tarball }: Packed): Promise<void> => {
  const attw = join(root, "node_modules/@arethetypeswrong/cli/dist/index.js")
  const options = ["--format", "json", "--include-entrypoints", ...modules]
  const { stdout } = await promisify(execFile)(process.execPath, [attw, tarball, ...options], {
    maxBuffer: 2 ** 26
  }).catch((error) => error as { stdout: string })
  const { analysis, problems } = JSON.parse(stdout)
  if (analysis?.types?.kind !== "included") throw new Error("it finds no types")
  if (Object.keys(problems ?? {}).length > 0) throw new Error(JSON.stringify(problems))
}
