// What a consumer's compiler is asked to check: what an application imports, by its name and by a subpath.
import {
  Credentials,
  type Installation,
  InstallationClient,
  type InstallationError,
  InstallationService,
  RetryPolicy
} from "@effect-pleo/core"
import { bearer } from "@effect-pleo/core/Credentials"
import { NodeInstallationService } from "@effect-pleo/node"
import * as NodeHttpClient from "@effect-pleo/node/NodeHttpClient"
import { SqlTokenStore } from "@effect-pleo/sql"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"

export const update: Effect.Effect<
  Installation.Installation,
  InstallationError.InstallationError,
  InstallationService.InstallationService
> = InstallationService.update({ status: "ACTIVATED" }).pipe(RetryPolicy.retry())

// @ts-expect-error: a status that the contract does not know.
export const unknownStatus = InstallationService.update({ status: "UNKNOWN" })

const server = "https://127.0.0.1"
const credentials = Credentials.bearer(Redacted.make("token"))
const onSockets = NodeInstallationService.layer({ server, credentials: bearer(Redacted.make("token")) })
const onClient = Layer.provide(InstallationClient.layer({ server, credentials }), NodeHttpClient.layer())

export const program: Effect.Effect<string, InstallationError.InstallationError> = update.pipe(
  Effect.map(({ status }) => status),
  Effect.provide(Layer.merge(onSockets, onClient))
)

export const stores = SqlTokenStore.layer
