// From the start of a process to its first answered update. Processes take turns, so that whatever else the machine
// does meets all of them alike.
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { step } from "../support/progress.ts"
import { median, type Spread, spread } from "../support/statistics.ts"
import type { Answered } from "./applications/answered.ts"
import { type Application, answeredFile, applications, fileOf, titleOf } from "./applications/index.ts"
import { bundleAll, compile, externalsOf } from "./bundle.ts"
import { directoryOf, type Installation } from "./packages.ts"

export interface Start {
  readonly name: string
  /** Milliseconds from the start of the process to the first answer. */
  readonly answered: Spread
  /** CPU time of the process, in milliseconds, up to the first answer. */
  readonly cpu: Spread
  /** Milliseconds from its start to its exit, as its parent sees it. */
  readonly exited: Spread
  /** Medians of the ratios to the reference of the same round. */
  readonly ratios: { readonly answered: number; readonly cpu: number; readonly exited: number }
}

export interface Starts {
  /** Each in one minified file; the reference is axios. */
  readonly bundled: ReadonlyArray<Start>
  /** Each loads the packages that npm installed; the reference is an import of what ours loads of other packages. */
  readonly installed: ReadonlyArray<Start>
  /** What that import loads. */
  readonly externals: ReadonlyArray<string>
}

/** How long bundled effect-pleo may take, in terms of bundled axios. */
export const maxRatioBundled = 1

/** How long installed effect-pleo may take, in terms of an import of what it loads. */
export const maxRatioInstalled = 1.1

export const bareImport = "a bare import"

/** Programs take turns for that long, in milliseconds, and for three rounds at least. */
const bundledTime = 10_000
const installedTime = 15_000
const minRounds = 3
/** In milliseconds. */
const maxTime = 60_000

/** Those that are installed, and where. */
const places: ReadonlyArray<readonly [Application, string]> = [
  ["effect-pleo", "effect-pleo"],
  ["effect-pleo-config", "effect-pleo"],
  ["axios", "axios"],
  ["platform-node", "@effect/platform-node"]
]

interface Script {
  readonly name: string
  readonly file: string
}

type Figures = Answered & { readonly exited: number }

const run = async ({ file, name }: Script, server: string): Promise<Figures> => {
  const { NODE_OPTIONS: _, ...environment } = process.env
  const start = performance.now()
  const child = spawn(process.execPath, [file], {
    env: { ...environment, PLEO_SERVER: server, PLEO_ACCESS_TOKEN: "token-1" },
    stdio: ["ignore", "pipe", "inherit"],
    timeout: maxTime
  })
  let output = ""
  child.stdout.on("data", (chunk) => {
    output += chunk
  })
  const [code, signal] = await once(child, "close")
  const exited = performance.now() - start
  if (code !== 0) throw new Error(`the cold start of ${name} ended: ${signal ?? `exit code ${code}`}`)
  return { ...(JSON.parse(output) as Answered), exited }
}

/** The first script is the reference. */
const compare = async (
  scripts: ReadonlyArray<Script>,
  server: string,
  time: number,
  what: string
): Promise<ReadonlyArray<Start>> => {
  const all = new Map<Script, Array<Figures>>(scripts.map((script) => [script, []]))
  const end = performance.now() + time
  for (let round = 1; round <= minRounds || performance.now() < end; round++) {
    step(`cold start, ${what}, round ${round}`)
    for (const [script, figures] of all) figures.push(await run(script, server))
  }
  const [reference = []] = all.values()
  return Array.from(all, ([{ name }, figures]) => {
    const ratioOf = (key: keyof Figures) =>
      median(figures.map((figure, round) => figure[key] / (reference[round]?.[key] ?? Number.NaN)))
    return {
      name,
      answered: spread(figures.map(({ elapsed }) => elapsed)),
      cpu: spread(figures.map(({ cpu }) => cpu)),
      exited: spread(figures.map(({ exited }) => exited)),
      ratios: { answered: ratioOf("elapsed"), cpu: ratioOf("cpu"), exited: ratioOf("exited") }
    }
  })
}

const write = (file: string, text: string): string => {
  writeFileSync(file, text)
  return file
}

const bundles = (parent: string): Promise<ReadonlyArray<Script>> => {
  const directory = join(parent, "bundles")
  mkdirSync(directory)
  return Promise.all(
    applications.map(async (name) => ({
      name: titleOf(name),
      file: write(join(directory, `${name}.mjs`), (await bundleAll(fileOf(name))).text)
    }))
  )
}

const imports = (externals: ReadonlyArray<string>): string =>
  [
    ...externals.map((specifier) => `import ${JSON.stringify(specifier)}`),
    `import { answered } from ${JSON.stringify(answeredFile)}`,
    "answered()"
  ].join("\n")

/** `installations` are what is installed below `parent`. */
export const measureColdStarts = async (
  parent: string,
  installations: ReadonlyArray<Installation>,
  server: string
): Promise<Starts> => {
  const bundled = await compare(await bundles(parent), server, bundledTime, "bundled")

  const isInstalled = (name: string): boolean =>
    installations.some((installation) => installation.name === name && "packages" in installation)
  if (!isInstalled("effect-pleo")) return { bundled, installed: [], externals: [] }

  const scripts: Array<Script> = []
  for (const [name, place] of places) {
    if (!isInstalled(place)) continue
    const file = join(directoryOf(parent, place), `${name}.mjs`)
    scripts.push({ name: titleOf(name), file: write(file, await compile(fileOf(name))) })
  }
  const directory = directoryOf(parent, "effect-pleo")
  const externals = await externalsOf(join(directory, "effect-pleo.mjs"))
  const source = write(join(directory, "imports.ts"), imports(externals))
  const reference = { name: bareImport, file: write(join(directory, "imports.mjs"), await compile(source)) }
  const installed = await compare([reference, ...scripts], server, installedTime, "installed")
  return { bundled, installed, externals }
}
