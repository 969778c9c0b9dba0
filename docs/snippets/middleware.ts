import * as HttpClient from "@effect/platform/HttpClient"
import { InstallationClient } from "@effect-pleo/core"
import { NodeHttpClient } from "@effect-pleo/node"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"

const requests = Metric.counter("pleo_requests")

// Neither headers nor body go into the metric: they hold the credential and
// the customer's metadata.
const counted = Layer.effect(
  HttpClient.HttpClient,
  Effect.map(
    HttpClient.HttpClient,
    HttpClient.tap(({ status }) =>
      Metric.increment(Metric.tagged(requests, "status", String(status)))
    )
  )
).pipe(Layer.provide(NodeHttpClient.layer()))

export const live = Layer.provide(InstallationClient.layerConfig(), counted)
