// One update that needs new tokens and three attempts, as a trace and as
// metrics of OpenTelemetry.

import * as Otlp from "@effect/opentelemetry/Otlp"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import {
  InstallationClient,
  InstallationService,
  OAuth,
  RetryPolicy,
  TokenStore
} from "@effect-pleo/core"
import { NodeHttpClient } from "@effect-pleo/node"
import { Fault } from "@effect-pleo/testing"
import * as Sandbox from "@effect-pleo/testing/Sandbox"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Collector from "./support/collector.ts"

// Once, at the top of an application. Everything below is traced and
// measured, this library included.
const telemetry = (baseUrl: string) =>
  Otlp.layerJson({
    baseUrl,
    resource: { serviceName: "bookkeeper" },
    tracerExportInterval: "1 second"
  }).pipe(Layer.provide(FetchHttpClient.layer))

const nightlyReport = InstallationService.update({
  status: "ACTIVATED"
}).pipe(
  RetryPolicy.retry({ baseDelay: "20 millis" }),
  Effect.withSpan("nightly report"),
  Effect.tagMetrics("region", "eu")
)

const program = Effect.gen(function* () {
  const sandbox = yield* Sandbox.Sandbox
  const collector = yield* Collector.Collector
  const app = {
    tenant: "acme",
    clientId: "bookkeeper",
    clientSecret: Redacted.make("secret"),
    tokenEndpoint: `${sandbox.url}/oauth/token`
  }
  // The access token has expired: it is refreshed on the way.
  yield* OAuth.storeTokens(app, {
    ...(yield* sandbox.authorize()),
    expiresIn: 0
  })
  yield* sandbox.inject(
    Fault.status(503, {
      when: ({ path }) => path === "/v1/installations/me"
    })
  )
  yield* sandbox.inject(
    Fault.status(429, {
      when: ({ path }) => path === "/v1/installations/me"
    })
  )

  // What is left to be exported is sent when the layer closes.
  yield* nightlyReport.pipe(
    Effect.provide(
      InstallationClient.layer({
        credentials: OAuth.credentials(app),
        server: sandbox.url
      })
    ),
    Effect.provide(telemetry(collector.url)),
    Effect.provide(NodeHttpClient.layer())
  )

  yield* Console.log("What the collector has received:\n")
  for (const line of yield* collector.spans) yield* Console.log(`  ${line}`)
  yield* Console.log("")
  for (const line of yield* collector.metrics("pleo."))
    yield* Console.log(`  ${line}`)
})

await program.pipe(
  Effect.provide([
    Sandbox.layer(),
    Collector.layer,
    TokenStore.layerMemory
  ]),
  Effect.runPromise
)
