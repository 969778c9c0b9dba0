// A process with one contender in it, which does what it is told over IPC.
import { PerformanceObserver } from "node:perf_hooks"
import { setTimeout } from "node:timers/promises"
import { load, type Name } from "./contenders/index.ts"
import { collect } from "./support/collect.ts"
import type { Run, Target } from "./support/contender.ts"
import { check, checkAll } from "./support/installation.ts"

let run: Run | undefined
let started = 0
let answered = 0
let underWay: Promise<void> | undefined

const opened = (): Run => {
  if (run === undefined) throw new Error("no contender has been opened")
  return run
}

const start = async (workers: number, updates: number): Promise<void> => {
  started = 0
  answered = 0
  await opened()({
    workers,
    take: () => {
      if (started === updates) return false
      started++
      return true
    },
    check: (answer) => {
      check(answer)
      answered++
    }
  })
  if (answered !== updates) throw new Error(`${answered} of ${updates} updates were answered`)
}

const methods = {
  open: async (name: Name, target: Target): Promise<void> => {
    const contender = await load(name)
    run = await contender(target)
  },

  /** The same number of updates by each worker, with every answer checked whole. */
  checkAll: async (workers: number, each: number): Promise<void> => {
    const made = new Array<number>(workers).fill(0)
    await opened()({
      workers,
      take: (worker) => {
        const before = made[worker] ?? 0
        made[worker] = before + 1
        return before < each
      },
      check: checkAll
    })
  },

  /** The CPU time, in µs, and the time, in ms, that some updates take. */
  measure: async (workers: number, updates: number): Promise<{ cpu: number; time: number }> => {
    const cpuBefore = process.cpuUsage()
    const timeBefore = performance.now()
    await start(workers, updates)
    const time = performance.now() - timeBefore
    const { system, user } = process.cpuUsage(cpuBefore)
    return { cpu: system + user, time }
  },

  /** The bytes that some updates allocate in the heap, unless garbage was collected meanwhile. */
  allocate: async (workers: number, updates: number): Promise<number | undefined> => {
    await collect()
    let collections = 0
    const observer = new PerformanceObserver((list) => {
      collections += list.getEntries().length
    })
    observer.observe({ entryTypes: ["gc"] })
    const before = process.memoryUsage().heapUsed
    await start(workers, updates)
    const after = process.memoryUsage().heapUsed
    await setTimeout(20)
    observer.disconnect()
    return collections === 0 ? after - before : undefined
  },

  collect,

  /** Starts updates without waiting for them. */
  start: (workers: number, updates: number): void => {
    underWay = start(workers, updates)
    // It is awaited by `finish`.
    underWay.catch(() => {})
  },

  progress: () => ({ started, answered }),

  finish: async (): Promise<void> => {
    await underWay
  }
}

export type Methods = typeof methods

export type Reply = { readonly value: unknown } | { readonly error: string }

process.on("message", async ({ args, method }: { method: keyof Methods; args: ReadonlyArray<never> }) => {
  const reply: Reply = await Promise.resolve(args)
    .then((args) => (methods[method] as (...args: ReadonlyArray<never>) => unknown)(...args))
    .then(
      (value) => ({ value }),
      (error: unknown) => ({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    )
  process.send?.(reply)
})
process.on("disconnect", () => process.exit())
