import Dns from "node:dns"
import type { Socket } from "node:net"
import { describe, expect, it, vi } from "@effect/vitest"
import * as RetryPolicy from "@effect-pleo/core/RetryPolicy"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import {
  as,
  expectFailure,
  fails,
  failureOf,
  late,
  lost,
  ok,
  onEachSide,
  open,
  openNode,
  overNode,
  request,
  unsent
} from "../support/faults.ts"
import * as RawServer from "../support/rawServer.ts"

const connectTimedOut = { ...unsent, code: "UND_ERR_CONNECT_TIMEOUT" }

const insistently = RetryPolicy.retry({ baseDelay: 1 })

describe("without a connection", () => {
  onEachSide("1 a refused connection sends nothing, is tried again, and is forgotten once it works", (side) =>
    Effect.gen(function* () {
      const port = yield* RawServer.freePort
      const update = yield* open(side, `http://127.0.0.1:${port}`)
      const expected = { ...unsent, code: "ECONNREFUSED" }
      expectFailure(yield* failureOf(update(request)), expected, side.credential.secrets)
      expectFailure(
        yield* failureOf(insistently(update(request))),
        { ...expected, attempts: 3 },
        side.credential.secrets
      )
      const server = yield* RawServer.make(ok, { port })
      yield* update(request)
      expect(server.requests).toHaveLength(1)
    })
  )

  it.scopedLive("1 a server that comes up between two attempts gets the second one", () =>
    Effect.gen(function* () {
      const port = yield* RawServer.freePort
      const update = yield* openNode(`http://127.0.0.1:${port}`)
      const failed = vi.fn()
      const server = yield* Effect.fork(
        update(request).pipe(
          Effect.tapError(() => Effect.sync(failed)),
          RetryPolicy.retry({ attempts: 1_000, baseDelay: 1, budget: false })
        )
      ).pipe(
        Effect.tap(Effect.promise(() => vi.waitFor(() => expect(failed).toHaveBeenCalled()))),
        Effect.flatMap((fiber) => Effect.zipLeft(RawServer.make(ok, { port }), fiber))
      )
      expect(server.requests).toHaveLength(1)
    })
  )

  onEachSide(
    "2 a name that does not exist sends nothing, and stays a failure that may be tried again",
    (side) =>
      Effect.gen(function* () {
        const update = yield* open(side, "https://nothing.invalid")
        const expected = { ...unsent, code: expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN)$/) }
        expectFailure(yield* failureOf(update(request)), expected, side.credential.secrets)
        expectFailure(
          yield* failureOf(insistently(update(request))),
          { ...expected, attempts: 3 },
          side.credential.secrets
        )
      })
  )

  /** Replaces the resolver of the operating system for as long as the scope lasts. */
  const resolver = (lookup: (hostname: string, callback: (error: Error) => void) => void) =>
    Effect.acquireRelease(
      Effect.sync(() =>
        vi
          .spyOn(Dns, "lookup")
          .mockImplementation(((hostname: string, _: unknown, callback: (error: Error) => void) =>
            lookup(hostname, callback)) as never)
      ),
      (spy) => Effect.sync(() => spy.mockRestore())
    )

  for (const code of ["ENOTFOUND", "EAI_AGAIN"])
    onEachSide(`2 a resolver that answers ${code} sends nothing, and the next update works`, (side) =>
      Effect.gen(function* () {
        const server = yield* RawServer.make(ok)
        const update = yield* open(side, `http://localhost:${server.port}`)
        const error = Object.assign(new Error(`getaddrinfo ${code} localhost`), { code })
        yield* Effect.scoped(
          Effect.gen(function* () {
            const spy = yield* resolver((_, callback) => process.nextTick(callback, error))
            expectFailure(yield* failureOf(update(request)), { ...unsent, code }, side.credential.secrets)
            yield* failureOf(insistently(update(request)))
            expect(spy).toHaveBeenCalledTimes(1 + 3)
          })
        )
        expect(server.sockets.opened).toBe(0)
        yield* update(request)
        expect(server.requests).toHaveLength(1)
      })
    )

  onEachSide(
    "3 a connection that is not there in time sends nothing, and the next update works",
    (side) =>
      Effect.gen(function* () {
        const server = yield* RawServer.make(ok)
        const update = yield* open(side, `http://localhost:${server.port}`, { connectTimeout: "100 millis" })
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* resolver(() => {})
            const [elapsed, failure] = yield* Effect.timed(failureOf(update(request)))
            expectFailure(failure, connectTimedOut, side.credential.secrets)
            expect(Duration.toMillis(elapsed)).toBeLessThan(5_000)
          })
        )
        yield* update(request)
        expect(server.requests).toHaveLength(1)
        expect(server.sockets.opened).toBe(1)
      }),
    overNode.slice(0, 1)
  )
})

describe("with a connection that breaks", () => {
  fails("4 a reset before the headers may have been applied", RawServer.reset, lost)

  const half = "HTTP/1.1 200 OK\r\ncontent-type: appl"
  fails("5 a reset in the middle of the headers may have been applied", RawServer.sendAndReset(half), lost)
  fails("5 an end in the middle of the headers may have been applied", RawServer.sendAndEnd(half), lost)
  fails("6 a half-close without a response may have been applied", RawServer.sendAndEnd(""), lost)

  /** Resets the first socket at the first bytes that come over it once it was idle. */
  const stale = Effect.suspend(() => {
    let isIdle = false
    return RawServer.make(
      (_, socket) => {
        if (!socket.destroyed) socket.write(RawServer.updated, () => setImmediate(() => (isIdle = true)))
      },
      {
        onConnection: (socket, connection) => {
          if (connection === 0)
            socket.prependListener("data", () => {
              if (isIdle) socket.resetAndDestroy()
            })
        }
      }
    )
  })

  /** Which sockets the request lines came over, in all that was received. */
  const requestLines = ({ received }: RawServer.RawServer) =>
    received.map((bytes) => String(bytes).split("PUT /v1/installations/me HTTP/1.1").length - 1)

  onEachSide(
    "7 a stale socket reset as the request goes out is a failure that may be tried again",
    (side) =>
      Effect.gen(function* () {
        const server = yield* stale
        const update = yield* open(side, server.url)
        yield* update(request)
        expectFailure(yield* failureOf(update(request)), lost, side.credential.secrets)
        expect(requestLines(server)).toEqual([2])
        yield* update(request)
        expect(requestLines(server)).toEqual([2, 1])
      }),
    overNode
  )

  onEachSide(
    "7 a stale socket reset as the request goes out is replaced by a fresh one for the retry",
    (side) =>
      Effect.gen(function* () {
        const server = yield* stale
        const update = yield* open(side, server.url)
        yield* update(request)
        expect((yield* insistently(update(request))).id).toBe(RawServer.installation.id)
        expect(requestLines(server)).toEqual([2, 1])
      }),
    overNode
  )

  it.scopedLive("7 an idle socket that the server resets fails at most one update, and retryably", () =>
    Effect.gen(function* () {
      let idle: Socket | undefined
      const server = yield* RawServer.make((_, socket) => {
        idle = socket
        socket.write(RawServer.updated)
      })
      const update = yield* openNode(server.url)
      yield* update(request)
      idle?.resetAndDestroy()
      const outcome = yield* Effect.either(update(request))
      // The reset is seen before the request is written, or after.
      if (outcome._tag === "Left")
        expectFailure(outcome.left, outcome.left.mayHaveBeenApplied ? lost : unsent)
      yield* update(request)
      expect(server.requests.at(-1)?.connection).not.toBe(0)
    })
  )

  /** Answers the first requests, of as many customers at once, and then nothing over the sockets that they opened. */
  const openStale = (customers: number, end: (socket: Socket) => void) =>
    Effect.gen(function* () {
      const held: Array<Socket> = []
      let areDead = false
      const server = yield* RawServer.make((received, socket) => {
        if (areDead && received.connection < customers) return end(socket)
        held.push(socket)
        if (held.length >= customers) for (const socket of held.splice(0)) socket.write(RawServer.updated)
        if (areDead) socket.write(RawServer.updated)
      })
      const update = yield* openNode(server.url)
      yield* Effect.forEach(
        Array.from({ length: customers }, (_, customer) => customer),
        (customer) => as(customer)(update(request)),
        { concurrency: "unbounded", discard: true }
      )
      areDead = true
      return { server, update }
    })

  it.scopedLive.each([2, 3, 8])("74 %i idle sockets that are all dead cost one attempt", (customers) =>
    Effect.gen(function* () {
      const { server, update } = yield* openStale(customers, (socket) => socket.resetAndDestroy())
      yield* insistently(update(request))
      const [first, second, ...others] = server.requests.slice(customers).map(({ connection }) => connection)
      expect(first).toBeLessThan(customers)
      expect(second).toBe(customers)
      expect(others).toEqual([])
    })
  )

  it.scopedLive("74 idle sockets over which nothing comes back cost one attempt", () =>
    Effect.gen(function* () {
      const { server, update } = yield* openStale(3, () => {})
      yield* update(request).pipe(RetryPolicy.retry({ baseDelay: 1, attemptTimeout: "100 millis" }))
      expect(server.requests.slice(3).map(({ connection }) => connection)).toEqual([2, 3])
    })
  )
})

// Each waits for a while: together they wait no longer than one.
describe.concurrent("with a server that is slow", () => {
  onEachSide(
    "3 a TLS handshake that the other side never answers is given up, each time",
    (side) =>
      Effect.gen(function* () {
        const server = yield* RawServer.make(RawServer.ignore)
        const update = yield* open(side, `https://127.0.0.1:${server.port}`, { connectTimeout: "100 millis" })
        const [elapsed, failure] = yield* Effect.timed(failureOf(update(request)))
        expectFailure(failure, connectTimedOut, side.credential.secrets)
        expect(Duration.toMillis(elapsed)).toBeLessThan(5_000)
        const insistent = update(request).pipe(RetryPolicy.retry({ attempts: 2, baseDelay: 1 }))
        expectFailure(
          yield* failureOf(insistent),
          { ...connectTimedOut, attempts: 2 },
          side.credential.secrets
        )
        expect(server.requests).toEqual([])
        expect(server.sockets.opened).toBe(1 + 2)
        yield* server.until(({ sockets }) => sockets.open === 0)
      }),
    overNode
  )

  const inTime = { attemptTimeout: "1 second", closesSocket: true } as const

  fails("8 headers that never begin time out, and may have been applied", RawServer.ignore, late, inTime)
  fails(
    "8 headers that stall time out, and may have been applied",
    RawServer.send("HTTP/1.1 200 OK\r\ncontent-"),
    late,
    inTime
  )
  fails(
    "9 a body that stalls after the headers times out, and may have been applied",
    RawServer.send(RawServer.updated.subarray(0, -1)),
    late,
    inTime
  )
  fails(
    "9 an error body that stalls after the headers times out, and may have been applied",
    RawServer.send(RawServer.respond(500, {}, "unfinished").subarray(0, -1)),
    late,
    inTime
  )

  /** Sends the head at once, and then the body byte by byte. */
  const drip =
    (bytes: Buffer): RawServer.Handler =>
    (_, socket) => {
      let sent = bytes.indexOf("\r\n\r\n") + 4
      socket.write(bytes.subarray(0, sent))
      const timer = setInterval(() => socket.write(bytes.subarray(sent, ++sent)), 20)
      socket.on("close", () => clearInterval(timer))
    }

  fails("10 a body that drips times out, however steadily it does", drip(RawServer.updated), late, inTime)
  fails(
    "10 an error body that drips times out, however steadily it does",
    drip(RawServer.respond(500, {}, "x".repeat(400))),
    late,
    inTime
  )
})

describe("with a body that breaks off", () => {
  const chunked = RawServer.head(200, { "transfer-encoding": "chunked" })
  const lastChunked = RawServer.head(200, { "transfer-encoding": "chunked", connection: "close" })

  fails(
    "11 a body shorter than its Content-Length may have been applied",
    RawServer.sendAndEnd(RawServer.updated.subarray(0, -1)),
    lost
  )
  fails(
    "11 a body shorter than its Content-Length on a connection that is to be closed may have been applied",
    RawServer.sendAndEnd(RawServer.respond(200, { "content-length": "10", connection: "close" }, "{}")),
    lost
  )
  fails(
    "11 a body that is reset before its Content-Length may have been applied",
    RawServer.sendAndReset(RawServer.updated.subarray(0, -1)),
    lost
  )
  fails(
    "12 a chunked body that is cut off may have been applied",
    RawServer.sendAndEnd(`${chunked}2\r\n{}\r\n`),
    lost
  )
  fails(
    "12 a chunked body that is reset may have been applied",
    RawServer.sendAndReset(`${chunked}2\r\n{}\r\n`),
    lost
  )
  fails(
    "12 a chunked body that is cut off on a connection that is to be closed may have been applied",
    RawServer.sendAndEnd(`${lastChunked}2\r\n{}\r\n`),
    lost,
    // The fetch of Node.js 20 takes what came for the whole.
    { sides: overNode }
  )
})
