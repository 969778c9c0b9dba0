import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Credentials, type Installation } from "@effect-pleo/core"
import { Fleet } from "@effect-pleo/fleet"
import { NodeInstallationService } from "@effect-pleo/node"
import * as Sandbox from "@effect-pleo/testing/Sandbox"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"

// A ledger that 2000 customers use goes down, and comes back.
const customers = Array.from(
  { length: Number(process.argv[2] ?? 2000) },
  (_, index) => `customer-${index}`
)

const setAll = (request: Installation.UpdateInstallation) =>
  Fleet.set(customers.map((tenant) => ({ tenant, request })))

const watch = Stream.runForEach(
  Fleet.progress,
  ({ applied, pending, rate }) =>
    Console.log(
      `${applied} applied, ${pending} pending, ${Math.round(rate)} a second`
    )
)

const program = Effect.gen(function* () {
  yield* Console.log("The ledger is down")
  yield* setAll({
    status: "ERROR",
    errorCode: "AUTH_ERROR",
    metadata: { ledger: "down" }
  })
  // Before all of them are told, it is back: the newest state wins.
  yield* Effect.sleep("200 millis")
  yield* Console.log("The ledger is back")
  yield* setAll({ status: "ACTIVATED", metadata: { ledger: "up" } })
  yield* watch
})

// With OAuth tokens, the fleet's credentials are those of `OAuth.tenant`, and
// need not be named.
const fleet = Fleet.layerSingle({
  file: join(mkdtempSync(join(tmpdir(), "fleet-")), "fleet.db"),
  credentials: (tenant) => Credentials.apiKey(Redacted.make(tenant))
}).pipe(
  Layer.provide(
    Layer.unwrapEffect(
      Effect.map(Sandbox.Sandbox, ({ url }) =>
        NodeInstallationService.layer({
          server: url,
          credentials: Credentials.perCall
        })
      )
    )
  ),
  Layer.provide(Sandbox.layer())
)

await program.pipe(Effect.provide(fleet), Effect.runPromise)
