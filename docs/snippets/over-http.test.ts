import { expect, it } from "@effect/vitest"
import {
  Credentials,
  InstallationService,
  RetryPolicy
} from "@effect-pleo/core"
import { NodeInstallationService } from "@effect-pleo/node"
import { Fault } from "@effect-pleo/testing"
import * as Sandbox from "@effect-pleo/testing/Sandbox"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"

const live = Layer.unwrapEffect(
  Effect.map(Sandbox.Sandbox, ({ url }) =>
    NodeInstallationService.layer({
      server: url,
      credentials: Credentials.bearer(Redacted.make("token"))
    })
  )
).pipe(Layer.provideMerge(Sandbox.layer()))

// `it.live`, since over a socket time passes by itself.
it.live("sends the update again when its response is lost", () =>
  Effect.gen(function* () {
    const sandbox = yield* Sandbox.Sandbox
    yield* sandbox.inject(Fault.loseResponse())

    yield* InstallationService.update({ status: "ACTIVATED" }).pipe(
      RetryPolicy.retry({ baseDelay: "10 millis" })
    )

    const requests = yield* sandbox.requests
    expect(requests.map(({ status }) => status)).toEqual([null, 200])
  }).pipe(Effect.provide(live))
)
