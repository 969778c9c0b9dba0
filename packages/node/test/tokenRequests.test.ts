// How token requests go over the sockets: each alone, and within the number of sockets that there may be.
import { subscribe, unsubscribe } from "node:diagnostics_channel"
import type { Socket } from "node:net"
import { describe, expect, it, vi } from "@effect/vitest"
import * as Credentials from "@effect-pleo/core/Credentials"
import { InstallationService } from "@effect-pleo/core/InstallationService"
import * as OAuth from "@effect-pleo/core/OAuth"
import * as TokenStore from "@effect-pleo/core/TokenStore"
import type { Failure, Response, Transport } from "@effect-pleo/core/Transport"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as ConnectionPools from "../src/internal/connectionPools.ts"
import * as NodeTransport from "../src/internal/transport.ts"
import type * as NodeHttpClient from "../src/NodeHttpClient.ts"
import * as NodeInstallationService from "../src/NodeInstallationService.ts"
import * as ConnectProxy from "./support/connectProxy.ts"
import { makeMemoryStore } from "./support/oauth.ts"
import * as RawServer from "./support/rawServer.ts"

const ok = RawServer.send(RawServer.updated)

// No socket is closed for being idle.
const patient = { keepAliveTimeout: "1 hour" } as const

const requestLines = ({ requests }: RawServer.RawServer) => requests.map(({ requestLine }) => requestLine)

/** Requests over the transport of a client. */
const open = (options: NodeHttpClient.Options) =>
  Effect.map(ConnectionPools.make({ ...patient, ...options }), (pools) => {
    const transport: Transport = NodeTransport.make(pools)
    const begin = (
      method: "PUT" | "POST",
      url: string,
      onEnd: (end: Either.Either<Response, Failure>) => void = () => {}
    ) =>
      transport(method, new URL(url))({ headers: {}, body: "a=b", freshConnection: method === "POST" }, onEnd)
    const send = (method: "PUT" | "POST", url: string) =>
      Effect.async<number>((resume) => {
        const cancel = begin(method, url, (end) =>
          resume(Effect.succeed(Either.isRight(end) ? end.right.status : -1))
        )
        return Effect.sync(cancel)
      })
    return { begin, send }
  })

describe("a token request", () => {
  it.scopedLive("goes over a connection of its own, never one that was idle, and closes it", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(ok)
      const { send } = yield* open({ connections: 2 })
      for (const method of ["PUT", "POST", "POST", "PUT", "PUT"] as const)
        expect(yield* send(method, server.url)).toBe(200)
      expect(server.requests.map(({ connection }) => connection)).toEqual([0, 1, 2, 3, 3])
      yield* server.until(({ sockets }) => sockets.open === 1)
    })
  )

  it.scopedLive("leaves the other idle connections alone", () =>
    Effect.gen(function* () {
      const held: Array<Socket> = []
      const server = yield* RawServer.make((_, socket) => {
        // The first two overlap, and so need a connection each.
        if (held.push(socket) === 2) held[0]?.write(RawServer.updated)
        if (held.length >= 2) socket.write(RawServer.updated)
      })
      const { send } = yield* open({ connections: 3 })
      yield* Effect.all([send("PUT", server.url), send("PUT", server.url)], { concurrency: "unbounded" })
      yield* send("POST", server.url)
      yield* send("PUT", server.url)
      expect(server.requests.map(({ connection }) => connection).at(-1)).toBeLessThan(2)
      expect(server.sockets.opened).toBe(3)
    })
  )
})

describe("a token request that is taken back", () => {
  it.scopedLive("while it waits for a socket is never sent, and the next goes on", () =>
    Effect.gen(function* () {
      const held: Array<Socket> = []
      const server = yield* RawServer.make((_, socket) => {
        held.push(socket)
      })
      const { begin, send } = yield* open({ connections: 1 })
      const first = yield* Effect.fork(send("PUT", `${server.url}/first`))
      yield* server.until(({ requests }) => requests.length === 1)
      expect(begin("POST", `${server.url}/token`)()).toBe(false)
      const second = yield* Effect.fork(send("PUT", `${server.url}/second`))
      held[0]?.write(RawServer.updated)
      yield* server.until(({ requests }) => requests.length === 2)
      held[1]?.write(RawServer.updated)
      held[0]?.write(RawServer.updated)
      expect(yield* first).toBe(200)
      expect(yield* second).toBe(200)
      expect(requestLines(server)).toEqual(["PUT /first HTTP/1.1", "PUT /second HTTP/1.1"])
      expect(server.sockets.opened).toBe(1)
    })
  )

  it.scopedLive("while an idle socket is closed for it is never sent, and the next goes on", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(ok)
      const { begin, send } = yield* open({ connections: 1 })
      for (let time = 0; time < 3; time++) {
        yield* send("PUT", `${server.url}/${time}`)
        expect(begin("POST", `${server.url}/token`)()).toBe(false)
      }
      yield* server.until(({ sockets }) => sockets.open === 0)
      expect(yield* send("PUT", `${server.url}/last`)).toBe(200)
      expect(requestLines(server).filter((line) => line.startsWith("POST"))).toEqual([])
      expect(server.requests.map(({ connection }) => connection)).toEqual([0, 1, 2, 3])
    })
  )

  it.scopedLive("while it connects leaves no socket behind, and the next connects", () =>
    Effect.gen(function* () {
      // It takes connections, and never begins TLS.
      const server = yield* RawServer.make(() => {})
      const { begin } = yield* open({ connections: 1 })
      for (let time = 1; time <= 3; time++) {
        const cancel = begin("POST", server.url.replace("http:", "https:"))
        yield* server.until(({ sockets }) => sockets.opened === time && sockets.open === 1)
        expect(cancel()).toBe(false)
        yield* server.until(({ sockets }) => sockets.open === 0)
      }
    })
  )

  const stages: Readonly<Record<string, ConnectProxy.Handler>> = {
    "a proxy has not answered": () => {},
    "a proxy has answered in part": (socket) => socket.write("HTTP/1.1 200 OK\r\nx-more:"),
    "TLS in the tunnel has not begun": ConnectProxy.tunnel
  }
  for (const [stage, handler] of Object.entries(stages))
    it.scopedLive(`while ${stage} leaves no socket behind, and the next connects`, () =>
      Effect.gen(function* () {
        const server = yield* RawServer.make(() => {})
        const proxy = yield* ConnectProxy.make(handler)
        const { begin } = yield* open({
          connections: 1,
          proxy: new URL(`http://127.0.0.1:${proxy.port}`)
        })
        for (let time = 1; time <= 3; time++) {
          const cancel = begin("POST", server.url.replace("http:", "https:"))
          yield* Effect.promise(() => vi.waitUntil(() => proxy.heads.length === time, { interval: 1 }))
          yield* proxy.untilOpen(1)
          if (handler === ConnectProxy.tunnel)
            yield* server.until(({ received }) => received[time - 1]?.[0] === 22)
          expect(cancel()).toBe(false)
          yield* proxy.untilOpen(0)
        }
        expect([proxy.opened, proxy.peak]).toEqual([3, 1])
      })
    )

  it.scopedLive("after it was sent leaves no socket behind, and the next goes on", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make((request, socket) => {
        if (request.requestLine.startsWith("PUT")) socket.write(RawServer.updated)
      })
      const { begin, send } = yield* open({ connections: 1 })
      for (let time = 1; time <= 3; time++) {
        const cancel = begin("POST", `${server.url}/token`)
        yield* server.until(({ requests }) => requests.length === time)
        expect(cancel()).toBe(true)
        yield* server.until(({ sockets }) => sockets.open === 0)
      }
      expect(yield* send("PUT", server.url)).toBe(200)
      expect(server.sockets.opened).toBe(4)
    })
  )
})

/** How many sockets this process opens from now on, and how many are open at once, at most. */
const watchSockets = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => {
      const open = new Set<Socket>()
      const seen = { opened: 0, peak: 0 }
      const onSocket = (message: unknown) => {
        const { socket } = message as { readonly socket: Socket }
        for (const each of open) if (each.destroyed) open.delete(each)
        open.add(socket)
        seen.opened += 1
        seen.peak = Math.max(seen.peak, open.size)
      }
      subscribe("net.client.socket", onSocket)
      return { onSocket, seen }
    }),
    ({ onSocket }) => Effect.sync(() => unsubscribe("net.client.socket", onSocket))
  ),
  ({ seen }) => seen
)

describe("the sockets to an origin that has both updates and tokens", () => {
  it.scopedLive.each([1, 2])(
    "are never more than there may be, nor fewer than are needed: %i",
    (connections) =>
      Effect.gen(function* () {
        let issued = 0
        const server = yield* RawServer.make(({ requestLine }, socket) => {
          const token = {
            access_token: `access-${++issued}`,
            refresh_token: `refresh-${issued}`,
            expires_in: 0
          }
          const answer = requestLine.startsWith("POST")
            ? RawServer.respond(200, {}, JSON.stringify(token))
            : RawServer.updated
          // So that requests overlap.
          setImmediate(() => socket.write(answer))
        })
        const store = yield* makeMemoryStore
        const app = { clientId: "client", tokenEndpoint: `${server.url}/token` }
        const customers = Array.from({ length: 8 }, (_, index) => `customer-${index}`)
        for (const tenant of customers)
          yield* OAuth.storeTokens(
            { ...app, tenant },
            { accessToken: Redacted.make("old"), refreshToken: Redacted.make("old"), expiresIn: 0 }
          ).pipe(Effect.provideService(TokenStore.TokenStore, store))
        const credentials = OAuth.credentials({ ...app, clientSecret: Redacted.make("secret") })
        const { update } = Context.get(
          yield* Layer.build(
            NodeInstallationService.layer({ server: server.url, credentials, connections, ...patient }).pipe(
              Layer.provide(Layer.succeed(TokenStore.TokenStore, store))
            )
          ),
          InstallationService
        )
        const seen = yield* watchSockets
        yield* Effect.forEach(
          customers,
          (tenant) =>
            Effect.replicateEffect(Credentials.use(update({ status: "ACTIVATED" }), OAuth.tenant(tenant)), 5),
          { concurrency: "unbounded" }
        )
        const posts = requestLines(server).filter((line) => line.startsWith("POST"))
        expect([posts.length, server.requests.length]).toEqual([40, 80])
        expect(seen.opened).toBe(server.sockets.opened)
        expect(seen.peak).toBe(connections)
      })
  )
})
