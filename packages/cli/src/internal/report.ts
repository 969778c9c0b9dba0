// How a command ends: its exit code, and on failure a text on stderr and, with --json, a value on stdout.
import * as ValidationError from "@effect/cli/ValidationError"
import { explain, isInstallationError } from "@effect-pleo/core/InstallationError"
import { AuthorizationError } from "@effect-pleo/core/OAuth"
import * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import { CommandError, UsageError } from "./failure.ts"
import * as Json from "./json.ts"
import { type Printed, result } from "./output.ts"
import { paintErr, say, visible } from "./terminal.ts"

interface Report {
  readonly code: 1 | 2
  /** Absent if it was printed already. */
  readonly text?: string
  readonly error: Json.Failure["error"]
}

const formatConfigError = (error: ConfigError.ConfigError): string => {
  switch (error._op) {
    case "And":
    case "Or":
      return `${formatConfigError(error.left)}; ${formatConfigError(error.right)}`
    default:
      return `${error.path.join(".")}: ${error.message}`
  }
}

const reportOf = (error: unknown): Report => {
  if (isInstallationError(error)) {
    const { _tag, isRetryable, mayHaveBeenApplied, message, requestId, retried, server, status, tenant } =
      error
    const facts = {
      reason: "reason" in error ? error.reason : undefined,
      server,
      tenant,
      status,
      code: error._tag === "Infrastructure" ? error.code : undefined,
      requestId,
      attempts: retried?.attempts
    }
    return {
      code: 1,
      text: explain(error),
      error: {
        _tag,
        message,
        isRetryable,
        mayHaveBeenApplied,
        ...Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined))
      }
    }
  }
  if (error instanceof AuthorizationError || error instanceof CommandError) {
    const { _tag, message, reason } = error
    return { code: 1, text: message, error: { _tag, message, reason } }
  }
  if (error instanceof UsageError || ConfigError.isConfigError(error)) {
    const message = error instanceof UsageError ? error.message : formatConfigError(error)
    return { code: 2, text: message, error: { _tag: "UsageError", message } }
  }
  if (ValidationError.isValidationError(error))
    return { code: 2, error: { _tag: "UsageError", message: "The command line is not valid: see --help" } }
  // Its message may quote anything.
  const message = `Unexpected error: ${error instanceof Error ? error.name : typeof error}`
  return { code: 1, text: message, error: { _tag: "Defect", message } }
}

/** Prints a failure, and gives the exit code. */
export const failed = (error: unknown, json: boolean): Effect.Effect<Report["code"], never, Printed> =>
  Effect.gen(function* () {
    const { code, error: value, text } = reportOf(error)
    if (text !== undefined) {
      const [first = "", ...others] = text.split("\n")
      yield* say([paintErr("red", visible(first)), ...others.map(visible)].join("\n"))
    }
    if (json) yield* result(true, Json.Failure, { error: value }, () => "")
    return code
  })

/** Prints, with --json, that the command was interrupted: a person has just done so. */
export const interrupted = (json: boolean): Effect.Effect<void, never, Printed> =>
  json
    ? result(
        true,
        Json.Failure,
        {
          error: {
            _tag: "Interrupted",
            message: "Interrupted: a change that was sent may have been applied"
          }
        },
        () => ""
      )
    : Effect.void
