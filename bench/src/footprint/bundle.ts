// What bundlers make of applications.
import { isAbsolute } from "node:path"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import { type BuildOptions, build } from "esbuild"
import { isInstalled, withoutPackages } from "../support/withoutPackages.ts"

export interface Bundle {
  readonly text: string
  /** In bytes, minified. */
  readonly size: number
  /** In bytes, minified and compressed by gzip at level 9. */
  readonly gzipped: number
}

const directory = fileURLToPath(new URL(".", import.meta.url))

const toBundle = (text: string): Bundle => {
  const contents = Buffer.from(text)
  return { text, size: contents.length, gzipped: gzipSync(contents, { level: 9 }).length }
}

const run = async (options: BuildOptions): Promise<Bundle> => {
  const { outputFiles = [] } = await build({
    absWorkingDir: directory,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    logLevel: "error",
    ...options,
    write: false
  })
  return toBundle(outputFiles[0]?.text ?? "")
}

// What is left of CommonJS in the bundle requires Node's own modules.
const banner = {
  js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);'
}

/** Everything that an application needs, minified. */
export const bundleAll = (entry: string): Promise<Bundle> =>
  run({ entryPoints: [entry], minify: true, banner })

/**
 * What our packages add to a bundle: all else is left out. By rolldown, for esbuild writes an import that is left
 * out once for each file that has it, where an application has it once.
 */
export const bundleOwn = async (entry: string): Promise<Bundle> => {
  // Not until it is used: it is the one part of this that is not prebuilt for every platform.
  const { rolldown } = await import("rolldown")
  const bundle = await rolldown({
    input: entry,
    external: (specifier) => isInstalled(specifier) && !isAbsolute(specifier),
    platform: "node"
  })
  try {
    const { output } = await bundle.generate({ format: "esm", minify: true })
    if (output.length !== 1) throw new Error(`${output.length} files instead of one`)
    // In an application's bundle nothing is imported or exported, and no notes for another bundler are left.
    const notCode = /\bimport(?:[^"'`;]*from)?\s*"[^"]*";?|\bexport\s*\{[^}]*\};?|\/\* ?[#@]__PURE__ ?\*\/ ?/g
    return toBundle(output[0].code.replace(notCode, ""))
  } finally {
    await bundle.close()
  }
}

/** An application as JavaScript, that loads what it imports from where it is installed. */
export const compile = async (entry: string): Promise<string> =>
  (await run({ entryPoints: [entry], packages: "external" })).text

/** The modules of other packages that Node.js loads for this file and for what it imports of ours. */
export const externalsOf = async (file: string): Promise<ReadonlyArray<string>> => {
  const externals = new Set<string>()
  await run({ entryPoints: [file], plugins: [withoutPackages((specifier) => externals.add(specifier))] })
  return [...externals].filter((specifier) => !specifier.startsWith("node:")).sort()
}
