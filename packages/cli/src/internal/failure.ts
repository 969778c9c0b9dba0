// Failures of the command line itself. The library's own errors pass through.
import * as Data from "effect/Data"

/** The command line, a file it names, or a variable is wrong. Nothing was sent. Exit code 2. */
export class UsageError extends Data.TaggedError("UsageError")<{ readonly message: string }> {}

/** The command was understood, and could not be done. Exit code 1. */
export class CommandError extends Data.TaggedError("CommandError")<{
  readonly reason: "Declined" | "Timeout" | "Listen" | "TokenStore"
  readonly message: string
}> {}

/** The code of an error of the operating system or of a database, which quotes nothing. */
const codeOf = (error: unknown): string | undefined => {
  for (let cause = error, depth = 0; typeof cause === "object" && cause !== null && depth < 8; depth++) {
    const { cause: next, code } = cause as { readonly cause?: unknown; readonly code?: unknown }
    if (typeof code === "string" && /^[A-Z0-9_]{1,40}$/.test(code)) return code
    cause = next
  }
  return undefined
}

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
