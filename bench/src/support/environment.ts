// What the figures were measured with.
import { readFileSync } from "node:fs"
import * as Os from "node:os"

const packages = [
  "effect",
  "@effect/platform",
  "@effect/platform-node",
  "undici",
  "zod",
  "openapi-fetch",
  "axios",
  "ky",
  "got"
]

const versionOf = (name: string): string => {
  const manifest = new URL(`../../node_modules/${name}/package.json`, import.meta.url)
  return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version
}

export interface Environment {
  readonly date: string
  readonly versions: Readonly<Record<string, string>>
  readonly machine: {
    readonly cpu: string
    readonly cores: number
    readonly memory: string
    readonly os: string
  }
}

export const environment = (): Environment => ({
  date: new Date().toISOString().slice(0, 10),
  versions: {
    node: process.versions.node,
    ...Object.fromEntries(packages.map((name) => [name, versionOf(name)]))
  },
  machine: {
    cpu: Os.cpus()[0]?.model.trim() ?? "unknown",
    cores: Os.cpus().length,
    memory: `${Math.round(Os.totalmem() / 2 ** 30)} GiB`,
    os: `${Os.type()} ${Os.release().split(".", 2).join(".")} ${Os.arch()}`
  }
})

export const describeVersions = ({ versions }: Environment): string =>
  Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ")

export const describeMachine = ({ machine }: Environment): string =>
  `${machine.cores} cores (${machine.cpu}), ${machine.memory} of memory, ${machine.os}`
