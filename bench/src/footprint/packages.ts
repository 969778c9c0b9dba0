// Installs packages as an application would, by npm, and counts what that brings along.
import { execFile } from "node:child_process"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { pack } from "../../../scripts/pack.ts"

export interface Installed {
  readonly name: string
  /** How many packages there are, those asked for included. */
  readonly packages: number
}

/** Without the network, or when a package cannot be built. */
export interface NotInstalled {
  readonly name: string
  readonly error: string
}

export type Installation = Installed | NotInstalled

/** Where the packages of a name are installed, below a common parent. */
export const directoryOf = (parent: string, name: string): string => join(parent, name)

/** How many packages an application may have with ours, its Effect included. */
export const maxPackages = 15

/** A package in the version that the other figures are measured with. */
const pinned = (name: string): string => {
  const manifest = new URL(`../../node_modules/${name}/package.json`, import.meta.url)
  return `${name}@${JSON.parse(readFileSync(manifest, "utf8")).version}`
}

const projects: Readonly<Record<string, ReadonlyArray<string>>> = {
  axios: ["axios"],
  ky: ["ky"],
  got: ["got"],
  "openapi-fetch": ["openapi-fetch"],
  "@effect/platform-node": ["@effect/platform-node", "@effect/platform", "effect"]
}

/** The files of core and node that would be published. */
const packBoth = async (directory: string): Promise<ReadonlyArray<string>> =>
  (await pack(directory, ["core", "node"])).map((name) => join(directory, name))

const countIn = (directory: string): number => {
  const lockfile = join(directory, "node_modules/.package-lock.json")
  return Object.keys(JSON.parse(readFileSync(lockfile, "utf8")).packages).length
}

const options = ["--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]

const install = async (parent: string, name: string, packages: ReadonlyArray<string>): Promise<Installed> => {
  const directory = directoryOf(parent, name)
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, "package.json"), '{ "private": true, "type": "module" }\n')
  await promisify(execFile)("npm", ["install", ...options, ...packages], { cwd: directory, timeout: 120_000 })
  return { name, packages: countIn(directory) }
}

const orError = (name: string, installation: Promise<Installed>): Promise<Installation> =>
  installation.catch((error) => ({ name, error: error instanceof Error ? error.message : String(error) }))

/** Installs all, each in a directory of its own, ours first. */
export const installAll = (parent: string): Promise<ReadonlyArray<Installation>> => {
  const ours = async () => {
    const tarballs = await packBoth(join(parent, "tarballs"))
    return await install(parent, "effect-pleo", [...tarballs, ...["effect", "@effect/platform"].map(pinned)])
  }
  return Promise.all([
    orError("effect-pleo", ours()),
    ...Object.entries(projects).map(([name, packages]) =>
      orError(name, install(parent, name, packages.map(pinned)))
    )
  ])
}
