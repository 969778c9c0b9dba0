import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"
import * as esbuild from "esbuild"
import { external, replaceFile } from "../../../node/test/support/program.ts"

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url))

/** Inside of the package, whose manifest the command reads. */
const outdir = fileURLToPath(new URL(".cache", import.meta.url))

type Outputs = esbuild.Metafile["outputs"]

/** What Node.js loads with a file: not what it may import later. */
const loadedWith = (outputs: Outputs, path: string, loaded = new Set<string>()): ReadonlySet<string> => {
  if (loaded.has(path)) return loaded
  loaded.add(path)
  for (const { external, kind, path: imported } of outputs[path]?.imports ?? [])
    if (external !== true && kind === "import-statement") loadedWith(outputs, imported, loaded)
  return loaded
}

const build = async () => {
  const { metafile, outputFiles } = await esbuild.build({
    entryPoints: [main],
    bundle: true,
    format: "esm",
    metafile: true,
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
  const [entry = ""] = Object.entries(metafile.outputs).flatMap(([path, { entryPoint }]) =>
    entryPoint?.endsWith("main.ts") ? [path] : []
  )
  const loaded = new Set([...loadedWith(metafile.outputs, entry)].map((path) => basename(path)))
  const lean = join(outdir, "lean")
  for (const output of outputFiles) {
    const name = basename(output.path)
    replaceFile(join(outdir, name), output.contents)
    if (loaded.has(name)) replaceFile(join(lean, name), output.contents)
  }
  return { program: join(outdir, "main.mjs"), lean: join(lean, "main.mjs") }
}

let built: ReturnType<typeof build> | undefined

/**
 * The command, compiled once to files that Node.js starts several times as fast. `lean` lacks the files that it does not
 * load at its start, and fails where it needs one of them.
 */
export const programs = (): ReturnType<typeof build> => {
  built ??= build()
  return built
}
