// Builds dist of each package, as ES modules and as CommonJS: JavaScript, declarations and the maps of both. With a
// directory for an argument, it also packs each package into a tarball there, as it would be published. Further
// arguments are the packages to build, if not all.
import { spawnSync } from "node:child_process"
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { basename, dirname, join, relative, resolve } from "node:path"
import { build as esbuild } from "esbuild"
import ts from "typescript"
import { published, root } from "./support/modules.ts"

const [, , destination, ...chosen] = process.argv
const names = chosen.length === 0 ? published : chosen
const packages = names.map((name) => join(root, "packages", name))

const run = (command: string, args: ReadonlyArray<string>, cwd: string): void => {
  // A command that is a script of Node.js is not executable everywhere.
  const [file, all] = /\.[cm]?js$/.test(command) ? [process.execPath, [command, ...args]] : [command, args]
  const { error, status } = spawnSync(file, all, { cwd, stdio: "inherit" })
  if (error !== undefined) throw error
  // It has said itself what is wrong.
  if (status !== 0) process.exit(1)
}

const filesIn = (directory: string, extension: string): ReadonlyArray<string> =>
  readdirSync(directory, { encoding: "utf8", recursive: true }).filter((name) => name.endsWith(extension))

/** tsc writes .js into the JavaScript, and leaves the declarations with .ts. As long as the other, so maps still fit. */
const renameImports = (dist: string): void => {
  for (const name of filesIn(dist, ".d.ts")) {
    const file = join(dist, name)
    const text = readFileSync(file, "utf8")
    writeFileSync(file, text.replace(/\b((?:from|import)\s*\(?\s*"\.[^"]*)\.ts"/g, '$1.js"'))
  }
}

// A .cts file is what makes TypeScript write CommonJS in a package of ES modules. Its own helpers hand Effect's
// modules on as they are: esbuild's copy every name of each, and each call would go through two getters.
const commonjs: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  esModuleInterop: true,
  isolatedModules: true,
  allowImportingTsExtensions: true,
  rewriteRelativeImportExtensions: true,
  sourceMap: true
}

/** Types say the same in both builds, so the declarations of one are those of the other. */
const buildCommonJs = (directory: string): void => {
  const [src, esm, cjs] = ["src", "dist/esm", "dist/cjs"].map((name) => join(directory, name)) as [
    string,
    string,
    string
  ]
  for (const name of [...filesIn(esm, ".d.ts"), ...filesIn(esm, ".d.ts.map")])
    cpSync(join(esm, name), join(cjs, name))
  for (const name of filesIn(src, ".ts").filter((name) => !name.endsWith(".d.ts"))) {
    const file = join(cjs, name.replace(/\.ts$/, ".js"))
    const { outputText, sourceMapText } = ts.transpileModule(readFileSync(join(src, name), "utf8"), {
      compilerOptions: commonjs,
      fileName: name.replace(/\.ts$/, ".cts")
    })
    const source = relative(dirname(file), join(src, name)).replaceAll("\\", "/")
    const map = { ...JSON.parse(sourceMapText ?? "{}"), file: basename(file), sources: [source] }
    writeFileSync(file, outputText.replace(/(\n\/\/# sourceMappingURL=).*/, `$1${basename(file)}.map`))
    writeFileSync(`${file}.map`, JSON.stringify(map))
  }
  // Bundlers read from the nearest manifest whether a module has side effects.
  writeFileSync(join(cjs, "package.json"), '{ "type": "commonjs", "sideEffects": false }\n')
}

/** The internal modules that other packages of this repository import: the manifest exports them by name. */
const sharedModules = (directory: string): ReadonlyArray<string> => {
  const { publishConfig } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"))
  return Object.entries(publishConfig.exports)
    .filter(([path, target]) => path.startsWith("./internal/") && target !== null)
    .map(([path]) => `${path.slice("./".length)}.js`)
}

/**
 * Internal modules that are loaded together become one file: Node.js looks up each import of each file anew, which
 * takes longer than all else that it does with these files. The index stays as it is, for it would make an object of
 * each module, which no bundler could take apart again.
 */
const mergeInternalModules = async (directory: string): Promise<void> => {
  const esm = join(directory, "dist/esm")
  const shared = sharedModules(directory)
  const merged = [...filesIn(esm, ".js"), ...filesIn(esm, ".js.map")].filter(
    (name) => name.startsWith("internal") && !shared.includes(name.replace(/\.map$/, ""))
  )
  await esbuild({
    absWorkingDir: esm,
    entryPoints: [
      ...readdirSync(esm).filter((name) => name.endsWith(".js") && name !== "index.js"),
      ...shared
    ],
    outdir: esm,
    allowOverwrite: true,
    chunkNames: "internal/[name]-[hash]",
    bundle: true,
    splitting: true,
    packages: "external",
    format: "esm",
    platform: "neutral",
    target: "es2022",
    sourcemap: true,
    sourcesContent: false,
    logLevel: "error"
  })
  for (const name of merged) rmSync(join(esm, name))
}

const build = async (): Promise<void> => {
  for (const directory of packages) rmSync(join(directory, "dist"), { recursive: true, force: true })
  const projects = packages.map((directory) => join(directory, "tsconfig.build.json"))
  run(createRequire(import.meta.url).resolve("typescript/bin/tsc"), ["-b", ...projects], root)
  for (const directory of packages) {
    renameImports(join(directory, "dist/esm"))
    buildCommonJs(directory)
    await mergeInternalModules(directory)
  }
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
    [
      ...args,
      "--recursive",
      ...names.flatMap((name) => ["--filter", `./packages/${name}`]),
      "pack",
      "--pack-destination",
      destination
    ],
    root
  )
}

await build()
if (destination !== undefined) pack(resolve(destination))
