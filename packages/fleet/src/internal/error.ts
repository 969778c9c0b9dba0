import * as Data from "effect/Data"

/**
 * The fleet's store failed (`Store`; `code` is an SQLSTATE, or a code of SQLite or the operating system), or another process
 * runs the fleet of this file (`Locked`).
 *
 * @example
 * ```ts
 * const handled = Effect.catchTag(Fleet.set([]), "FleetError", ({ code }) => Effect.logError("Not stored", code))
 * ```
 * @since 0.1.0
 * @category errors
 */
export class FleetError extends Data.TaggedError("FleetError")<{
  readonly reason: "Store" | "Locked"
  readonly code?: string | undefined
}> {
  override get message(): string {
    return this.reason === "Locked"
      ? "Another process runs the fleet of this file. Stop it, or report through it with Fleet.layer."
      : `The fleet's store failed${this.code === undefined ? "" : ` (${this.code})`}. Check the database, and try again.`
  }
}
