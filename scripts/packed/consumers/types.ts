// What a consumer's compiler is asked to check: every package, by its name and by a subpath.
import {
  Credentials,
  type Installation,
  InstallationClient,
  type InstallationError,
  InstallationService,
  RetryPolicy,
  UpdateInstallation
} from "@effect-pleo/core"
import { bearer } from "@effect-pleo/core/Credentials"
// @ts-expect-error: what is internal has no types.
import type * as Internal from "@effect-pleo/core/internal/client"
import { NodeInstallationService } from "@effect-pleo/node"
import * as NodeHttpClient from "@effect-pleo/node/NodeHttpClient"
import { Sandbox } from "@effect-pleo/sandbox"
import { SqlTokenStore } from "@effect-pleo/sql"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"

export type Closed = typeof Internal

const update: Effect.Effect<
  Installation.Installation,
  InstallationError.InstallationError,
  InstallationService.InstallationService
> = InstallationService.update(UpdateInstallation.activated()).pipe(RetryPolicy.retry())

// @ts-expect-error: a status that the contract does not know.
export const unknownStatus = InstallationService.update({ status: "UNKNOWN" })

export const program = Effect.gen(function* () {
  const { url } = yield* Sandbox.Sandbox
  const credentials = Credentials.bearer(Redacted.make("token"))
  const onSockets = NodeInstallationService.layer({
    server: url,
    credentials: bearer(Redacted.make("token"))
  })
  const onClient = Layer.provide(
    InstallationClient.layer({ server: url, credentials }),
    NodeHttpClient.layer()
  )
  const { status } = yield* Effect.provide(update, Layer.merge(onSockets, onClient))
  return status
}).pipe(Effect.provide(Sandbox.layer()))

export const stores = SqlTokenStore.layer
