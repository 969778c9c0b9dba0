import * as Credentials from "@effect-pleo/core/Credentials"
import * as NodeInstallationService from "@effect-pleo/node/NodeInstallationService"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { answered } from "./answered.ts"

const program = NodeInstallationService.make({
  server: process.env["PLEO_SERVER"],
  credentials: Credentials.bearer(Redacted.make(process.env["PLEO_ACCESS_TOKEN"] ?? ""))
}).pipe(
  Effect.flatMap((service) =>
    service.update({ status: "ACTIVATED", metadata: { externalApplicationId: "123456789" } })
  ),
  Effect.tap(() => Effect.sync(answered)),
  Effect.scoped
)

await Effect.runPromise(program)
