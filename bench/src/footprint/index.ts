// How much effect-pleo adds to an application: bytes, packages, and time until its first update is answered.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { ServerProcess } from "../support/childProcess.ts"
import { phase } from "../support/progress.ts"
import { measureColdStarts, type Starts } from "./coldStart.ts"
import { type Installation, installAll } from "./packages.ts"
import { measureSizes, type Sizes } from "./size.ts"

export interface Footprint {
  readonly sizes: Sizes | undefined
  readonly installations: ReadonlyArray<Installation>
  readonly starts: Starts | undefined
}

export const parts = ["size", "packages", "coldstart"] as const

/** What has to be there before the time of a start is measured, and what can be counted without a clock. */
export interface Preparation {
  readonly sizes: Sizes | undefined
  readonly installations: ReadonlyArray<Installation>
}

/** A directory for all that is installed. Not in this repository, whose packages would be found from there. */
export const withDirectory = async <A>(use: (directory: string) => Promise<A>): Promise<A> => {
  const directory = mkdtempSync(join(tmpdir(), "footprint-"))
  try {
    return await use(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

export const prepare = async (directory: string, chosen: ReadonlyArray<string>): Promise<Preparation> => ({
  sizes: chosen.includes("size") ? await measureSizes() : undefined,
  installations:
    chosen.includes("packages") || chosen.includes("coldstart") ? await installAll(directory) : []
})

export const measureFootprint = async (
  directory: string,
  { installations, sizes }: Preparation,
  server: ServerProcess,
  chosen: ReadonlyArray<string>
): Promise<Footprint> => {
  if (!chosen.includes("coldstart")) return { sizes, installations, starts: undefined }
  phase("cold start")
  return { sizes, installations, starts: await measureColdStarts(directory, installations, server.url) }
}

/** What went wrong without an end to everything: a package could not be installed. */
export const errorsOf = ({ installations }: Footprint): ReadonlyArray<string> =>
  installations.flatMap((installation) =>
    "error" in installation ? [`${installation.name} was not installed: ${installation.error}`] : []
  )
