import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Credentials from "@effect-pleo/core/Credentials"
import * as InstallationClient from "@effect-pleo/core/InstallationClient"
import * as InstallationService from "@effect-pleo/core/InstallationService"
import * as RetryPolicy from "@effect-pleo/core/RetryPolicy"
import * as NodeInstallationService from "@effect-pleo/node/NodeInstallationService"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type { Target } from "../support/contender.ts"
import { fromEffect } from "../support/fromEffect.ts"
import { update } from "../support/installation.ts"

const credentials = Credentials.bearer(Redacted.make("token"))

const overUndici = ({ inFlight, server, sockets }: Target) =>
  NodeInstallationService.layer({ server, credentials, connections: sockets ?? Math.max(64, inFlight) })

const overFetch = ({ server }: Target) =>
  Layer.provide(InstallationClient.layer({ server, credentials }), FetchHttpClient.layer)

const updateAs = (token: string) =>
  InstallationService.update(update).pipe(Credentials.use(Credentials.bearer(Redacted.make(token))))

const prepare = (token: string) => Effect.succeed(updateAs(token))

const prepareRetried = (token: string) => Effect.succeed(updateAs(token).pipe(RetryPolicy.retry()))

export const untraced = fromEffect({ layer: overUndici, prepare, isTraced: false })

export const traced = fromEffect({ layer: overUndici, prepare, isTraced: true })

export const retried = fromEffect({ layer: overUndici, prepare: prepareRetried, isTraced: false })

export const fetched = fromEffect({ layer: overFetch, prepare, isTraced: false })
