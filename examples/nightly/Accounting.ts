// The accounting system that customers' expenses are booked in: what the
// integration is about.
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"

/**
 * `NotEntitled` and `LoggedOut` last until the customer does something;
 * `Unavailable` passes.
 */
export class AccountingError extends Data.TaggedError("AccountingError")<{
  readonly reason: "NotEntitled" | "LoggedOut" | "Unavailable"
}> {}

export class Accounting extends Context.Tag(
  "@effect-pleo/examples/Accounting"
)<
  Accounting,
  {
    /**
     * Books what a customer has spent since the last time, and gives how many
     * entries that made.
     */
    readonly book: (
      customer: string
    ) => Effect.Effect<number, AccountingError>
  }
>() {}
