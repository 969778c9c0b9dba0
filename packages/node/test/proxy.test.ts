// Nothing here may import undici: its index adds to what this package loads of it.
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { describe, expect, it } from "@effect/vitest"
import * as Credentials from "@effect-pleo/core/Credentials"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as NodeHttpClient from "../src/NodeHttpClient.ts"
import * as NodeInstallationService from "../src/NodeInstallationService.ts"
import * as ConnectProxy from "./support/connectProxy.ts"

const credentials = Credentials.bearer(Redacted.make("token"))

describe("a proxy", () => {
  it.scopedLive("is asked for a tunnel", () =>
    Effect.gen(function* () {
      const proxy = yield* ConnectProxy.make("HTTP/1.1 502 Bad Gateway\r\n\r\n")
      const { update } = yield* NodeInstallationService.make({
        credentials,
        proxy: new URL(`http://127.0.0.1:${proxy.port}`)
      })
      expect(yield* Effect.flip(update({ status: "ACTIVATED" }))).toMatchObject({ _tag: "Infrastructure" })
      expect(proxy.heads[0]).toMatch(/^CONNECT external\.pleo\.io:443 /)
    })
  )

  it.scopedLive("whose password cannot be decoded is refused when the client is made", () =>
    Effect.gen(function* () {
      const proxy = new URL("http://user:100%@127.0.0.1:9")
      expect(yield* Effect.flip(NodeHttpClient.make({ proxy }))).toMatchObject({
        _tag: "BadRequest",
        issues: [{ path: ["proxy"] }]
      })
    })
  )

  it.scopedLive("that refuses a header does not stop the requests that follow", () =>
    Effect.gen(function* () {
      const proxy = yield* ConnectProxy.make("HTTP/1.1 502 Bad Gateway\r\n\r\n")
      const client = yield* NodeHttpClient.make({
        connections: 1,
        proxy: new URL(`http://127.0.0.1:${proxy.port}`)
      })
      const headers = { "proxy-authorization": "Basic dXNlcjo=" }
      for (const options of [{ headers }, {}])
        expect(
          yield* Effect.flip(client.execute(HttpClientRequest.get("https://127.0.0.1:9", options)))
        ).toMatchObject({ _tag: "RequestError" })
      expect(proxy.heads).toHaveLength(1)
    })
  )
})
