// A retry loop as one writes it by hand.
import { setTimeout } from "node:timers/promises"
import { ZodError } from "zod"

export const maxAttempts = 3
/** In milliseconds. */
export const baseDelay = 500
export const attemptTimeout = 10_000

const retryableStatuses: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504])

export const isRetryableStatus = (status: number): boolean => retryableStatuses.has(status)

export class StatusError extends Error {
  readonly status: number

  constructor(status: number) {
    super(`status ${status}`)
    this.status = status
  }
}

/** Any failure other than a status or a wrong answer is an error of the transport, or a timeout. */
const isRetryable = (error: unknown): boolean =>
  error instanceof StatusError
    ? isRetryableStatus(error.status)
    : !(error instanceof ZodError || error instanceof SyntaxError)

/** Waits with full jitter, below a bound that doubles. */
export const retry = async <A>(attempt: () => Promise<A>): Promise<A> => {
  for (let retries = 0; ; retries++) {
    try {
      return await attempt()
    } catch (error) {
      if (retries + 1 === maxAttempts || !isRetryable(error)) throw error
      await setTimeout(Math.random() * baseDelay * 2 ** retries)
    }
  }
}
