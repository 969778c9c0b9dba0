import { Credentials, InstallationService } from "@effect-pleo/core"
import { NodeInstallationService } from "@effect-pleo/node"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"

const tokens = ["token-of-one-customer", "token-of-another"].map((token) =>
  Redacted.make(token)
)

const program = Effect.forEach(
  tokens,
  (token) =>
    InstallationService.update({ status: "ACTIVATED" }).pipe(
      Credentials.use(Credentials.bearer(token)),
      Effect.either // one customer's failure is not another's
    ),
  { concurrency: 10 }
)

// A forgotten `Credentials.use` is an error, rather than an update of some
// default customer.
const live = NodeInstallationService.layerConfig({
  credentials: Credentials.perCall
})

await program.pipe(Effect.provide(live), Effect.runPromise)
