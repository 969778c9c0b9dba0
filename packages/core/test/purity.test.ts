import { readdirSync, readFileSync } from "node:fs"
import { builtinModules } from "node:module"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import * as esbuild from "esbuild"

const directory = fileURLToPath(new URL("..", import.meta.url))

/** The modules that a browser bundle of this entry cannot resolve. */
const unresolvedInBrowser = async (entry: esbuild.BuildOptions): Promise<ReadonlyArray<string>> => {
  try {
    const { outputFiles } = await esbuild.build({
      ...entry,
      absWorkingDir: directory,
      bundle: true,
      format: "esm",
      logLevel: "silent",
      platform: "browser",
      write: false
    })
    expect(outputFiles?.map(({ contents }) => contents.length > 0)).toEqual([true])
    return []
  } catch (error) {
    if (!(error instanceof Error && "errors" in error)) throw error
    return (error.errors as ReadonlyArray<esbuild.Message>).map(({ text }) => text)
  }
}

const entry = (contents: string): esbuild.BuildOptions => ({ stdin: { contents, resolveDir: directory } })

describe("a browser bundle", () => {
  it("has all of this package, and nothing of Node", { timeout: 30_000 }, async () => {
    expect(await unresolvedInBrowser({ entryPoints: ["src/index.ts"] })).toEqual([])
  })

  it.each(["node:fs", "fs", "node:crypto", "undici"])("of an entry that imports %s fails", async (name) => {
    const unresolved = await unresolvedInBrowser(entry(`import * as it from "${name}"; console.log(it)`))
    expect(unresolved).toEqual([expect.stringContaining(name)])
  })
})

const sources = readdirSync(`${directory}/src`, { encoding: "utf8", recursive: true }).filter((name) =>
  name.endsWith(".ts")
)

/** What code imports. The examples in its docstrings are for readers who have the other packages too. */
const importsOf = (source: string): ReadonlyArray<string> =>
  [
    ...source.replaceAll(/\/\*\*[\s\S]*?\*\//g, "").matchAll(/\b(?:from|import)\s*\(?\s*["']([^"']+)["']/g)
  ].flatMap(([, name]) => name ?? [])

/** A file of this package, or one module of effect or @effect/platform. */
const allowed = /^(?:\.\.?\/[\w./]+\.ts|effect\/[A-Z]\w*|@effect\/platform\/[A-Z]\w*)$/

describe("src", () => {
  it.each(sources)("%s imports only its neighbours and modules of effect and @effect/platform", (name) => {
    const imports = importsOf(readFileSync(`${directory}/src/${name}`, "utf8"))
    expect(imports.filter((specifier) => !allowed.test(specifier))).toEqual([])
  })

  it("the files looked at are all there, with their imports", () => {
    const modules = sources.filter((name) => name !== "index.ts" && !name.startsWith("internal/"))
    expect(modules.length).toBeGreaterThan(9)
    expect([...importsOf(readFileSync(`${directory}/src/index.ts`, "utf8"))].sort()).toEqual(
      modules.map((name) => `./${name}`).sort()
    )
    expect(importsOf(readFileSync(`${directory}/src/InstallationClient.ts`, "utf8"))).toContain(
      "effect/Layer"
    )
  })

  it.each([
    'import { Effect } from "effect"',
    'import * as Platform from "@effect/platform"',
    'import type { Dispatcher } from "undici"',
    'import fs from "node:fs"',
    'import "node:fs"',
    'const fs = await import("node:fs")',
    'export * from "@effect/platform-node/NodeHttpClient"',
    "import * as Layer from 'effect/internal/layer'",
    `import {
      Effect
    } from "effect"`
  ])("%s would be noticed", (line) => {
    const imports = importsOf(line)
    expect(imports).toHaveLength(1)
    expect(imports.filter((specifier) => allowed.test(specifier))).toEqual([])
  })

  it("no module that Node has built in is allowed", () => {
    expect(builtinModules).toContain("fs")
    expect(builtinModules.filter((name) => allowed.test(name) || allowed.test(`node:${name}`))).toEqual([])
  })
})
