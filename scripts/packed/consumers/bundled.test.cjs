// The same as bundled.mjs, in jest.
const { InstallationService } = require("@effect-pleo/core")
const { NodeInstallationService } = require("@effect-pleo/node")
const Effect = require("effect/Effect")

const update = InstallationService.update({ status: "ACTIVATED" })

test("updates, and fails by a proxy that is not there", async () => {
  await Effect.runPromise(Effect.provide(update, NodeInstallationService.layerConfig()))
  const proxied = NodeInstallationService.layerConfig({ proxy: new URL("http://127.0.0.1:9") })
  const { code } = await Effect.runPromise(Effect.flip(Effect.provide(update, proxied)))
  expect(code).toBe("ECONNREFUSED")
})
