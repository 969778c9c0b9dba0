// The table of errors in the guide, as the code itself describes them.
import * as InstallationError from "@effect-pleo/core/InstallationError"

const { BadRequest, Infrastructure, Unauthorized } = InstallationError

const issues = [{ path: ["status"], message: "expected a status" }]

/** Each reason, and each case in which the same reason means something else. */
const errors: ReadonlyArray<InstallationError.InstallationError> = [
  new BadRequest({ issues }),
  new BadRequest({ status: 400 }),
  new BadRequest({ status: 404 }),
  ...(["Unauthenticated", "Forbidden", "NotConnected", "ReauthorizationRequired"] as const).map(
    (reason) => new Unauthorized({ reason })
  ),
  new Infrastructure({ reason: "Transport", code: "ECONNRESET" }),
  new Infrastructure({ reason: "Transport", code: "ECONNREFUSED", phase: "Connection" }),
  new Infrastructure({ reason: "Transport", code: "CERT_HAS_EXPIRED", phase: "Connection" }),
  new Infrastructure({ reason: "Timeout" }),
  new Infrastructure({ reason: "Timeout", phase: "Queue" }),
  new Infrastructure({ reason: "RateLimited", status: 429 }),
  new Infrastructure({ reason: "ServerError", status: 503 }),
  new Infrastructure({ reason: "ServerError", status: 501 }),
  new Infrastructure({ reason: "InvalidResponse", status: 200 }),
  new Infrastructure({ reason: "Redirect", status: 302 }),
  new Infrastructure({ reason: "Superseded" }),
  new Infrastructure({ reason: "TokenEndpoint", status: 503 }),
  new Infrastructure({ reason: "TokenStore", code: "ENOSPC" })
]

/** What `explain` says on one of its lines. */
const lineOf = (error: InstallationError.InstallationError, name: string): string =>
  InstallationError.explain(error)
    .split("\n")
    .flatMap((line) => (line.startsWith(`${name}: `) ? [line.slice(name.length + 2)] : []))
    .join()
    .replace(/\.$/, "")

const rowOf = (error: InstallationError.InstallationError): string => {
  const name = "reason" in error ? `${error._tag}\`, \`${error.reason}` : error._tag
  const happened = lineOf(error, "What happened").replace(/^\w+( \(\w+\))?\. /, "")
  const [applied, retried] = [error.mayHaveBeenApplied, error.isRetryable]
  return `| \`${name}\` | ${happened} | ${applied ? "perhaps" : "no"} | ${retried ? "yes" : "no"} | ${lineOf(error, "What to do")} |`
}

export const reasons: string = [
  "| error | what happened | applied? | retried? | what to do |",
  "| --- | --- | --- | --- | --- |",
  ...errors.map(rowOf)
].join("\n")
