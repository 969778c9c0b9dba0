import { Credentials, InstallationClient, type InstallationService } from "@effect-pleo/core"
import { Sandbox } from "@effect-pleo/sandbox"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { wire } from "./wire.ts"

/** A running sandbox, and an `InstallationService` that speaks to it over HTTP. */
export const sandboxed = Layer.unwrapEffect(
  Effect.map(Sandbox.Sandbox, ({ url }) =>
    InstallationClient.layer({ server: url, credentials: Credentials.apiKey(Redacted.make("sandbox-key")) })
  )
).pipe(
  Layer.provide(wire),
  Layer.provideMerge(Sandbox.layer()),
  // Neither can go wrong here: the sandbox takes any free port, and the key is fit to be sent.
  Layer.orDie
) satisfies Layer.Layer<InstallationService.InstallationService | Sandbox.Sandbox>
