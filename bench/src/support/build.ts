import { fileURLToPath } from "node:url"
import { build as esbuild, type Plugin } from "esbuild"

const directory = fileURLToPath(new URL("../../.cache/", import.meta.url))

// Only the packages of this repository are TypeScript. What is installed is loaded as its users load it.
const installed: Plugin = {
  name: "installed",
  setup: ({ onResolve }) =>
    onResolve({ filter: /^[^./]/ }, ({ kind, path }) =>
      kind === "entry-point" || path.startsWith("@effect-pleo/") ? undefined : { path, external: true }
    )
}

const entries = ["server", "worker"] as const

export type Entry = (typeof entries)[number]

/** Where a compiled entry is. */
export const fileOf = (entry: Entry): string => `${directory}${entry}.mjs`

/** Compiles what is measured, so that no loader has a part in the figures. */
export const build = async (): Promise<void> => {
  await esbuild({
    entryPoints: entries.map((entry) => fileURLToPath(new URL(`../${entry}.ts`, import.meta.url))),
    outdir: directory,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    logLevel: "error",
    plugins: [installed]
  })
}
