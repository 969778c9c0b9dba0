import { mkdirSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as esbuild from "esbuild"
import { external } from "../../../node/test/support/program.ts"

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url))

/** Inside of the package, whose manifest the command reads. */
const outdir = fileURLToPath(new URL(".cache", import.meta.url))

const build = async (): Promise<string> => {
  const { outputFiles } = await esbuild.build({
    entryPoints: [main],
    bundle: true,
    format: "esm",
    // Parsing takes most of the time of a short process.
    minify: true,
    logLevel: "silent",
    outdir,
    outExtension: { ".js": ".mjs" },
    platform: "node",
    plugins: [external],
    // As in the package, drivers of databases and the sandbox are loaded when they are asked for.
    splitting: true,
    write: false
  })
  mkdirSync(outdir, { recursive: true })
  for (const { contents, path } of outputFiles) {
    // At once, since another worker may be starting what is there.
    const written = `${path}.${process.pid}`
    writeFileSync(written, contents)
    renameSync(written, path)
  }
  return join(outdir, "main.mjs")
}

let built: Promise<string> | undefined

/** The command, compiled once to files that Node.js starts several times as fast. */
export const program = (): Promise<string> => {
  built ??= build()
  return built
}
