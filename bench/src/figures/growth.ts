// Whether an update costs more after many of them. A machine does not keep one speed for so long, so each
// block is compared with a block of the reference that ran next to it.
import { type Name, titleOf } from "../contenders/index.ts"
import { type ServerProcess, WorkerProcess } from "../support/childProcess.ts"
import { step } from "../support/progress.ts"
import { median } from "../support/statistics.ts"
import { reference } from "./cpu.ts"

const inFlight = 64
const warmUpUpdates = 20_000
const blockUpdates = 500
const blocks = 30

export const totalUpdates = 100_000

export interface Growth {
  /** Microseconds of CPU time an update, after the warm-up and after all. */
  readonly first: number
  readonly last: number
  /** The second in terms of the first, with what happened to the reference taken out. */
  readonly ratio: number
}

interface Block {
  readonly cpu: number
  readonly relative: number
}

export const measureGrowth = async (server: ServerProcess, name: Name): Promise<Growth> => {
  const worker = new WorkerProcess(titleOf(name))
  const control = new WorkerProcess(titleOf(reference))
  const measure = async (worker: WorkerProcess, updates: number) =>
    (await worker.call("measure", inFlight, updates)).cpu / updates
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

  step(`growth: warming up ${titleOf(name)}`)
  await worker.call("open", name, { server: server.url, inFlight })
  await control.call("open", reference, { server: server.url, inFlight })
  await measure(worker, warmUpUpdates)
  await measure(control, warmUpUpdates)
  const first = await compare()
  step(`growth: ${totalUpdates} updates of ${titleOf(name)}`)
  await measure(worker, totalUpdates - 2 * blocks * blockUpdates)
  const last = await compare()
  await Promise.all([worker.stop(), control.stop()])
  return {
    first: median(first.map(({ cpu }) => cpu)),
    last: median(last.map(({ cpu }) => cpu)),
    ratio: median(last.map(({ relative }) => relative)) / median(first.map(({ relative }) => relative))
  }
}
