// The packages as they are packed, and what tools say of them that know how packages are resolved.
import { execFile } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { publint } from "publint"
import { formatMessage } from "publint/utils"
import { pack } from "../pack.ts"
import { packages, root } from "../support/modules.ts"

export interface Packed {
  readonly name: string
  readonly tarball: string
  /** The names of the modules that can be imported by a path. */
  readonly modules: ReadonlyArray<string>
  /** Its peers, with their ranges. */
  readonly peers: Readonly<Record<string, string>>
}

/** Builds and packs all into the directory: the libraries, and the tarball of the command. */
export const packAll = async (
  directory: string
): Promise<{ readonly libraries: ReadonlyArray<Packed>; readonly command: string }> => {
  const files = new Map(
    (await pack(directory)).map((file) => [file.replace(/^effect-pleo-(.*)-[^-]*\.tgz$/, "$1"), file])
  )
  const fileOf = (name: string) => join(directory, files.get(name) ?? "")
  const libraries = packages.map((name) => {
    const modules = readdirSync(join(root, "packages", name, "src"))
      // Modules have names in capitals; index and main are entries.
      .filter((file) => /^[A-Z].*\.ts$/.test(file))
      .map((file) => file.replace(/\.ts$/, ""))
    const manifest = readFileSync(join(root, "packages", name, "package.json"), "utf8")
    const { peerDependencies: peers } = JSON.parse(manifest)
    return { name: `@effect-pleo/${name}`, tarball: fileOf(name), modules, peers }
  })
  return { libraries, command: fileOf("cli") }
}

export const checkByPublint = async (tarball: string): Promise<void> => {
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
