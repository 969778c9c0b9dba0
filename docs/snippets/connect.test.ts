import { expect, it } from "@effect/vitest"
import {
  Credentials,
  InstallationService,
  OAuth,
  RetryPolicy,
  TokenStore
} from "@effect-pleo/core"
import { NodeHttpClient, NodeInstallationService } from "@effect-pleo/node"
import * as Sandbox from "@effect-pleo/testing/Sandbox"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { begin, complete } from "./connect.ts"

const live = Sandbox.layerTest(
  NodeInstallationService.layerConfig({ credentials: OAuth.config }).pipe(
    Layer.provideMerge(TokenStore.layerMemory),
    Layer.merge(NodeHttpClient.layer())
  ),
  { clientId: "my-app" }
)

it.live("connects a customer who approves the app, and no other", () =>
  Effect.gen(function* () {
    const sandbox = yield* Sandbox.Sandbox

    const { session, url } = yield* begin
    const tenant = yield* complete(
      session,
      (yield* sandbox.consent(url)).href
    )
    const update = InstallationService.update({ status: "ACTIVATED" })
    const { resource, status } = yield* update.pipe(
      RetryPolicy.retry(),
      Credentials.use(OAuth.tenant(tenant))
    )
    expect([resource, status]).toEqual([tenant, "ACTIVATED"])

    const other = yield* begin
    const callback = yield* sandbox.consent(other.url, { approve: false })
    expect(
      yield* Effect.flip(complete(other.session, callback.href))
    ).toMatchObject({ reason: "Denied" })
  }).pipe(Effect.provide(live))
)
