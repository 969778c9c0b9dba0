import { writeSync } from "node:fs"

/** What an application prints when it has its first answer, in milliseconds since its process started. */
export interface Answered {
  readonly elapsed: number
  readonly cpu: number
}

export const answered = (): void => {
  const elapsed = performance.now()
  const { system, user } = process.cpuUsage()
  const figures: Answered = { elapsed, cpu: (user + system) / 1000 }
  writeSync(1, JSON.stringify(figures))
}
