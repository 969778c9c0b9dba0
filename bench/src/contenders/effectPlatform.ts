import * as HttpApiClient from "@effect/platform/HttpApiClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { AppMarketplaceApi } from "@effect-pleo/core/AppMarketplaceApi"
import { Installation, UpdateInstallation } from "@effect-pleo/core/Installation"
import * as Effect from "effect/Effect"
import { fromEffect } from "../support/fromEffect.ts"
import { path, update } from "../support/installation.ts"

const encodeBody = HttpClientRequest.schemaBodyJson(UpdateInstallation)

const decodeBody = HttpClientResponse.schemaBodyJson(Installation)

/** As the documentation of @effect/platform has it, with the schemas of effect-pleo. */
export const httpClient = fromEffect({
  layer: () => NodeHttpClient.layerUndici,
  prepare: (token, { server }) =>
    Effect.map(HttpClient.HttpClient, (client) =>
      HttpClientRequest.put(server + path).pipe(
        HttpClientRequest.acceptJson,
        HttpClientRequest.bearerToken(token),
        encodeBody(update),
        Effect.flatMap(client.execute),
        Effect.flatMap(HttpClientResponse.filterStatusOk),
        Effect.flatMap(decodeBody)
      )
    ),
  isTraced: true
})

/** A client derived from effect-pleo's own HttpApi. */
export const httpApiClient = fromEffect({
  layer: () => NodeHttpClient.layerUndici,
  prepare: (token, { server }) =>
    Effect.map(
      HttpApiClient.make(AppMarketplaceApi, {
        baseUrl: server,
        transformClient: HttpClient.mapRequest(HttpClientRequest.bearerToken(token))
      }),
      (client) => client.Installations.updateClientInstallation({ payload: update })
    ),
  isTraced: true
})
