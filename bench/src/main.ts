// Measures effect-pleo and other ways to make the same update. `--save` writes what it found next to it.
import { writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import * as Effect from "effect/Effect"
import { chart } from "./chart.ts"
import { calledNames, loopedNames, type Name, names, reference } from "./contenders/index.ts"
import { type Level, type LevelFigures, levelIds, measureCpu } from "./figures/cpu.ts"
import { type Growth, measureGrowth } from "./figures/growth.ts"
import { measureAllocation, measureWaiting } from "./figures/heap.ts"
import { open } from "./figures/warmUp.ts"
import { errorsOf, measureFootprint, parts, prepare, withDirectory } from "./footprint/index.ts"
import { markdown } from "./markdown.ts"
import { type Bytes, type Results, ratioOf, tables } from "./results.ts"
import { build } from "./support/build.ts"
import { ServerProcess } from "./support/childProcess.ts"
import { describeMachine, describeVersions, environment } from "./support/environment.ts"
import { clear, phase } from "./support/progress.ts"
import { toText } from "./support/table.ts"

const { values: options } = parseArgs({
  options: {
    contenders: { type: "string" },
    only: { type: "string" },
    save: { type: "boolean", default: false }
  }
})

const phases = [...levelIds, "allocation", "waiting", "growth", ...parts]
const headlines: ReadonlyArray<readonly [Name, string]> = [
  ["effect-pleo", ""],
  ["effect-pleo-traced", " traced"],
  ["effect-pleo-retry", " with retry policy"]
]
const calledHeadlines: ReadonlyArray<readonly [Name, string]> = [
  ["effect-pleo-direct", "as called: direct"],
  ["effect-pleo-map", "map between"],
  ["effect-pleo-gen", "gen inside"],
  ["undici-zod-retry", "by hand"],
  ["undici-effect-retry", "by hand in Effect"],
  ["effect-pleo-direct-fetch", "over fetch"],
  ["fetch-zod-retry", "fetch and zod by hand"]
]
// Those at 1 and 512 in flight, where a ratio says little that it does not say at 64.
const fewNames: ReadonlyArray<Name> = ["effect-pleo", "effect-pleo-retry", "axios", "platform-node"]
const levels: ReadonlyArray<Level> = [
  {
    id: "called",
    title: "as applications call it, 64 in flight",
    inFlight: 64,
    names: calledNames,
    turns: () => 7
  },
  {
    id: "cpu64",
    title: "in a loop, 64 in flight",
    inFlight: 64,
    names: loopedNames,
    turns: (name) => (headlines.some(([each]) => each === name) ? 11 : 3)
  },
  { id: "cpu1", title: "in a loop, 1 in flight", inFlight: 1, names: fewNames, turns: () => 2 },
  { id: "cpu512", title: "in a loop, 512 in flight", inFlight: 512, names: fewNames, turns: () => 2 }
]
const allocating: ReadonlyArray<Name> = [
  "effect-pleo",
  "effect-pleo-traced",
  "effect-pleo-retry",
  "undici.request",
  "axios",
  "platform-node"
]
const waitingOnes: ReadonlyArray<Name> = ["effect-pleo", "undici.request", "axios"]

/** The members of a list that an option names, or all of them. */
const choose = <A extends string>(option: string | undefined, all: ReadonlyArray<A>): ReadonlyArray<A> => {
  const chosen = option?.split(",") ?? all
  for (const name of chosen)
    if (!all.includes(name as A)) throw new Error(`${name} is none of ${all.join(", ")}`)
  return all.filter((name) => chosen.includes(name))
}

if (options.save && (options.only !== undefined || options.contenders !== undefined))
  throw new Error("--save is for all figures: leave --only and --contenders out")

const chosenPhases = choose(options.only, phases)
const chosen = choose(options.contenders, names)

phase("compiling")
await build()
const server = await ServerProcess.start()

interface Speed {
  readonly cpu: ReadonlyArray<LevelFigures>
  readonly growth: Growth | undefined
}

const measureSpeed = async (): Promise<Speed> => {
  const chosenLevels = levels.filter(({ id }) => chosenPhases.includes(id))
  const others = chosen.filter(
    (name) => name !== reference && chosenLevels.some(({ names }) => names.includes(name))
  )
  const grown: Name = "effect-pleo"
  const grows = chosenPhases.includes("growth")
  if (others.length === 0 && !grows) return { cpu: [], growth: undefined }
  phase("warming up")
  const most = Math.max(...levels.map(({ inFlight }) => inFlight))
  const control = await open(server, most, reference)
  const cpu = await measureCpu(server, control, most, others, chosenLevels)
  if (grows) phase("growth")
  const growth = grows ? await measureGrowth(server, control, grown) : undefined
  await control.stop()
  return { cpu, growth }
}

const measureEach = (
  among: ReadonlyArray<Name>,
  measure: (server: ServerProcess, name: Name) => Promise<number>,
  concurrency: number
): Promise<ReadonlyArray<Bytes>> => {
  const measureOne = (name: Name) =>
    Effect.promise(async (): Promise<Bytes> => ({ name, bytes: await measure(server, name) }))
  const measuring = among.filter((name) => chosen.includes(name))
  return Effect.runPromise(Effect.forEach(measuring, measureOne, { concurrency }))
}

const measureHeap = async () => ({
  allocation: chosenPhases.includes("allocation") ? await measureEach(allocating, measureAllocation, 2) : [],
  // One at a time, for the server then holds every request.
  waiting: chosenPhases.includes("waiting") ? await measureEach(waitingOnes, measureWaiting, 1) : []
})

const { cpu, growth } = await measureSpeed()
const { allocation, footprint, waiting } = await withDirectory(async (directory) => {
  // Bytes are the same however busy the machine is, so both go on at once.
  phase("heap, sizes, packages")
  const [heap, preparation] = await Promise.all([measureHeap(), prepare(directory, chosenPhases)])
  return { ...heap, footprint: await measureFootprint(directory, preparation, server, chosenPhases) }
})
await server.stop()
clear()

const results: Results = { environment: environment(), cpu, allocation, waiting, growth, footprint }

console.log(`\n${describeVersions(results.environment)}\n${describeMachine(results.environment)}\n`)
for (const table of tables(results)) console.log(toText(table))

const errors = errorsOf(footprint)
for (const error of errors) console.error(error)
if (errors.length > 0) process.exitCode = 1
else if (options.save) {
  const write = (name: string, text: string) => writeFileSync(new URL(`../${name}`, import.meta.url), text)
  write("results.json", `${JSON.stringify(results, null, 2)}\n`)
  write("chart.svg", chart(results))
  write("RESULTS.md", markdown(results))
}

for (const [name, suffix] of headlines) {
  const ratio = ratioOf(results, "cpu64", name)
  if (ratio !== undefined) console.log(`cpu ratio to undici.request at 64${suffix}: ${ratio.toFixed(2)}`)
}
for (const [name, label] of calledHeadlines) {
  const ratio = ratioOf(results, "called", name)
  if (ratio !== undefined) console.log(`${label} ${ratio.toFixed(2)}`)
}
