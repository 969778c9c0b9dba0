import * as HttpClient from "@effect/platform/HttpClient"
import type { HttpClientError } from "@effect/platform/HttpClientError"
import type { HttpClientRequest } from "@effect/platform/HttpClientRequest"
import type { HttpClientResponse } from "@effect/platform/HttpClientResponse"
import type { InstallationError } from "@effect-pleo/core"
import { NodeHttpClient } from "@effect-pleo/node"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"

const show = (
  exchange: Effect.Effect<HttpClientResponse, HttpClientError>,
  { method, url }: HttpClientRequest
): Effect.Effect<HttpClientResponse, HttpClientError> =>
  Effect.flatMap(Clock.currentTimeMillis, (start) =>
    Effect.onExit(exchange, (exit) =>
      Effect.flatMap(Clock.currentTimeMillis, (end) => {
        const outcome = Exit.isSuccess(exit) ? exit.value.status : "no response"
        return Console.log(`  ${method} ${new URL(url).pathname}  ${outcome}  ${end - start} ms`)
      })
    )
  )

/** The Node transport, printing what goes over the wire: method, path, status and time. */
export const wire: Layer.Layer<HttpClient.HttpClient, InstallationError.BadRequest> = Layer.effect(
  HttpClient.HttpClient,
  Effect.map(HttpClient.HttpClient, (client) => HttpClient.transform(client, show))
).pipe(Layer.provide(NodeHttpClient.layer()))
