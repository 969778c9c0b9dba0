// An application to bundle: one update, and one by a proxy that is not there. It reads PLEO_SERVER and PLEO_ACCESS_TOKEN.
import { InstallationService } from "@effect-pleo/core"
import { NodeInstallationService } from "@effect-pleo/node"
import * as Effect from "effect/Effect"

const update = InstallationService.update({ status: "ACTIVATED" })

const main = async () => {
  await Effect.runPromise(Effect.provide(update, NodeInstallationService.layerConfig()))
  const proxied = NodeInstallationService.layerConfig({ proxy: new URL("http://127.0.0.1:9") })
  const { code } = await Effect.runPromise(Effect.flip(Effect.provide(update, proxied)))
  if (code !== "ECONNREFUSED") throw new Error(`by a proxy, the code is ${code}`)
}

main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
