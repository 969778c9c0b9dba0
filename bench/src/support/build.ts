import { fileURLToPath } from "node:url"
import { build as esbuild } from "esbuild"
import { withoutPackages } from "./withoutPackages.ts"

const directory = fileURLToPath(new URL("../../.cache/", import.meta.url))

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
    // What is installed is loaded as its users load it.
    plugins: [withoutPackages()]
  })
}
