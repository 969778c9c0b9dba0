import { setTimeout } from "node:timers/promises"

/** The bytes in use after garbage collection. Needs `--expose-gc`. */
export const collect = async (): Promise<number> => {
  const { gc } = globalThis
  if (gc === undefined) throw new Error("--expose-gc is missing")
  for (let round = 0; round < 3; round++) {
    gc()
    await setTimeout(20)
  }
  return process.memoryUsage().heapUsed
}
