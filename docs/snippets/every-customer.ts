import {
  Credentials,
  InstallationService,
  OAuth,
  RetryPolicy,
  UpdateInstallation
} from "@effect-pleo/core"
import * as Effect from "effect/Effect"

/**
 * Tells Pleo of all customers, 20 at a time, and gives those who could not be
 * told of, with the error.
 */
export const reportAll = (customers: ReadonlyArray<string>) =>
  Effect.forEach(
    customers,
    (customer) =>
      InstallationService.update(UpdateInstallation.activated()).pipe(
        RetryPolicy.retry(),
        Credentials.use(OAuth.tenant(customer)),
        Effect.match({
          onFailure: (error) => [{ customer, error }],
          onSuccess: () => []
        })
      ),
    { concurrency: 20 }
  ).pipe(Effect.map((failures) => failures.flat()))
