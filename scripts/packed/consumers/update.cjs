// An application of CommonJS: one update, by packages that npm installed. It reads PLEO_SERVER and PLEO_ACCESS_TOKEN.
const { Credentials, InstallationService, RetryPolicy } = require("@effect-pleo/core")
const CredentialsModule = require("@effect-pleo/core/Credentials")
const { NodeInstallationService } = require("@effect-pleo/node")
const Effect = require("effect/Effect")

const main = async () => {
  const installation = await InstallationService.update({ status: "ACTIVATED" }).pipe(
    RetryPolicy.retry(),
    Effect.provide(NodeInstallationService.layerConfig()),
    Effect.runPromise
  )
  if (installation.status !== "ACTIVATED") throw new Error(`the status is ${installation.status}`)
  if (CredentialsModule.bearer !== Credentials.bearer) throw new Error("a module is there twice")

  const required = Object.keys(require.cache).map((file) => file.replaceAll("\\", "/"))
  const ours = required.filter((file) => /node_modules\/(effect|@effect|@effect-pleo)\//.test(file))
  const wrong = ours.filter((file) => !/\/dist\/cjs\//.test(file))
  if (wrong.length > 0) throw new Error(`not CommonJS: ${wrong[0]}`)
}

main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
