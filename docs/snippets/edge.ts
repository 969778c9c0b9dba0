import {
  Credentials,
  FetchInstallationService,
  InstallationService,
  RetryPolicy
} from "@effect-pleo/core"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"

interface Environment {
  readonly PLEO_ACCESS_TOKEN: string
  readonly PLEO_SERVER?: string
}

const live = (environment: Environment) =>
  FetchInstallationService.layer({
    credentials: Credentials.bearer(
      Redacted.make(environment.PLEO_ACCESS_TOKEN)
    ),
    server: environment.PLEO_SERVER || undefined
  })

export default {
  fetch: (_: Request, environment: Environment): Promise<Response> =>
    InstallationService.update({ status: "ACTIVATED" }).pipe(
      RetryPolicy.retry(),
      Effect.match({
        onFailure: ({ message }) => new Response(message, { status: 502 }),
        onSuccess: ({ status }) => new Response(status)
      }),
      Effect.provide(live(environment)),
      Effect.runPromise
    )
}
