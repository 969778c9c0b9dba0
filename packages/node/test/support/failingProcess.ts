// An application that prints a failure in every way it can, and ends with it. Run with `guarded` its failure is
// this library's; with `unguarded` it is the transport's.
import { inspect } from "node:util"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { update } from "@effect-pleo/core/InstallationService"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as NodeHttpClient from "../../src/NodeHttpClient.ts"
import * as NodeInstallationService from "../../src/NodeInstallationService.ts"

const guarded = update({ status: "ACTIVATED", metadata: { canary: process.env["CANARY"] ?? "" } }).pipe(
  Effect.provide(NodeInstallationService.layerConfig())
)

const unguarded = HttpClientRequest.put("http://127.0.0.1:1").pipe(
  HttpClientRequest.basicAuth(process.env["PLEO_API_KEY"] ?? "", ""),
  HttpClient.execute,
  Effect.provide(NodeHttpClient.layer())
)

const program: Effect.Effect<unknown, unknown> = process.argv[2] === "guarded" ? guarded : unguarded

const print = Effect.tapErrorCause(program, (cause) =>
  Effect.gen(function* () {
    yield* Effect.logError("failed", cause)
    yield* Effect.provide(Effect.logError("failed", Cause.squash(cause)), Logger.pretty)
    yield* Effect.provide(Effect.logError("failed", cause), Logger.json)
    console.log(cause, Cause.pretty(cause, { renderErrorCause: true }), inspect(cause, { depth: 20 }))
    console.error(Cause.squash(cause), JSON.stringify(cause))
  })
)

// Rejects, and so ends the process in the way of Node.js.
await Effect.runPromise(print)
