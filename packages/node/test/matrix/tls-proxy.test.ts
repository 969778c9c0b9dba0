import type { Socket } from "node:net"
import Tls from "node:tls"
import { describe, expect, it } from "@effect/vitest"
import * as RetryPolicy from "@effect-pleo/core/RetryPolicy"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Undici from "undici"
import * as NodeHttpClient from "../../src/NodeHttpClient.ts"
import { certificate, trustAuthority } from "../support/certificates.ts"
import * as Child from "../support/child.ts"
import * as ConnectProxy from "../support/connectProxy.ts"
import { setVariables } from "../support/environment.ts"
import {
  as,
  expectFailure,
  failureOf,
  metadataCanary,
  ok,
  onEachSide,
  open,
  openNode,
  overBoth,
  overNode,
  overNodeAndClient,
  request,
  unsent
} from "../support/faults.ts"
import * as RawServer from "../support/rawServer.ts"

const refusedWith = (code: string) => ({
  ...unsent,
  code,
  isRetryable: false
})

const authority = new URL("../support/authority.cert.pem", import.meta.url).pathname

const unchecked = setVariables({ NODE_TLS_REJECT_UNAUTHORIZED: "0" })

describe("certificates", () => {
  /** The status that a client which does not check certificates gets. */
  const statusWithoutCheck = (url: string) =>
    Effect.acquireUseRelease(
      Effect.sync(() => new Undici.Client(url, { connect: { rejectUnauthorized: false } })),
      (client) =>
        Effect.promise(async () => {
          const { body, statusCode } = await client.request({ path: "/", method: "GET" })
          await body.dump()
          return statusCode
        }),
      (client) => Effect.promise(() => client.close())
    )

  for (const [name, title, code] of [
    ["selfSigned", "18 a self-signed certificate", "DEPTH_ZERO_SELF_SIGNED_CERT"],
    ["expired", "18 an expired certificate", "CERT_HAS_EXPIRED"],
    ["trusted", "18 a valid certificate of an unknown authority", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"]
  ] as const) {
    onEachSide(`${title} is refused, and nothing is sent`, (side) =>
      Effect.gen(function* () {
        const server = yield* RawServer.make(ok, { tls: certificate(name) })
        const update = yield* open(side, server.url)
        for (const attempt of [update(request), RetryPolicy.retry()(update(request))])
          expectFailure(yield* failureOf(attempt), refusedWith(code), side.credential.secrets)
        expect(server.requests).toEqual([])
        expect(yield* statusWithoutCheck(server.url)).toBe(200)
        expect(server.requests).toHaveLength(1)
      })
    )

    onEachSide(
      `${title} is refused even when the environment turns the check off`,
      (side) =>
        Effect.gen(function* () {
          const closing = RawServer.send(RawServer.respond(200, { connection: "close" }))
          const server = yield* RawServer.make(closing, { tls: certificate(name) })
          const update = yield* open(side, server.url)
          yield* unchecked
          // It does turn off the check of who leaves it to the environment.
          expect((yield* Effect.promise(() => fetch(server.url))).status).toBe(200)
          expectFailure(yield* failureOf(update(request)), refusedWith(code), side.credential.secrets)
          expect(server.requests).toHaveLength(1)
        }),
      overNode
    )
  }

  it.scopedLive(
    "18 an expired certificate of a known authority is refused until it is renewed",
    () =>
      Effect.gen(function* () {
        const port = yield* RawServer.freePort
        const child = yield* Child.start({
          NODE_TLS_REJECT_UNAUTHORIZED: "0",
          NODE_EXTRA_CA_CERTS: authority,
          PLEO_SERVER: `https://127.0.0.1:${port}`,
          PLEO_API_KEY: "canary-of-the-child"
        })
        yield* Effect.scoped(
          Effect.gen(function* () {
            const server = yield* RawServer.make(ok, { port, tls: certificate("expired") })
            child.send(metadataCanary)
            expect(yield* child.outcome).toMatchObject(refusedWith("CERT_HAS_EXPIRED"))
            expect(server.requests).toEqual([])
          })
        )
        const server = yield* RawServer.make(ok, { port, tls: certificate("trusted") })
        child.send(metadataCanary)
        expect(yield* child.outcome).toEqual({ id: RawServer.installation.id })
        expect(server.requests).toHaveLength(1)
        child.kill("SIGTERM")
        const { code, output } = yield* child.end
        expect(code).toBe(143)
        expect(output).not.toContain("canary")
      }),
    15_000
  )
})

describe("TLS handshakes", () => {
  const insistently = RetryPolicy.retry({ baseDelay: 1, maxDelay: 1 })

  for (const [name, end] of [
    ["closes", (socket: Socket) => socket.destroy()],
    ["resets", (socket: Socket) => socket.resetAndDestroy()]
  ] as const)
    onEachSide(
      `18 a server that ${name} in the handshake is sent nothing, and is tried again`,
      (side) =>
        Effect.gen(function* () {
          const server = yield* RawServer.make(ok, {
            onConnection: (socket) => socket.once("data", () => end(socket))
          })
          const update = yield* open(side, server.url.replace("http:", "https:"))
          const expected = { ...unsent, code: "ECONNRESET" }
          const { secrets } = side.credential
          expectFailure(yield* failureOf(update(request)), expected, secrets)
          expectFailure(yield* failureOf(insistently(update(request))), { ...expected, attempts: 3 }, secrets)
          expect(server.sockets.opened).toBe(1 + 3)
        }),
      overNodeAndClient
    )

  const alerts: Readonly<Record<string, Tls.TlsOptions>> = {
    "finds no cipher that both know": {
      maxVersion: "TLSv1.2",
      // For a key of another kind than the server's.
      ciphers: "ECDHE-RSA-AES128-GCM-SHA256"
    },
    "wants a newer TLS than the client has": { minVersion: "TLSv1.3" }
  }
  for (const [name, options] of Object.entries(alerts))
    onEachSide(
      `18 a server that ${name} is sent nothing, and is not tried again`,
      (side) =>
        Effect.gen(function* () {
          const server = yield* RawServer.make(ok, { tls: { ...certificate("trusted"), ...options } })
          yield* Effect.acquireRelease(
            Effect.sync(() => {
              const { DEFAULT_MAX_VERSION } = Tls
              Tls.DEFAULT_MAX_VERSION = "TLSv1.2"
              return DEFAULT_MAX_VERSION
            }),
            (version) =>
              Effect.sync(() => {
                Tls.DEFAULT_MAX_VERSION = version
              })
          )
          const update = yield* open(side, server.url)
          for (const attempt of [update(request), insistently(update(request))])
            expectFailure(
              yield* failureOf(attempt),
              { ...refusedWith(""), code: expect.stringMatching(/^ERR_SSL_.*ALERT/) },
              side.credential.secrets
            )
          expect(server.requests).toEqual([])
        }),
      overNodeAndClient
    )
})

describe("proxies", () => {
  const variables = ({ port }: ConnectProxy.ConnectProxy) => {
    const url = `http://127.0.0.1:${port}`
    const names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]
    return {
      ...Object.fromEntries(names.map((name) => [name, url])),
      NODE_USE_ENV_PROXY: "1",
      NO_PROXY: "",
      no_proxy: ""
    }
  }

  onEachSide(
    "19 the proxy that the environment names is not used",
    (side) =>
      Effect.gen(function* () {
        const proxy = yield* ConnectProxy.make()
        const server = yield* RawServer.make(ok)
        yield* setVariables(variables(proxy))
        // It is there, and does reach the server.
        const agent = new Undici.EnvHttpProxyAgent()
        yield* Effect.promise(() => Undici.fetch(server.url, { dispatcher: agent }).then((it) => it.text()))
        yield* Effect.promise(() => agent.close())
        expect([proxy.opened, server.requests.length]).toEqual([1, 1])
        const update = yield* open(side, server.url)
        yield* update(request)
        yield* update(request)
        const secure = yield* RawServer.make(ok, { tls: certificate("selfSigned") })
        const overTls = yield* open(side, secure.url)
        expectFailure(
          yield* failureOf(overTls(request)),
          refusedWith("DEPTH_ZERO_SELF_SIGNED_CERT"),
          side.credential.secrets
        )
        expect([proxy.opened, server.requests.length]).toEqual([1, 3])
      }),
    overBoth
  )

  const proxySecret = "canary-of-the-proxy-5f4e3d2c"
  const encodedProxySecret = Buffer.from(`user:${proxySecret}`).toString("base64")
  const through = ({ port }: ConnectProxy.ConnectProxy) => ({
    proxy: new URL(`http://user:${proxySecret}@127.0.0.1:${port}`)
  })

  onEachSide(
    "19 a proxy that the caller names is tunnelled through, and is not shown the credential",
    (side) =>
      Effect.gen(function* () {
        const proxy = yield* ConnectProxy.make()
        const server = yield* RawServer.make(RawServer.inTurn(ok, RawServer.send(RawServer.respond(503)), ok))
        const update = yield* open(side, server.url, through(proxy))
        yield* update(request)
        yield* RetryPolicy.retry({ baseDelay: 1 })(update(request))
        expect(server.requests.flatMap(RawServer.authorizationsOf)).toEqual(
          Array(3).fill(side.credential.authorization)
        )
        expect(proxy.heads).toHaveLength(proxy.opened)
        expect(proxy.opened).toBe(server.sockets.opened)
        for (const head of proxy.heads) {
          expect(head).toMatch(new RegExp(`^CONNECT 127\\.0\\.0\\.1:${server.port} HTTP/1\\.1\r\n`))
          expect(head.toLowerCase()).toContain(
            `proxy-authorization: basic ${encodedProxySecret}`.toLowerCase()
          )
          for (const secret of side.credential.secrets) expect(head).not.toContain(secret)
        }
        for (const { bytes } of server.requests) expect(String(bytes)).not.toContain(encodedProxySecret)
      }),
    overNode
  )

  it.scopedLive("19 the certificate is checked through a proxy too, whatever the environment says", () =>
    Effect.gen(function* () {
      const proxy = yield* ConnectProxy.make()
      const server = yield* RawServer.make(ok, { tls: certificate("selfSigned") })
      yield* unchecked
      const update = yield* openNode(server.url, through(proxy))
      expectFailure(yield* failureOf(update(request)), refusedWith("DEPTH_ZERO_SELF_SIGNED_CERT"))
      expect(proxy.opened).toBe(1)
      expect(server.requests).toEqual([])
    })
  )

  const insistently = RetryPolicy.retry({ baseDelay: 1, maxDelay: 1 })

  for (const [status, isRetryable] of [
    ["403 Forbidden", false],
    ["407 Proxy Authentication Required", false],
    ["502 Bad Gateway", true],
    ["503 Service Unavailable", true]
  ] as const)
    onEachSide(
      `19 a proxy that refuses with ${status} is a failure without its password or its response`,
      (side) =>
        Effect.gen(function* () {
          const canary = "canary-of-the-refusal"
          const proxy = yield* ConnectProxy.make(
            ConnectProxy.refuse(
              `HTTP/1.1 ${status}\r\nx-canary: ${canary}\r\ncontent-length: ${canary.length}\r\n\r\n${canary}`
            )
          )
          const server = yield* RawServer.make(ok)
          const update = yield* open(side, server.url, through(proxy))
          const proxyStatus = Number.parseInt(status, 10)
          const expected = { ...unsent, code: "ERR_PROXY_TUNNEL", isRetryable, proxyStatus }
          const secrets = [...side.credential.secrets, proxySecret, encodedProxySecret, canary]
          expectFailure(yield* failureOf(update(request)), expected, secrets)
          expect(proxy.opened).toBe(1)
          const failure = yield* failureOf(insistently(update(request)))
          expectFailure(failure, expected.isRetryable ? { ...expected, attempts: 3 } : expected, secrets)
          expect(proxy.opened).toBe(expected.isRetryable ? 4 : 2)
          expect(server.sockets.opened).toBe(0)
        }),
      overNodeAndClient
    )

  const breaks: Readonly<Record<string, (socket: Socket) => void>> = {
    "closes at CONNECT": (socket) => socket.end(),
    "resets at CONNECT": (socket) => socket.resetAndDestroy(),
    "closes in the middle of its response": (socket) => socket.end("HTTP/1.1 200 OK\r\nx-more:"),
    "closes the tunnel before TLS": (socket) => socket.end("HTTP/1.1 200 OK\r\n\r\n"),
    "resets the tunnel before TLS": (socket) => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n")
      socket.once("data", () => socket.resetAndDestroy())
    }
  }
  for (const [name, handler] of Object.entries(breaks))
    onEachSide(
      `19 a proxy that ${name} is dialed once for each attempt, and nothing is sent`,
      (side) =>
        Effect.gen(function* () {
          const proxy = yield* ConnectProxy.make(handler)
          const update = yield* open(side, "https://127.0.0.1:9", through(proxy))
          const expected = { ...unsent, code: "ECONNRESET" }
          const secrets = [...side.credential.secrets, proxySecret, encodedProxySecret]
          expectFailure(yield* failureOf(update(request)), expected, secrets)
          expect(proxy.opened).toBe(1)
          expectFailure(yield* failureOf(insistently(update(request))), { ...expected, attempts: 3 }, secrets)
          expect(proxy.opened).toBe(1 + 3)
          yield* proxy.untilOpen(0)
        }),
      overNodeAndClient
    )

  it.scopedLive("19 a proxy that does not respond with HTTP is quoted nowhere", () =>
    Effect.gen(function* () {
      const canary = "canary-of-the-garbage"
      const proxy = yield* ConnectProxy.make(ConnectProxy.refuse(`SSH-2.0-${canary}\r\n`))
      const update = yield* openNode("https://127.0.0.1:9", through(proxy))
      expectFailure(yield* failureOf(update(request)), { ...unsent, code: expect.stringMatching(/^HPE_/) }, [
        proxySecret,
        encodedProxySecret,
        canary
      ])
      expect(proxy.opened).toBe(1)
    })
  )

  it.scopedLive("19 a proxy that is not there is a failure without its password, and nothing is sent", () =>
    Effect.gen(function* () {
      const port = yield* RawServer.freePort
      const proxy = new URL(`http://user:${proxySecret}@127.0.0.1:${port}`)
      for (const side of overNodeAndClient) {
        const update = yield* open(side, "https://127.0.0.1:9", { proxy })
        expectFailure(yield* failureOf(update(request)), { ...unsent, code: "ECONNREFUSED" }, [
          ...side.credential.secrets,
          proxySecret,
          encodedProxySecret
        ])
      }
    })
  )

  it.scopedLive("19 a tunnel carries TLS, over a connection that is used again", () =>
    Effect.gen(function* () {
      yield* trustAuthority
      const proxy = yield* ConnectProxy.make()
      const server = yield* RawServer.make(ok, { tls: certificate("trusted") })
      const update = yield* openNode(server.url, through(proxy))
      yield* update(request)
      yield* update(request)
      expect(server.requests).toHaveLength(2)
      expect(proxy.opened).toBe(1)
    })
  )

  it.scopedLive("19 the addresses of a proxy and of a server may be of IPv6", () =>
    Effect.gen(function* () {
      const proxy = yield* ConnectProxy.make(ConnectProxy.tunnel, { host: "::1" })
      const server = yield* RawServer.make(ok)
      const update = yield* openNode(`http://[::1]:${server.port}`, {
        proxy: new URL(`http://[::1]:${proxy.port}`)
      })
      yield* update(request)
      expect(proxy.heads[0]).toContain(
        `CONNECT [::1]:${server.port} HTTP/1.1\r\nhost: [::1]:${server.port}\r\n`
      )
    })
  )

  it.scopedLive("19 bytes that arrive with the proxy's response are not lost", () =>
    Effect.gen(function* () {
      const proxy = yield* ConnectProxy.make((socket) => {
        socket.write(`HTTP/1.1 200 OK\r\n\r\n${RawServer.updated}`)
      })
      const update = yield* openNode("http://127.0.0.1:9", through(proxy))
      expect((yield* update(request)).id).toBe(RawServer.installation.id)
      expect(proxy.opened).toBe(1)
    })
  )

  it.scopedLive("19 the password of a proxy is decoded, and may be missing", () =>
    Effect.gen(function* () {
      const proxy = yield* ConnectProxy.make()
      const server = yield* RawServer.make(ok)
      for (const [userInfo, plain] of [
        ["us%C3%A9r:p%40ss%3A%2F", "usér:p@ss:/"],
        ["token", "token:"]
      ] as const) {
        const update = yield* openNode(server.url, {
          proxy: new URL(`http://${userInfo}@127.0.0.1:${proxy.port}`)
        })
        yield* update(request)
        expect(proxy.heads.at(-1)?.toLowerCase()).toContain(
          `proxy-authorization: basic ${Buffer.from(plain).toString("base64")}\r\n`.toLowerCase()
        )
      }
      yield* (yield* openNode(server.url, { proxy: new URL(`http://127.0.0.1:${proxy.port}`) }))(request)
      expect(proxy.heads.at(-1)?.toLowerCase()).not.toContain("proxy-authorization")
    })
  )

  it.scopedLive("19 the connect timeout is for the proxy, its response and TLS in the tunnel together", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(RawServer.ignore)
      // Each stage takes less, and all of them take more.
      const slow = yield* ConnectProxy.make((_, tunnel) => void setTimeout(tunnel, 600))
      for (const proxy of [slow, yield* ConnectProxy.make(() => {})]) {
        const update = yield* openNode(server.url.replace("http:", "https:"), {
          ...through(proxy),
          connectTimeout: "900 millis"
        })
        const [elapsed, failure] = yield* Effect.timed(failureOf(update(request)))
        expectFailure(failure, { ...unsent, code: "UND_ERR_CONNECT_TIMEOUT" }, [proxySecret])
        expect(Duration.toMillis(elapsed)).toBeGreaterThan(850)
        expect(Duration.toMillis(elapsed)).toBeLessThan(1_400)
        expect(proxy.opened).toBe(1)
        yield* proxy.untilOpen(0)
      }
    })
  )

  it.scopedLive("19 TLS that stalls in the tunnel never takes more sockets than there may be", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(RawServer.ignore)
      const proxy = yield* ConnectProxy.make()
      const options = { ...through(proxy), connections: 2 }
      const url = server.url.replace("http:", "https:")
      for (const [connectTimeout, attemptTimeout] of [
        ["50 millis", "5 seconds"],
        ["5 seconds", "50 millis"]
      ] as const) {
        const update = yield* openNode(url, { ...options, connectTimeout })
        const opened = proxy.opened
        yield* Effect.forEach(
          [1, 2, 3, 4, 5],
          (customer) =>
            as(customer)(update(request)).pipe(
              RetryPolicy.retry({ attempts: 3, baseDelay: 1, maxDelay: 1, attemptTimeout, budget: false }),
              failureOf
            ),
          { concurrency: "unbounded" }
        )
        expect(proxy.opened).toBeGreaterThan(opened + 2)
        yield* proxy.untilOpen(0)
      }
      expect(proxy.peak).toBe(2)
      yield* server.until(({ sockets }) => sockets.open === 0)
    })
  )

  describe("over TLS", () => {
    it.scopedLive("19 the certificate of a proxy is checked, whatever the environment says", () =>
      Effect.gen(function* () {
        yield* unchecked
        const proxy = yield* ConnectProxy.make(ConnectProxy.tunnel, { tls: certificate("selfSigned") })
        const server = yield* RawServer.make(ok)
        const update = yield* openNode(server.url, {
          proxy: new URL(`https://user:${proxySecret}@127.0.0.1:${proxy.port}`)
        })
        expectFailure(yield* failureOf(update(request)), refusedWith("DEPTH_ZERO_SELF_SIGNED_CERT"), [
          proxySecret,
          encodedProxySecret
        ])
        expect([proxy.opened, proxy.heads.length]).toEqual([1, 0])
      })
    )

    it.scopedLive("19 the name in the certificate of a proxy is checked, by one connection", () =>
      Effect.gen(function* () {
        yield* trustAuthority
        const tls = certificate("trusted")
        const proxy = yield* ConnectProxy.make(ConnectProxy.tunnel, { host: "::1", tls })
        const options = { proxy: new URL(`https://[::1]:${proxy.port}`) }
        const update = yield* openNode("http://127.0.0.1:9", options)
        expectFailure(yield* failureOf(update(request)), refusedWith("ERR_TLS_CERT_ALTNAME_INVALID"))
        expect([proxy.opened, proxy.heads.length]).toEqual([1, 0])
        const client = yield* NodeHttpClient.make(options)
        const headers = { host: "example" }
        const error = yield* Effect.flip(client.get("http://127.0.0.1:9", { headers }))
        expect(error).toMatchObject({ cause: { cause: { code: "ERR_TLS_CERT_ALTNAME_INVALID" } } })
        expect([proxy.opened, proxy.heads.length]).toEqual([2, 0])
      })
    )

    it.scopedLive("19 a proxy tunnels with and without TLS inside", () =>
      Effect.gen(function* () {
        yield* trustAuthority
        const tls = certificate("trusted")
        const proxy = yield* ConnectProxy.make(ConnectProxy.tunnel, { tls })
        for (const options of [{ tls }, {}]) {
          const server = yield* RawServer.make(ok, options)
          const update = yield* openNode(server.url, { proxy: new URL(`https://localhost:${proxy.port}`) })
          yield* update(request)
          expect(server.requests).toHaveLength(1)
        }
        expect(proxy.opened).toBe(2)
      })
    )
  })
})
