import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { describe, expect, it } from "@effect/vitest"
import * as Credentials from "@effect-pleo/core/Credentials"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as NodeHttpClient from "../src/NodeHttpClient.ts"
import { apiKey, bearer, failureOf, metadataCanary, onEachSide, open, request } from "./support/faults.ts"
import * as RawServer from "./support/rawServer.ts"
import { probes, probesThatFind } from "./support/secrets.ts"

const transports = {
  node: NodeHttpClient.layer(),
  NodeHttpClient: NodeHttpClient.layer(),
  fetch: FetchHttpClient.layer,
  FetchHttpClient: FetchHttpClient.layer
}

describe("failures", () => {
  onEachSide("do not show the credential when a request id quotes it", ({ credential, transport }) =>
    Effect.gen(function* () {
      const headers = { "x-request-id": `id ${credential.authorization}` }
      const server = yield* RawServer.make(RawServer.send(RawServer.respond(500, headers)))
      const update = yield* open({ transport, credential }, server.url)
      const failure = yield* failureOf(update(request))
      expect(failure.requestId).toMatch(/^id /)
      expect(probesThatFind(credential.secrets, failure)).toEqual([])
    })
  )

  it.scopedLive("show no part of a credential in the middle of which their body was cut off", () =>
    Effect.gen(function* () {
      const token = "canary".repeat(150)
      const server = yield* RawServer.make(RawServer.send(RawServer.respond(400, {}, token.repeat(1_000))))
      const credential = { ...bearer, credentials: Credentials.bearer(Redacted.make(token)) }
      const update = yield* open({ transport: "node", credential }, server.url)
      const failure = yield* failureOf(update(request))
      expect(failure.body).toMatch(/^(<redacted>)+/)
      expect(probesThatFind(["canary"], failure)).toEqual([])
    })
  )
})

describe("the probes for secrets", () => {
  onEachSide("find the credential in an error of the transport itself", ({ credential, transport }) =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(RawServer.reset)
      const client = yield* HttpClient.HttpClient
      const failure = yield* HttpClientRequest.put(server.url).pipe(
        HttpClientRequest.setHeader("authorization", credential.authorization),
        client.execute,
        Effect.flip
      )
      expect(failure._tag).toBe("RequestError")
      const found = probesThatFind(credential.secrets, failure)
      expect(found).toContain("JSON.stringify")
      expect(found).toContain("util.inspect")
    }).pipe(Effect.provide(transports[transport]))
  )

  it("find a secret where there is one, each of them", () => {
    for (const text of [...bearer.secrets, ...apiKey.secrets, metadataCanary]) {
      const failure = Object.assign(new Error(`refused ${text}`), { text })
      expect(probesThatFind([text], failure)).toEqual(probes)
    }
  })
})
