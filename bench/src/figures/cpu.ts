// CPU time an update, in short turns of a contender between turns of the reference.
import { type Name, reference, titleOf } from "../contenders/index.ts"
import type { ServerProcess, WorkerProcess } from "../support/childProcess.ts"
import { phase, step } from "../support/progress.ts"
import { median, type Spread, spread } from "../support/statistics.ts"
import { open } from "./warmUp.ts"

const minUpdates = 300
/**
 * CPU time, in µs, of a turn of a contender, and of the reference next to it. In shorter ones, much of it goes into
 * filling the caches that the other has emptied.
 */
const turnCpu = 300_000
const referenceCpu = 150_000

export interface Figure {
  readonly name: Name
  /** Microseconds of CPU time an update: the median of the rounds. */
  readonly cpu: number
  readonly updatesPerSecond: number
  /** CPU time in terms of what the reference took right before and after, in each round. */
  readonly ratio: Spread
}

interface Sample {
  readonly cpu: number
  readonly updatesPerSecond: number
}

interface Lane {
  readonly name: Name
  readonly check: () => Promise<void>
  readonly run: () => Promise<Sample>
}

export const levelIds = ["called", "cpu64", "cpu1", "cpu512"] as const

export type LevelId = (typeof levelIds)[number]

/** Some of the contenders, with so many updates in flight. */
export interface Level {
  readonly id: LevelId
  readonly title: string
  readonly inFlight: number
  /** The reference takes part anyway. */
  readonly names: ReadonlyArray<Name>
  /** How many turns a contender takes there. */
  readonly turns: (name: Name) => number
}

/** Makes sure that the requests were made that the contender claims. */
const counted = async <A>(server: ServerProcess, expected: number, run: () => Promise<A>): Promise<A> => {
  const before = await server.send("count")
  const result = await run()
  const after = await server.send("count")
  const requests = after.requests - before.requests
  if (requests !== expected) throw new Error(`${requests} requests for ${expected} updates`)
  return result
}

/** Finds out how many updates a turn takes, and opens the sockets. */
const calibrate = async (
  server: ServerProcess,
  inFlight: number,
  name: Name,
  worker: WorkerProcess
): Promise<Lane> => {
  const trial = Math.max(minUpdates, inFlight)
  const { cpu } = await worker.call("measure", inFlight, trial)
  const wanted = (name === reference ? referenceCpu : turnCpu) / (cpu / trial)
  const updates = Math.max(trial, Math.round(wanted))
  const checksEach = Math.ceil(64 / inFlight)
  return {
    name,
    check: () => counted(server, inFlight * checksEach, () => worker.call("checkAll", inFlight, checksEach)),
    run: async () => {
      const { cpu, time } = await counted(server, updates, () => worker.call("measure", inFlight, updates))
      return { cpu: cpu / updates, updatesPerSecond: (updates / time) * 1000 }
    }
  }
}

/** What was measured of one contender at one level, in all its processes. */
interface Record {
  readonly samples: Array<Sample>
  readonly ratios: Array<number>
}

type Records = Map<Name, Record>

const recordOf = (records: Records, name: Name): Record => {
  const record = records.get(name) ?? { samples: [], ratios: [] }
  records.set(name, record)
  return record
}

/** The reference works before and after each turn: the speed of a machine changes within a second. */
const takeTurns = async (
  server: ServerProcess,
  control: WorkerProcess,
  worker: WorkerProcess,
  name: Name,
  { inFlight, turns: turnsOf }: Level,
  records: Records
): Promise<void> => {
  const turns = turnsOf(name)
  const base = await calibrate(server, inFlight, reference, control)
  const lane = await calibrate(server, inFlight, name, worker)
  const baseRecord = recordOf(records, base.name)
  const { ratios, samples } = recordOf(records, lane.name)
  await base.check()
  await lane.check()
  let before = await base.run()
  for (let turn = 1; turn <= turns; turn++) {
    step(`${titleOf(lane.name)}, ${inFlight} in flight: ${turn} of ${turns}`)
    const sample = await lane.run()
    const after = await base.run()
    samples.push(sample)
    ratios.push(sample.cpu / ((before.cpu + after.cpu) / 2))
    baseRecord.samples.push(after)
    baseRecord.ratios.push(1)
    before = after
  }
  await base.check()
  await lane.check()
}

const toFigure = ([name, { ratios, samples }]: readonly [Name, Record]): Figure => ({
  name,
  cpu: median(samples.map(({ cpu }) => cpu)),
  updatesPerSecond: median(samples.map(({ updatesPerSecond }) => updatesPerSecond)),
  ratio: spread(ratios)
})

export interface LevelFigures {
  readonly id: LevelId
  readonly title: string
  /** The cheapest first. */
  readonly figures: ReadonlyArray<Figure>
}

/** Only the reference works beside a contender. `most` updates are in flight at most. */
export const measureCpu = async (
  server: ServerProcess,
  control: WorkerProcess,
  most: number,
  names: ReadonlyArray<Name>,
  levels: ReadonlyArray<Level>
): Promise<ReadonlyArray<LevelFigures>> => {
  const records = levels.map((): Records => new Map())
  for (const [index, name] of names.entries()) {
    phase(`CPU time: ${titleOf(name)} (${index + 1} of ${names.length})`)
    const worker = await open(server, most, name)
    for (const [index, level] of levels.entries())
      if (level.names.includes(name))
        await takeTurns(server, control, worker, name, level, records[index] ?? new Map())
    await worker.stop()
  }
  return levels.map(({ id, title }, index) => ({
    id,
    title,
    figures: Array.from(records[index] ?? [], toFigure).sort((a, b) => a.ratio.median - b.ratio.median)
  }))
}
