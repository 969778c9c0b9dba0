// Contenders that have run for a while, each in a process of its own.
import * as Effect from "effect/Effect"
import { type Name, titleOf } from "../contenders/index.ts"
import { type ServerProcess, WorkerProcess } from "../support/childProcess.ts"

// Before that much, compiling the hot paths still shows in the figures. The faster ones need more updates for it: hot
// is what has run for a while.
const warmUpUpdates = 1500
/** CPU time, in µs. */
const warmUpCpu = 5_000_000
const warmUpInFlight = 64

export type Workers = ReadonlyMap<Name, WorkerProcess>

const open = async (server: ServerProcess, inFlight: number, name: Name): Promise<WorkerProcess> => {
  const worker = new WorkerProcess(titleOf(name))
  await worker.call("open", name, { server: server.url, inFlight })
  const { cpu } = await worker.call("measure", warmUpInFlight, warmUpUpdates)
  const more = Math.round((warmUpCpu - cpu) / (cpu / warmUpUpdates))
  if (more > 0) await worker.call("measure", warmUpInFlight, more)
  return worker
}

/** Several at once: while they warm up, nothing is measured, and afterwards they work in their turns only. */
export const openAll = async (
  server: ServerProcess,
  inFlight: number,
  names: ReadonlyArray<Name>
): Promise<Workers> => {
  const opening = Effect.forEach(
    names,
    (name) => Effect.promise(async () => [name, await open(server, inFlight, name)] as const),
    { concurrency: 4 }
  )
  return new Map(await Effect.runPromise(opening))
}

export const workerOf = (workers: Workers, name: Name): WorkerProcess => {
  const worker = workers.get(name)
  if (worker === undefined) throw new Error(`${name} has not been opened`)
  return worker
}
