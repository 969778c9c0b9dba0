import * as Credentials from "@effect-pleo/core/Credentials"
import * as InstallationService from "@effect-pleo/core/InstallationService"
import * as RetryPolicy from "@effect-pleo/core/RetryPolicy"
import * as NodeInstallationService from "@effect-pleo/node/NodeInstallationService"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Target } from "../support/contender.ts"
import { fromEffect } from "../support/fromEffect.ts"
import { update } from "../support/installation.ts"

export const credentials = Credentials.bearer(Redacted.make("token"))

export const overUndici = ({ inFlight, server, sockets }: Target) =>
  NodeInstallationService.layer({ server, credentials, connections: sockets ?? Math.max(64, inFlight) })

const updateAs = (token: string) =>
  InstallationService.update(update).pipe(Credentials.use(Credentials.bearer(Redacted.make(token))))

const prepare = (token: string) => Effect.succeed(updateAs(token))

const prepareRetried = (token: string) => Effect.succeed(updateAs(token).pipe(RetryPolicy.retry()))

export const untraced = fromEffect({ layer: overUndici, prepare, isTraced: false })

export const traced = fromEffect({ layer: overUndici, prepare, isTraced: true })

export const retried = fromEffect({ layer: overUndici, prepare: prepareRetried, isTraced: false })
