// Tools that load the packages in their own way: bundlers for Node.js, and jest.
import { build } from "esbuild"
import { run } from "./run.ts"

type Bundle = (directory: string) => Promise<string>

const byEsbuild: Bundle = async (absWorkingDir) => {
  const outfile = "bundled.esbuild.mjs"
  await build({
    absWorkingDir,
    entryPoints: ["bundled.mjs"],
    bundle: true,
    format: "esm",
    platform: "node",
    banner: {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url)'
    },
    outfile,
    logLevel: "silent"
  })
  return outfile
}

const byRollup: Bundle = async (cwd) => {
  await run(["npx", "rollup", "-c", "rollup.config.mjs"], { cwd })
  return "bundled.rollup.cjs"
}

const byVite: Bundle = async (cwd) => {
  await run(["npx", "vite", "build"], { cwd })
  return "vite/bundled.cjs"
}

/** Each writes an application into one file, with the line of the guide, and returns its name. */
export const bundlers = { "esbuild, ES module": byEsbuild, rollup: byRollup, vite: byVite }

export const testByJest = (directory: string, server: string): Promise<string> =>
  run(["npx", "jest", "--rootDir", directory, "--testMatch", "**/*.test.cjs"], {
    cwd: directory,
    env: { PLEO_SERVER: server, PLEO_ACCESS_TOKEN: "token-jest" }
  })
