import { readdirSync, readFileSync } from "node:fs"
import { basename } from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("../..", import.meta.url))

/** The libraries, by their directories. */
export const packages: ReadonlyArray<string> = ["core", "node", "sql", "fleet", "testing"]

/** All that is published: the libraries, and the command, which exports nothing. */
export const published: ReadonlyArray<string> = [...packages, "cli"]

export interface Module {
  readonly package: string
  readonly name: string
  readonly path: string
}

/** The modules that the packages export. An index names the same ones once more. */
export const publicModules = (): ReadonlyArray<Module> =>
  packages.flatMap((name) => {
    const directory = `${root}packages/${name}`
    const { exports } = JSON.parse(readFileSync(`${directory}/package.json`, "utf8"))
    return readdirSync(`${directory}/src`)
      .filter((file) => file.endsWith(".ts") && file !== "index.ts")
      .map((file) => ({ package: name, name: basename(file, ".ts"), path: `${directory}/src/${file}` }))
      .filter((module) => exports[`./${module.name}`] !== null)
  })
