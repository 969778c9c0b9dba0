// Measures effect-pleo and other ways to make the same update. `--save` writes what it found next to it.
import { writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { chart } from "./chart.ts"
import { type Name, names } from "./contenders/index.ts"
import { measureCpu, reference } from "./figures/cpu.ts"
import { measureGrowth } from "./figures/growth.ts"
import { measureAllocation, measureWaiting } from "./figures/heap.ts"
import { errorsOf, measureFootprint, parts } from "./footprint/index.ts"
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

const phases = ["cpu64", "cpu1", "cpu512", "allocation", "waiting", "growth", ...parts]
const levels = [
  { inFlight: 64, turns: 5 },
  { inFlight: 1, turns: 2 },
  { inFlight: 512, turns: 2 }
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

const measureEach = async (
  among: ReadonlyArray<Name>,
  measure: (server: ServerProcess, name: Name) => Promise<number>
): Promise<ReadonlyArray<Bytes>> => {
  const figures: Array<Bytes> = []
  for (const name of among)
    if (chosen.includes(name)) figures.push({ name, bytes: await measure(server, name) })
  return figures
}

phase("compiling")
await build()
const server = await ServerProcess.start()

const cpu = await measureCpu(
  server,
  chosen.filter((name) => name !== reference),
  levels.filter(({ inFlight }) => chosenPhases.includes(`cpu${inFlight}`))
)

let allocation: ReadonlyArray<Bytes> = []
if (chosenPhases.includes("allocation")) {
  phase("heap allocated")
  allocation = await measureEach(allocating, measureAllocation)
}

let waiting: ReadonlyArray<Bytes> = []
if (chosenPhases.includes("waiting")) {
  phase("heap held while updates wait")
  waiting = await measureEach(waitingOnes, measureWaiting)
}

let growth: Results["growth"]
if (chosenPhases.includes("growth")) {
  phase("growth")
  growth = await measureGrowth(server, "effect-pleo")
}

const footprint = await measureFootprint(server, chosenPhases)

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

const headlines: ReadonlyArray<readonly [Name, string]> = [
  ["effect-pleo", ""],
  ["effect-pleo-traced", " traced"],
  ["effect-pleo-retry", " with retry policy"]
]
for (const [name, suffix] of headlines) {
  const ratio = ratioOf(results, 64, name)
  if (ratio !== undefined) console.log(`cpu ratio to undici.request at 64${suffix}: ${ratio.toFixed(2)}`)
}
