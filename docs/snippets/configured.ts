import { Credentials, InstallationService } from "@effect-pleo/core"
import { NodeInstallationService } from "@effect-pleo/node"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"

const configuration = Config.all({
  key: Config.redacted("INTEGRATION_KEY"),
  server: Config.withDefault(
    Config.nonEmptyString("INTEGRATION_SERVER"),
    "staging"
  )
})

const program = Effect.gen(function* () {
  const { key, server } = yield* configuration
  const live = NodeInstallationService.layer({
    credentials: Credentials.apiKey(key),
    server,
    connections: 8 // sockets, at most
  })
  yield* Effect.provide(
    InstallationService.update({ status: "INACTIVE" }),
    live
  )
})

await Effect.runPromise(program)
