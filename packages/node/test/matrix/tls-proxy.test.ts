import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import * as RetryPolicy from "@effect-pleo/core/RetryPolicy"
import * as Effect from "effect/Effect"
import * as Undici from "undici"
import * as Child from "../support/child.ts"
import * as ConnectProxy from "../support/connectProxy.ts"
import { setVariables } from "../support/environment.ts"
import {
  expectFailure,
  failureOf,
  metadataCanary,
  ok,
  onEachSide,
  open,
  openNode,
  overBoth,
  overNode,
  request
} from "../support/faults.ts"
import * as RawServer from "../support/rawServer.ts"

const support = new URL("../support/", import.meta.url)
const key = readFileSync(new URL("selfSigned.key.pem", support), "utf8")
const certificate = (name: string) => ({
  key,
  cert: readFileSync(new URL(`${name}.cert.pem`, support), "utf8")
})

const refusedWith = (code: string) => ({
  _tag: "Infrastructure" as const,
  reason: "Transport",
  code,
  isRetryable: false,
  mayHaveBeenApplied: false
})

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
          NODE_EXTRA_CA_CERTS: new URL("authority.cert.pem", support).pathname,
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

  it.scopedLive("19 a proxy that refuses is a failure without its password, and nothing is sent", () =>
    Effect.gen(function* () {
      const proxy = yield* ConnectProxy.make(
        `HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n`
      )
      const server = yield* RawServer.make(ok)
      for (const side of overNode) {
        const update = yield* open(side, server.url, through(proxy))
        const failure = yield* failureOf(update(request))
        expectFailure(
          failure,
          {
            _tag: "Infrastructure",
            reason: "Transport",
            isRetryable: failure.isRetryable,
            mayHaveBeenApplied: failure.mayHaveBeenApplied
          },
          [...side.credential.secrets, proxySecret, encodedProxySecret]
        )
      }
      expect(proxy.opened).toBe(2)
      expect(server.sockets.opened).toBe(0)
    })
  )
})
