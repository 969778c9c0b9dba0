// Nothing here may import undici: its index adds to what this package loads of it.
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { describe, expect, it } from "@effect/vitest"
import * as Credentials from "@effect-pleo/core/Credentials"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as NodeHttpClient from "../src/NodeHttpClient.ts"
import * as NodeInstallationService from "../src/NodeInstallationService.ts"
import * as ConnectProxy from "./support/connectProxy.ts"
import * as RawServer from "./support/rawServer.ts"

const credentials = Credentials.bearer(Redacted.make("token"))

describe("a proxy", () => {
  it.scopedLive("is asked for a tunnel", () =>
    Effect.gen(function* () {
      const proxy = yield* ConnectProxy.make(ConnectProxy.refuse("HTTP/1.1 502 Bad Gateway\r\n\r\n"))
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

  it.scopedLive("is not given the credentials of a header, and neither is the server behind it", () =>
    Effect.gen(function* () {
      const proxy = yield* ConnectProxy.make()
      const server = yield* RawServer.make(RawServer.send(RawServer.updated))
      const client = yield* NodeHttpClient.make({
        connections: 1,
        proxy: new URL(`http://127.0.0.1:${proxy.port}`)
      })
      const headers = { "proxy-authorization": "Basic dXNlcjo=" }
      expect(
        yield* Effect.flip(client.execute(HttpClientRequest.get(server.url, { headers })))
      ).toMatchObject({ _tag: "RequestError", reason: "Encode" })
      expect(proxy.opened).toBe(0)
      expect((yield* client.get(server.url)).status).toBe(200)
      expect(server.requests).toHaveLength(1)
    })
  )
})

describe("a request that was not sent", () => {
  it.scopedLive("has an error with the code of its cause, of connecting", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(RawServer.ignore, {
        onConnection: (socket) => socket.once("data", () => socket.destroy())
      })
      const client = yield* NodeHttpClient.make()
      const error = yield* Effect.flip(client.get(server.url.replace("http:", "https:")))
      expect(error).toMatchObject({
        _tag: "RequestError",
        reason: "Transport",
        cause: { code: "ECONNRESET", syscall: "connect", cause: { code: "ECONNRESET" } }
      })
      expect(yield* Effect.flip(client.get(server.url))).not.toMatchObject({ cause: { syscall: "connect" } })
    })
  )
})
