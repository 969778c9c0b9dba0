// The types of the sandbox, which a test asks for.
import { Credentials, InstallationService } from "@effect-pleo/core"
import { NodeInstallationService } from "@effect-pleo/node"
import * as Sandbox from "@effect-pleo/testing/Sandbox"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"

export const program: Effect.Effect<string, unknown> = Effect.gen(function* () {
  const { url } = yield* Sandbox.Sandbox
  const credentials = Credentials.bearer(Redacted.make("token"))
  const { status } = yield* InstallationService.update({ status: "ACTIVATED" }).pipe(
    Effect.provide(NodeInstallationService.layer({ server: url, credentials }))
  )
  return status
}).pipe(Effect.provide(Sandbox.layer()))
