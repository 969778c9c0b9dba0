import { expect, it } from "@effect/vitest"
import {
  Credentials,
  InstallationService,
  OAuth,
  RetryPolicy,
  TokenStore
} from "@effect-pleo/core"
import { NodeInstallationService } from "@effect-pleo/node"
import * as Sandbox from "@effect-pleo/testing/Sandbox"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const live = Sandbox.layerTest(
  NodeInstallationService.layerConfig({ credentials: OAuth.config }).pipe(
    Layer.provideMerge(TokenStore.layerMemory)
  ),
  { clientId: "my-app" }
)

const update = InstallationService.update({ status: "ACTIVATED" }).pipe(
  RetryPolicy.retry(),
  Credentials.use(OAuth.tenant("acme"))
)

it.live("asks the customer once the consent was withdrawn", () =>
  Effect.gen(function* () {
    const sandbox = yield* Sandbox.Sandbox
    const grant = yield* sandbox.authorize()
    yield* OAuth.storeTokens(
      { ...(yield* OAuth.clientConfig), tenant: "acme" },
      grant
    )

    // The next update receives a 401, refreshes the token, and is sent
    // again.
    yield* sandbox.expire(grant.id)
    expect((yield* update).status).toBe("ACTIVATED")

    yield* sandbox.revoke(grant.id)
    expect(yield* Effect.flip(update)).toMatchObject({
      reason: "ReauthorizationRequired"
    })

    const refreshes = (yield* sandbox.requests).filter(
      ({ path }) => path === "/oauth/token"
    )
    expect(refreshes.map(({ grant }) => grant?.outcome)).toEqual([
      "rotated",
      "revoked"
    ])
  }).pipe(Effect.provide(live))
)
