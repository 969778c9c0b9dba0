import * as Duration from "effect/Duration"
import { isInstallationError } from "../../InstallationError.ts"
import { withFields } from "../http/failure.ts"

/** The attempts before the current one. */
export interface History {
  readonly retries: number
  /** More than `retries` if policies are nested. */
  readonly attempts: number
  /** Milliseconds. */
  readonly waited: number
  readonly mayHaveBeenApplied: boolean
}

export const noHistory: History = { retries: 0, attempts: 0, waited: 0, mayHaveBeenApplied: false }

/** The history of the attempt that follows `error` after `delay` milliseconds. */
export const nextHistory = (history: History, error: unknown, delay: number): History => {
  const failure = isInstallationError(error) ? error : undefined
  const { attempts = 1, waited = Duration.zero } = failure?.retried ?? {}
  return {
    retries: history.retries + 1,
    attempts: history.attempts + attempts,
    waited: history.waited + Duration.toMillis(waited) + delay,
    mayHaveBeenApplied: history.mayHaveBeenApplied || failure?.mayHaveBeenApplied === true
  }
}

/** Adds the history to the error of the last attempt. */
export const withHistory = <E>(error: E, history: History): E => {
  if (history.retries === 0 || !isInstallationError(error)) return error
  const { attempts, mayHaveBeenApplied, waited } = nextHistory(history, error, 0)
  const retried = { attempts, waited: Duration.millis(waited), mayHaveBeenApplied }
  return withFields(error, { retried })
}
