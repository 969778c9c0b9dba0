// A contender that has run for a while, in a process of its own.
import { type Name, titleOf } from "../contenders/index.ts"
import { type ServerProcess, WorkerProcess } from "../support/childProcess.ts"

// Before that much, compiling the hot paths still shows in the figures. The faster ones need more updates for it: hot
// is what has run for a while.
const warmUpUpdates = 1500
/** CPU time, in µs. */
const warmUpCpu = 5_000_000
const warmUpInFlight = 64

/**
 * Starts a contender right before its turns: V8 shrinks the young generation of a process that waits for a minute, which
 * then shows in the figures for longer than a turn.
 */
export const open = async (server: ServerProcess, inFlight: number, name: Name): Promise<WorkerProcess> => {
  const worker = new WorkerProcess(titleOf(name))
  await worker.call("open", name, { server: server.url, inFlight })
  const { cpu } = await worker.call("measure", warmUpInFlight, warmUpUpdates)
  const more = Math.round((warmUpCpu - cpu) / (cpu / warmUpUpdates))
  if (more > 0) await worker.call("measure", warmUpInFlight, more)
  return worker
}
