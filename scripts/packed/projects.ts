// Projects that have nothing but what npm installs.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { root } from "../support/modules.ts"
import type { Packed } from "./packages.ts"
import { run } from "./run.ts"
import { compilers } from "./types.ts"

const consumers = fileURLToPath(new URL("consumers", import.meta.url))

/** A package in the version that the repository is developed with. */
const pinned = (name: string, by: string): string => {
  const manifest = createRequire(join(root, by, "package.json")).resolve(`${name}/package.json`)
  return `${name}@${JSON.parse(readFileSync(manifest, "utf8")).version}`
}

const npm = ["--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]

const install = async (directory: string, packages: ReadonlyArray<string>): Promise<string> => {
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, "package.json"), '{ "private": true }\n')
  await run(["npm", "install", ...npm, ...packages], { cwd: directory })
  cpSync(consumers, directory, { recursive: true })
  return directory
}

const tarballs = (all: ReadonlyArray<Packed>, names: ReadonlyArray<string>) =>
  all.filter(({ name }) => names.includes(name)).map(({ tarball }) => tarball)

const withCompilers = [
  pinned("@types/node", "packages/sql"),
  ...Object.entries(compilers).map(([name, version]) => `${name}@npm:typescript@${version}`)
]

const fleetPeers = ["cluster", "rpc", "workflow", "sql-libsql"].map((name) =>
  pinned(`@effect/${name}`, "packages/fleet")
)

/** What an application installs, and no more. */
export const installApplication = (directory: string, all: ReadonlyArray<Packed>): Promise<string> =>
  install(directory, [
    ...tarballs(all, ["@effect-pleo/core", "@effect-pleo/node"]),
    ...["effect", "@effect/platform"].map((name) => pinned(name, "packages/core"))
  ])

/** The same with a fleet on either store. */
export const installFleet = (directory: string, all: ReadonlyArray<Packed>): Promise<string> =>
  install(directory, [
    ...tarballs(all, ["@effect-pleo/core", "@effect-pleo/node", "@effect-pleo/fleet"]),
    ...fleetPeers,
    ...["effect", "@effect/platform", "@effect/sql", "@effect/experimental", "@effect/sql-pg"].map((name) =>
      pinned(name, "packages/sql")
    )
  ])

/** The same with what its unit tests need. */
export const installUnitTests = (directory: string, all: ReadonlyArray<Packed>): Promise<string> =>
  install(directory, [
    ...tarballs(all, ["@effect-pleo/core", "@effect-pleo/node", "@effect-pleo/testing"]),
    ...["effect", "@effect/platform"].map((name) => pinned(name, "packages/core"))
  ])

/** An application with bundlers and jest. */
export const installTools = (directory: string, all: ReadonlyArray<Packed>): Promise<string> =>
  install(directory, [
    ...tarballs(all, ["@effect-pleo/core", "@effect-pleo/node"]),
    ...["effect", "@effect/platform"].map((name) => pinned(name, "packages/core")),
    ...["rollup@4", "@rollup/plugin-node-resolve@16", "@rollup/plugin-commonjs@29", "vite@7", "jest@30"]
  ])

const installed = (directory: string): ReadonlyArray<string> =>
  Object.keys(JSON.parse(readFileSync(join(directory, "package-lock.json"), "utf8")).packages)

/** An application without a fleet has no engine for one. */
export const checkWithoutCluster = (application: string): void => {
  const found = installed(application).filter((path) => /@effect\/(?:cluster|rpc|sql|workflow)/.test(path))
  if (found.length > 0) throw new Error(`it installs ${found.join(", ")}`)
}

const maxUnitTestPackages = 4

/** A unit test installs no HTTP server. */
export const checkUnitTests = (application: string, tested: string): void => {
  const more = installed(tested).filter((path) => !installed(application).includes(path))
  if (more.length > maxUnitTestPackages) throw new Error(`${more.length} more packages: ${more.join(", ")}`)
}

/** The command, which brings all that it needs. */
export const installCommand = (
  directory: string,
  command: string,
  all: ReadonlyArray<Packed>
): Promise<string> => install(directory, [command, ...all.map(({ tarball }) => tarball)])

/** All libraries, with what they want beside them, and the compilers. */
export const installEverything = (directory: string, all: ReadonlyArray<Packed>): Promise<string> =>
  install(directory, [
    ...all.map(({ tarball }) => tarball),
    ...["effect", "@effect/platform", "@effect/sql", "@effect/experimental"].map((name) =>
      pinned(name, "packages/sql")
    ),
    ...fleetPeers,
    pinned("@effect/platform-node", "packages/testing"),
    ...withCompilers
  ])

/** The first version that `^` admits, of the packages that all of these want beside them. */
const lowest = (packages: ReadonlyArray<Packed>): ReadonlyArray<string> => {
  const versions = new Map<string, string>()
  for (const { peers } of packages)
    for (const [name, range] of Object.entries(peers)) {
      const [, version] = /^\^(\d+\.\d+\.\d+)$/.exec(range) ?? []
      if (version === undefined) throw new Error(`no lowest version is known of ${name}@${range}`)
      const other = versions.get(name) ?? version
      versions.set(name, version.localeCompare(other, "en", { numeric: true }) > 0 ? version : other)
    }
  return [...versions].map(([name, version]) => `${name}@${version}`)
}

/** These, and beside them the oldest of all that they admit. */
export const installLowest = (directory: string, packages: ReadonlyArray<Packed>): Promise<string> =>
  install(directory, [...packages.map(({ tarball }) => tarball), ...lowest(packages), ...withCompilers])

/**
 * Two of them would not know each other's services and schemas. npm fails when a package has a peer beside it that
 * its range does not admit.
 */
export const checkOneEffect = async (directory: string): Promise<void> => {
  const paths = (await run(["npm", "ls", "effect", "--all", "--parseable"], { cwd: directory }))
    .split("\n")
    .filter((path) => /[\\/]node_modules[\\/]effect$/.test(path))
  if (new Set(paths).size !== 1) throw new Error(`effect is installed ${new Set(paths).size} times`)
}

/** A debugger, and an editor that goes to a definition, find the sources by the maps. */
export const checkFiles = async (directory: string): Promise<void> => {
  for (const name of ["README.md", "LICENSE"])
    if (!existsSync(join(directory, name))) throw new Error(`there is no ${name}`)
  const files = readdirSync(directory, { encoding: "utf8", recursive: true })
  const maps = files.filter((name) => name.endsWith(".map")).map((name) => join(directory, name))
  if (maps.length === 0) throw new Error("there are no maps")
  for (const map of maps) {
    const { sourceRoot = "", sources } = JSON.parse(readFileSync(map, "utf8"))
    for (const source of sources)
      if (!existsSync(join(dirname(map), sourceRoot, source)))
        throw new Error(`${map} leads to ${source}, which is not there`)
  }
}
