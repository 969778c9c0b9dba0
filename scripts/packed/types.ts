// Whether a consumer's compiler understands the declarations.
import { cpSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { run } from "./run.ts"

/** By what each is installed under. */
export const compilers = { "typescript-5": "5.9", "typescript-6": "6.0", "typescript-7": "7.0" }

export type Compiler = keyof typeof compilers

interface Mode {
  readonly name: string
  readonly options: Readonly<Record<string, string>>
  readonly extensions: ReadonlyArray<string>
  /** It does not know `exports`, so nothing is closed to it. */
  readonly ignoresExports?: boolean
  readonly removedFrom?: Compiler
}

const nodenext: Mode = {
  name: "nodenext, ESM and CommonJS",
  options: { module: "nodenext", moduleResolution: "nodenext" },
  extensions: [".mts", ".cts"]
}
const bundler: Mode = {
  name: "bundler",
  options: { module: "esnext", moduleResolution: "bundler" },
  extensions: [".ts"]
}
const node10: Mode = {
  name: "node10",
  options: { module: "commonjs", moduleResolution: "node10" },
  extensions: [".ts"],
  ignoresExports: true,
  removedFrom: "typescript-7"
}

export const strictest = nodenext
export const modes: ReadonlyArray<Mode> = [nodenext, bundler, node10]

/** What TypeScript says of an option that it has no more. */
const removed = "TS5108"

export const describe = (compiler: Compiler, { name, removedFrom }: Mode): string =>
  compiler === removedFrom ? `${name}, which it has no more (${removed})` : name

export const checkTypes = async (
  directory: string,
  compiler: Compiler,
  mode: Mode,
  consumers: ReadonlyArray<string>
): Promise<void> => {
  const { extensions, ignoresExports = false, name, options, removedFrom } = mode
  const cwd = join(directory, `${compiler}-${name.split(",")[0]}`)
  mkdirSync(cwd)
  const files = [...consumers, ...(ignoresExports ? [] : ["closed"])].flatMap((consumer) =>
    extensions.map((extension) => {
      cpSync(join(directory, `${consumer}.ts`), join(cwd, `${consumer}${extension}`))
      return `${consumer}${extension}`
    })
  )
  const compilerOptions = {
    ...options,
    // The last that has node10 wants to be told that this is known.
    ...(removedFrom !== undefined && compiler === "typescript-6" && { ignoreDeprecations: "6.0" }),
    target: "es2022",
    lib: ["es2022", "dom", "dom.iterable"],
    types: ["node"],
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: false
  }
  writeFileSync(join(cwd, "tsconfig.json"), JSON.stringify({ compilerOptions, files }))
  const check = run([process.execPath, join(directory, "node_modules", compiler, "bin/tsc"), "-p", cwd], {
    cwd
  })
  if (compiler !== removedFrom) await check
  else
    await check.then(
      () => Promise.reject(new Error("it was to have been removed")),
      (error: Error) => error.message.includes(removed) || Promise.reject(error)
    )
}
