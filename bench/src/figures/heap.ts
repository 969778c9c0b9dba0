// What an update allocates, and what it holds while it waits.
import { setTimeout } from "node:timers/promises"
import { type Name, titleOf } from "../contenders/index.ts"
import { type ServerProcess, WorkerProcess } from "../support/childProcess.ts"
import { step } from "../support/progress.ts"

const inFlight = 64

const withWorker = async <A>(
  name: Name,
  options: ReadonlyArray<string>,
  use: (worker: WorkerProcess) => Promise<A>
): Promise<A> => {
  const worker = new WorkerProcess(titleOf(name), ["--expose-gc", ...options])
  try {
    return await use(worker)
  } finally {
    await worker.stop()
  }
}

const allocatingUpdates = 1000
const attempts = 5

// So large that nothing has to be collected while it is measured.
const roomy = ["--min-semi-space-size=256", "--max-semi-space-size=256"]

/** The bytes that an update allocates in the heap. */
export const measureAllocation = (server: ServerProcess, name: Name): Promise<number> =>
  withWorker(name, roomy, async (worker) => {
    step(`allocation: ${titleOf(name)}`)
    await worker.call("open", name, { server: server.url, inFlight })
    await worker.call("measure", inFlight, 2000)
    for (let attempt = 0; attempt < attempts; attempt++) {
      const bytes = await worker.call("allocate", inFlight, allocatingUpdates)
      if (bytes !== undefined) return bytes / allocatingUpdates
    }
    throw new Error(`garbage of ${titleOf(name)} was collected in each of ${attempts} attempts`)
  })

export const waitingUpdates = 10_000

const maxWait = 60_000

const until = async (what: string, condition: () => Promise<boolean>): Promise<void> => {
  const start = performance.now()
  while (!(await condition())) {
    if (performance.now() - start > maxWait) throw new Error(`not ${what} within ${maxWait / 1000} s`)
    await setTimeout(50)
  }
}

/** What each of many updates holds in the heap while none is answered. */
export const measureWaiting = (server: ServerProcess, name: Name): Promise<number> =>
  withWorker(name, [], async (worker) => {
    step(`waiting: ${titleOf(name)}`)
    await worker.call("open", name, { server: server.url, inFlight, sockets: inFlight })
    await worker.call("measure", inFlight, 1000)
    const before = await worker.call("collect")
    const { requests } = await server.send("hold")
    await worker.call("start", waitingUpdates, waitingUpdates)
    await until("all started", async () => (await worker.call("progress")).started === waitingUpdates)
    await until("all sockets in use", async () => (await server.send("count")).held === inFlight)
    const after = await worker.call("collect")
    const { answered } = await worker.call("progress")
    const { held } = await server.send("release")
    await worker.call("finish")
    const made = (await server.send("count")).requests - requests
    if (answered !== 0 || held > inFlight || made !== waitingUpdates)
      throw new Error(`${answered} answered too early, ${held} held at the end, ${made} requests`)
    return (after - before) / waitingUpdates
  })
