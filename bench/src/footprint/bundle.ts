// What bundlers make of applications.
import { isAbsolute } from "node:path"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import { type BuildOptions, build, type Plugin } from "esbuild"

export interface Bundle {
  readonly text: string
  /** In bytes, minified. */
  readonly size: number
  /** In bytes, minified and compressed by gzip at level 9. */
  readonly gzipped: number
}

const directory = fileURLToPath(new URL(".", import.meta.url))

const bare = /^[^./]/

/** Leaves every package out whose name is not of ours, and tells of each module that is left out. */
const withoutPackages = (onExternal: (specifier: string) => void): Plugin => ({
  name: "without-packages",
  setup: ({ onResolve }) =>
    onResolve({ filter: bare }, ({ kind, path }) => {
      if (kind === "entry-point" || path.startsWith("@effect-pleo/")) return undefined
      onExternal(path)
      return { path, external: true }
    })
})

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
  const { contents, text } = outputFiles[0] ?? { contents: new Uint8Array(0), text: "" }
  return { text, size: contents.length, gzipped: gzipSync(contents, { level: 9 }).length }
}

// What is left of CommonJS in the bundle requires Node's own modules.
const banner = {
  js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);'
}

/** Everything that an application needs, minified. */
export const bundleAll = (entry: string): Promise<Bundle> =>
  run({ entryPoints: [entry], minify: true, banner })

const isOwn = (specifier: string): boolean => !bare.test(specifier) || specifier.startsWith("@effect-pleo/")

/**
 * What our packages add to a bundle: all else is left out. By rolldown, for esbuild writes an import that is left
 * out once for each file that has it, where an application has it once.
 */
export const bundleOwn = async (entry: string): Promise<Bundle> => {
  // Not until it is used: it is the one part of this that is not prebuilt for every platform.
  const { rolldown } = await import("rolldown")
  const bundle = await rolldown({
    input: entry,
    external: (specifier) => !isOwn(specifier) && !isAbsolute(specifier),
    platform: "node"
  })
  try {
    const { output } = await bundle.generate({ format: "esm", minify: true })
    if (output.length !== 1) throw new Error(`${output.length} files instead of one`)
    const [{ code }] = output
    const contents = Buffer.from(code)
    return { text: code, size: contents.length, gzipped: gzipSync(contents, { level: 9 }).length }
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
