import * as Credentials from "@effect-pleo/core/Credentials"
import * as FetchInstallationService from "@effect-pleo/core/FetchInstallationService"
import * as InstallationService from "@effect-pleo/core/InstallationService"
import * as RetryPolicy from "@effect-pleo/core/RetryPolicy"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import { asCalled } from "../support/asCalled.ts"
import type { Target } from "../support/contender.ts"
import type { Answer, Update } from "../support/installation.ts"
import { credentials, overUndici } from "./effectPleo.ts"

type Services = InstallationService.InstallationService

const overFetch = ({ server }: Target) => FetchInstallationService.layer({ server, credentials })

/** Tracing is off, as for those in a loop that are not traced. */
const untraced = Layer.setTracerEnabled(false)

const from = (
  layer: (target: Target) => Layer.Layer<Services, unknown>,
  call: (token: string, update: Update) => Effect.Effect<Answer, unknown, Services>
) =>
  asCalled((target) => {
    const runtime = ManagedRuntime.make(Layer.merge(layer(target), untraced))
    return (token, update) => runtime.runPromise(call(token, update))
  })

const callDirectly = (token: string, update: Update) =>
  InstallationService.update(update).pipe(
    Credentials.use(Credentials.bearer(Redacted.make(token))),
    RetryPolicy.retry()
  )

export const direct = from(overUndici, callDirectly)

export const directOverFetch = from(overFetch, callDirectly)

export const mapBetween = from(overUndici, (token, update) =>
  InstallationService.update(update).pipe(
    Effect.map((installation) => installation),
    Credentials.use(Credentials.bearer(Redacted.make(token))),
    Effect.map((installation) => installation),
    RetryPolicy.retry()
  )
)

export const genInside = from(overUndici, (token, update) =>
  Effect.gen(function* () {
    const installation = yield* InstallationService.update(update)
    return installation
  }).pipe(Credentials.use(Credentials.bearer(Redacted.make(token))), RetryPolicy.retry())
)
