// An application of ES modules: one update, by packages that npm installed. It reads PLEO_SERVER and PLEO_ACCESS_TOKEN.
import { createRequire } from "node:module"
import { Credentials, InstallationService, RetryPolicy } from "@effect-pleo/core"
import * as CredentialsModule from "@effect-pleo/core/Credentials"
import { NodeInstallationService } from "@effect-pleo/node"
import * as Effect from "effect/Effect"

const installation = await InstallationService.update({ status: "ACTIVATED" }).pipe(
  RetryPolicy.retry(),
  Effect.provide(NodeInstallationService.layerConfig()),
  Effect.runPromise
)
if (installation.status !== "ACTIVATED") throw new Error(`the status is ${installation.status}`)
if (CredentialsModule.bearer !== Credentials.bearer) throw new Error("a module is there twice")

// undici is CommonJS, and nothing else may be. Only Node.js keeps what was required apart from what was imported.
const required = Object.keys(createRequire(import.meta.url).cache).map((file) => file.replaceAll("\\", "/"))
const wrong = required.filter((file) => /node_modules\/(effect|@effect|@effect-pleo)\//.test(file))
if (wrong.length > 0 && !("Bun" in globalThis) && !("Deno" in globalThis))
  throw new Error(`CommonJS was loaded, such as ${wrong[0]}`)
