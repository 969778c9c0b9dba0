import {
  Credentials,
  InstallationService,
  RetryPolicy
} from "@effect-pleo/core"
import { NodeInstallationService } from "@effect-pleo/node"
import { Fault } from "@effect-pleo/testing"
import * as Sandbox from "@effect-pleo/testing/Sandbox"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"

const program = Effect.gen(function* () {
  const sandbox = yield* Sandbox.Sandbox
  yield* sandbox.inject(
    Fault.status(429, { retryAfter: "1 second" }),
    Fault.loseResponse()
  )

  yield* RetryPolicy.retry()(
    InstallationService.update({ status: "ACTIVATED" })
  )

  for (const {
    body,
    method,
    path,
    scheme,
    status
  } of yield* sandbox.requests)
    yield* Console.log(
      `${method} ${path} ${scheme} ${body} -> ${status ?? "no response"}`
    )
})

const live = Layer.unwrapEffect(
  Effect.map(Sandbox.Sandbox, ({ url }) =>
    NodeInstallationService.layer({
      server: url,
      credentials: Credentials.apiKey(Redacted.make("any-key"))
    })
  )
).pipe(Layer.provideMerge(Sandbox.layer()))

await program.pipe(Effect.provide(live), Effect.runPromise)
