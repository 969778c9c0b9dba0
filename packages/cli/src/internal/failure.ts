// Failures of the command line itself. The library's own errors pass through.
import { codeOf } from "@effect-pleo/core/internal/errorCode"
import * as Data from "effect/Data"

/** The command line, a file it names, or a variable is wrong. Nothing was sent. Exit code 2. */
export class UsageError extends Data.TaggedError("UsageError")<{ readonly message: string }> {}

/** The command was understood, and could not be done. Exit code 1. */
export class CommandError extends Data.TaggedError("CommandError")<{
  readonly reason: "Declined" | "Timeout" | "Listen" | "TokenStore" | "Fleet" | "Incomplete"
  readonly message: string
}> {}

/** ` (ENOENT)`, or nothing. */
export const formatCode = (error: unknown): string => {
  const code = codeOf(error)
  return code === undefined ? "" : ` (${code})`
}

export const cannotListen = (port: number, error: unknown): CommandError =>
  new CommandError({
    reason: "Listen",
    message: `Cannot listen on port ${port} of 127.0.0.1${formatCode(error)}`
  })
