// A million updates in one process, or as many as the argument says: does its memory grow?
import { build } from "./support/build.ts"
import { ServerProcess, WorkerProcess } from "./support/childProcess.ts"
import { clear, step } from "./support/progress.ts"

const updates = Number(process.argv[2] ?? 1_000_000)
if (!Number.isSafeInteger(updates) || updates < 10_000) throw new Error("give a number from 10000 on")
// Caches are full then, and what is compiled has been.
const warmUpUpdates = Math.min(50_000, Math.floor(updates / 2))
const stride = Math.max(10_000, Math.ceil(updates / 10))
const inFlight = 64
const mebibyte = 1024 * 1024
const maxGrowth = 5 * mebibyte

const signed = (bytes: number): string =>
  `${bytes < 0 ? "-" : "+"}${(Math.abs(bytes) / mebibyte).toFixed(1)} MiB`

await build()
const server = await ServerProcess.start()
const worker = new WorkerProcess("effect-pleo", ["--expose-gc"])
await worker.call("open", "effect-pleo-retry", { server: server.url, inFlight })

let made = 0
const advance = async (until: number): Promise<number> => {
  while (made < until) {
    const next = Math.min(10_000, until - made)
    step(`${made} of ${updates} updates`)
    await worker.call("measure", inFlight, next)
    made += next
  }
  clear()
  return await worker.call("collect")
}

const base = await advance(warmUpUpdates)
console.log(`heap after ${made} updates: ${(base / mebibyte).toFixed(1)} MiB`)

let growth = 0
while (made < updates) {
  growth = (await advance(Math.min(updates, (Math.floor(made / stride) + 1) * stride))) - base
  console.log(`heap after ${made} updates: ${signed(growth)}`)
}

const { requests } = await server.send("count")
if (requests !== updates) throw new Error(`${requests} requests for ${updates} updates`)
await Promise.all([worker.stop(), server.stop()])
process.exitCode = growth > maxGrowth ? 1 : 0
