// What every contender is: something that makes the same update again and again.
import type { Answer } from "./installation.ts"

export interface Target {
  readonly server: string
  /** How many updates there will be in flight at most. */
  readonly inFlight: number
  /** How many sockets there may be. Without it, the limit of the contender's own default holds. */
  readonly sockets?: number | undefined
}

export interface Job {
  /** Each makes one update at a time, of installations that no other worker updates. */
  readonly workers: number
  /** Asked before each update: whether there is one more to make. */
  readonly take: (worker: number) => boolean
  readonly check: (answer: Answer) => void
}

export type Run = (job: Job) => Promise<void>

export type Contender = (target: Target) => Promise<Run>

export const tokenOf = (worker: number): string => `token-${worker}`
