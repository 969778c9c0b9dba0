import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as Effect from "effect/Effect"
import { answered } from "./answered.ts"

const program = HttpClientRequest.put(`${process.env["PLEO_SERVER"]}/v1/installations/me`).pipe(
  HttpClientRequest.bearerToken(process.env["PLEO_ACCESS_TOKEN"] ?? ""),
  HttpClientRequest.bodyUnsafeJson({
    status: "ACTIVATED",
    metadata: { externalApplicationId: "123456789" }
  }),
  HttpClient.execute,
  Effect.flatMap(HttpClientResponse.filterStatusOk),
  Effect.flatMap((response) => response.json),
  Effect.tap(() => Effect.sync(answered)),
  Effect.provide(NodeHttpClient.layerUndici)
)

await Effect.runPromise(program)
