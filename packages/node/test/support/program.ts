// Programs that tests start as processes of their own.
import { spawn } from "node:child_process"
import { mkdirSync, renameSync, writeFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import * as Effect from "effect/Effect"
import * as esbuild from "esbuild"

/** Our packages and Effect's. They are pure ES modules, hundreds of them: to load one file takes a fraction. */
const isBundled = /^(?:effect|@effect|@effect-pleo)(?:\/|$)/

const root = fileURLToPath(new URL("../../../..", import.meta.url))

export const external: esbuild.Plugin = {
  name: "external",
  setup: ({ onResolve, resolve }) => {
    onResolve({ filter: /^[^./]/ }, async ({ path, pluginData, ...options }) => {
      if (pluginData === external || options.kind === "entry-point" || isBundled.test(path)) return
      const resolved = await resolve(path, { ...options, pluginData: external })
      return resolved.external || resolved.errors.length > 0
        ? resolved
        : { path: pathToFileURL(resolved.path).href, external: true }
    })
  }
}

/** Writes a file at once, since another worker may be starting the one that is there. */
export const replaceFile = (file: string, contents: Uint8Array): void => {
  const written = `${file}.${process.pid}`
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(written, contents)
  renameSync(written, file)
}

const build = async (file: string, keepNames: boolean): Promise<string> => {
  const { outputFiles } = await esbuild.build({
    entryPoints: [file],
    bundle: true,
    format: "esm",
    keepNames,
    logLevel: "silent",
    platform: "node",
    plugins: [external],
    write: false
  })
  const program = join(root, ".cache", relative(root, file).replace(/\.ts$/, ".mjs"))
  for (const { contents } of outputFiles) replaceFile(program, contents)
  return program
}

const programs = new Map<string, Promise<string>>()

/**
 * Compiles a TypeScript program, once, to a file that Node.js starts several times as fast. Without `keepNames`, it is as
 * fast as the program itself: each closure gets its name when it is made.
 */
export const compile = (source: URL, keepNames = true): Promise<string> => {
  const file = fileURLToPath(source)
  const program = programs.get(file) ?? build(file, keepNames)
  programs.set(file, program)
  return program
}

/** Runs a program, sends it a signal upon its first output, and returns its exit code. */
export const signal = (
  source: URL,
  environment: Readonly<Record<string, string>>,
  name: NodeJS.Signals
): Effect.Effect<number | null> =>
  Effect.flatMap(
    Effect.promise(() => compile(source)),
    (program) =>
      Effect.async((resume) => {
        const child = spawn(process.execPath, [program], { env: { ...process.env, ...environment } })
        child.stdout.once("data", () => child.kill(name))
        child.once("exit", (code) => resume(Effect.succeed(code)))
        return Effect.sync(() => child.kill("SIGKILL"))
      })
  )
