// Whether an update costs more after many of them. A machine does not keep one speed for so long, so each
// block is compared with a block of the reference that ran next to it.
import { type Name, titleOf } from "../contenders/index.ts"
import type { ServerProcess, WorkerProcess } from "../support/childProcess.ts"
import { step } from "../support/progress.ts"
import { median } from "../support/statistics.ts"
import { open } from "./warmUp.ts"

const inFlight = 64
const blockUpdates = 500
const blocks = 40

export const totalUpdates = 100_000

export interface Growth {
  /** Microseconds of CPU time an update, before and after all. */
  readonly first: number
  readonly last: number
  /** The second in terms of the first, with what happened to the reference taken out. */
  readonly ratio: number
}

interface Block {
  readonly cpu: number
  readonly relative: number
}

const measure = async (worker: WorkerProcess, updates: number): Promise<number> =>
  (await worker.call("measure", inFlight, updates)).cpu / updates

export const measureGrowth = async (
  server: ServerProcess,
  control: WorkerProcess,
  name: Name
): Promise<Growth> => {
  const worker = await open(server, inFlight, name)
  const compare = async (): Promise<ReadonlyArray<Block>> => {
    const results: Array<Block> = []
    let before = await measure(control, blockUpdates)
    for (let block = 0; block < blocks; block++) {
      const cpu = await measure(worker, blockUpdates)
      const after = await measure(control, blockUpdates)
      results.push({ cpu, relative: cpu / ((before + after) / 2) })
      before = after
    }
    return results
  }

  step(`growth: ${totalUpdates} updates of ${titleOf(name)}`)
  // The first of them opens the sockets.
  for (const each of [worker, control]) await measure(each, blockUpdates)
  const first = await compare()
  await measure(worker, totalUpdates - 2 * blocks * blockUpdates)
  const last = await compare()
  await worker.stop()
  return {
    first: median(first.map(({ cpu }) => cpu)),
    last: median(last.map(({ cpu }) => cpu)),
    ratio: median(last.map(({ relative }) => relative)) / median(first.map(({ relative }) => relative))
  }
}
