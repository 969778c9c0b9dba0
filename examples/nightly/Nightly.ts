// The nightly synchronisation of an accounting integration: each customer's
// expenses are booked, and the customer's installation at Pleo says how
// that is going.
import {
  Credentials,
  type Installation,
  InstallationError,
  InstallationService,
  OAuth,
  RetryPolicy
} from "@effect-pleo/core"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Match from "effect/Match"
import * as Schedule from "effect/Schedule"
import { Accounting, type AccountingError } from "./Accounting.ts"

/**
 * How a customer's night ended: in error until the customer acts, or postponed
 * to the next night.
 */
export type Outcome = Data.TaggedEnum<{
  Synchronised: { readonly customer: string; readonly entries: number }
  InError: {
    readonly customer: string
    readonly code: "NOT_ENTITLED" | "AUTH_ERROR"
  }
  Postponed: { readonly customer: string; readonly why: string }
}>
export const Outcome = Data.taggedEnum<Outcome>()

export class Nightly extends Context.Tag("@effect-pleo/examples/Nightly")<
  Nightly,
  {
    /** One night of one customer. Whatever goes wrong is its outcome. */
    readonly synchronise: (customer: string) => Effect.Effect<Outcome>
    /** One night of all, ten at a time. */
    readonly night: Effect.Effect<ReadonlyArray<Outcome>>
    /** Every night at two. It does not end. */
    readonly nights: Effect.Effect<never>
  }
>() {}

const make = (customers: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const accounting = yield* Accounting
    const installations = yield* InstallationService.InstallationService

    const report = (
      customer: string,
      request: Installation.UpdateInstallation
    ) =>
      installations
        .update(request)
        .pipe(RetryPolicy.retry(), Credentials.use(OAuth.tenant(customer)))

    /**
     * Says that work goes on, for as long as it does. One that is lost is made
     * up for by the next.
     */
    const heartbeat = (customer: string) =>
      DateTime.now.pipe(
        Effect.flatMap((now) =>
          report(customer, {
            status: "PENDING_INTEGRATION",
            metadata: {
              aliveAt: DateTime.formatIso(now)
            }
          })
        ),
        Effect.ignoreLogged,
        Effect.schedule(Schedule.spaced("15 minutes")),
        Effect.zipRight(Effect.never)
      )

    const book = (customer: string) =>
      accounting.book(customer).pipe(
        Effect.retry({
          while: ({ reason }) => reason === "Unavailable",
          schedule: Schedule.exponential("1 minute").pipe(
            Schedule.intersect(Schedule.recurs(3))
          )
        }),
        Effect.raceFirst(heartbeat(customer))
      )

    const inError = (
      customer: string,
      code: "NOT_ENTITLED" | "AUTH_ERROR"
    ) =>
      Effect.as(
        report(customer, { status: "ERROR", errorCode: code }),
        Outcome.InError({ customer, code })
      )

    const afterFailure = (customer: string, { reason }: AccountingError) =>
      Match.value(reason).pipe(
        Match.when("NotEntitled", () => inError(customer, "NOT_ENTITLED")),
        Match.when("LoggedOut", () => inError(customer, "AUTH_ERROR")),
        // The installation stays PENDING_INTEGRATION: nothing is wrong with
        // it.
        Match.when("Unavailable", () =>
          Effect.succeed(
            Outcome.Postponed({
              customer,
              why: "The accounting system is down."
            })
          )
        ),
        Match.exhaustive
      )

    const postpone =
      (customer: string) => (error: InstallationError.InstallationError) =>
        Effect.succeed(Outcome.Postponed({ customer, why: error.message }))

    const synchronise = (customer: string): Effect.Effect<Outcome> =>
      Effect.gen(function* () {
        yield* report(customer, { status: "PENDING_INTEGRATION" })
        const entries = yield* book(customer)
        yield* report(customer, {
          status: "ACTIVATED",
          metadata: { entries }
        })
        return Outcome.Synchronised({ customer, entries })
      }).pipe(
        Effect.catchTag("AccountingError", (error) =>
          afterFailure(customer, error)
        ),
        Effect.catchIf(
          InstallationError.isInstallationError,
          postpone(customer)
        )
      )

    const night = Effect.forEach(customers, synchronise, {
      concurrency: 10
    })

    return Nightly.of({
      synchronise,
      night,
      nights: night.pipe(
        Effect.schedule(Schedule.cron("0 2 * * *", "UTC")),
        Effect.zipRight(Effect.never)
      )
    })
  })

export const layer = (options: {
  readonly customers: ReadonlyArray<string>
}) => Layer.effect(Nightly, make(options.customers))
