import {
  Credentials,
  InstallationService,
  OAuth,
  RetryPolicy
} from "@effect-pleo/core"
import * as Effect from "effect/Effect"

/**
 * Updates all customers, 20 at a time, and returns the failed ones with their
 * errors.
 */
export const reportAll = (customers: ReadonlyArray<string>) =>
  Effect.forEach(
    customers,
    (customer) =>
      InstallationService.update({ status: "ACTIVATED" }).pipe(
        RetryPolicy.retry(),
        Credentials.use(OAuth.tenant(customer)),
        Effect.match({
          onFailure: (error) => [{ customer, error }],
          onSuccess: () => []
        })
      ),
    { concurrency: 20 }
  ).pipe(Effect.map((failures) => failures.flat()))
