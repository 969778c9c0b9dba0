// Builds dist of each package: JavaScript, declarations and the maps of both. With a directory for an argument, it
// also packs each package into a tarball there, as it would be published.
import { spawnSync } from "node:child_process"
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join, resolve } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const packages = ["core", "node", "sandbox", "sql"].map((name) => join(root, "packages", name))

const run = (command: string, args: ReadonlyArray<string>, cwd: string): void => {
  // A command that is a script of Node.js is not executable everywhere.
  const [file, all] = /\.[cm]?js$/.test(command) ? [process.execPath, [command, ...args]] : [command, args]
  const { error, status } = spawnSync(file, all, { cwd, stdio: "inherit" })
  if (error !== undefined) throw error
  // It has said itself what is wrong.
  if (status !== 0) process.exit(1)
}

/** tsc writes .js into the JavaScript, and leaves the declarations with .ts. As long as the other, so maps still fit. */
const renameImports = (dist: string): void => {
  for (const name of readdirSync(dist, { encoding: "utf8", recursive: true })) {
    if (!name.endsWith(".d.ts")) continue
    const file = join(dist, name)
    const text = readFileSync(file, "utf8")
    writeFileSync(file, text.replace(/\b((?:from|import)\s*\(?\s*"\.[^"]*)\.ts"/g, '$1.js"'))
  }
}

const build = (): void => {
  for (const directory of packages) rmSync(join(directory, "dist"), { recursive: true, force: true })
  const projects = packages.map((directory) => join(directory, "tsconfig.build.json"))
  run(createRequire(import.meta.url).resolve("typescript/bin/tsc"), ["-b", ...projects], root)
  for (const directory of packages) renameImports(join(directory, "dist"))
}

/** The pnpm that runs this, by its path: by its name, it would look itself up. Otherwise the one of package.json. */
const pnpm = (): readonly [command: string, ...args: ReadonlyArray<string>] => {
  const { npm_config_user_agent: runner, npm_execpath: path } = process.env
  if (path !== undefined && runner?.startsWith("pnpm/")) return [path]
  return ["npx", "-y", JSON.parse(readFileSync(join(root, "package.json"), "utf8")).packageManager]
}

const pack = (destination: string): void => {
  mkdirSync(destination, { recursive: true })
  const [command, ...args] = pnpm()
  run(
    command,
    [...args, "--recursive", "--filter", "./packages/*", "pack", "--pack-destination", destination],
    root
  )
}

build()
if (process.argv[2] !== undefined) pack(resolve(process.argv[2]))
