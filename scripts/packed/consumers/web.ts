// An application for whatever has fetch and no Node.js: bundled, it leaves its promise for whoever runs it.

import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { Credentials, InstallationClient, InstallationService } from "@effect-pleo/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"

const update = (server: string, token: string): Promise<string> =>
  InstallationService.update({ status: "ACTIVATED" }).pipe(
    Effect.map((installation) => installation.status),
    Effect.provide(
      InstallationClient.layer({ server, credentials: Credentials.bearer(Redacted.make(token)) }).pipe(
        Layer.provide(FetchHttpClient.layer)
      )
    ),
    Effect.runPromise
  )

Object.assign(globalThis, { update })
