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

export type Part = (typeof parts)[number]

export const measureFootprint = async (
  server: ServerProcess,
  chosen: ReadonlyArray<string>
): Promise<Footprint> => {
  const has = (part: Part): boolean => chosen.includes(part)
  if (has("size")) phase("sizes")
  const sizes = has("size") ? await measureSizes() : undefined
  if (!has("packages") && !has("coldstart")) return { sizes, installations: [], starts: undefined }
  // Not in this repository, whose packages would be found from there.
  const directory = mkdtempSync(join(tmpdir(), "footprint-"))
  try {
    phase("packages")
    const installations = await installAll(directory)
    if (!has("coldstart")) return { sizes, installations, starts: undefined }
    phase("cold start")
    const starts = await measureColdStarts(directory, installations, server.url)
    return { sizes, installations, starts }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** What went wrong without an end to everything: a package could not be installed. */
export const errorsOf = ({ installations }: Footprint): ReadonlyArray<string> =>
  installations.flatMap((installation) =>
    "error" in installation ? [`${installation.name} was not installed: ${installation.error}`] : []
  )
