import type { Socket } from "node:net"
import { describe, expect, it } from "@effect/vitest"
import * as RetryPolicy from "@effect-pleo/core/RetryPolicy"
import * as Effect from "effect/Effect"
import {
  expectFailure,
  fails,
  failureOf,
  incomprehensible,
  lost,
  ok,
  onEachSide,
  open,
  openNode,
  overNode,
  quoted,
  quoting,
  request,
  succeeds
} from "../support/faults.ts"
import * as RawServer from "../support/rawServer.ts"

describe("responses that are not HTTP", () => {
  const closed = { closesSocket: true }
  const chunked = RawServer.head(200, { "transfer-encoding": "chunked" })

  fails(
    "13 two different Content-Length headers cannot be understood, and close the socket",
    RawServer.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}"),
    incomprehensible,
    closed
  )
  fails(
    "14 Content-Length and Transfer-Encoding together cannot be understood, and close the socket",
    RawServer.send(
      `${RawServer.head(200, { "content-length": "2", "transfer-encoding": "chunked" })}2\r\n{}\r\n0\r\n\r\n`
    ),
    incomprehensible,
    closed
  )
  fails(
    "15 bytes that are not HTTP cannot be understood, and close the socket",
    RawServer.send("SSH-2.0-OpenSSH_9.6\r\n"),
    incomprehensible,
    closed
  )
  fails(
    "15 bytes that are not HTTP, and an end, cannot be understood",
    RawServer.sendAndEnd("-ERR unknown command\r\n"),
    incomprehensible,
    closed
  )
  fails(
    "15 a chunk without a size cannot be understood, and closes the socket",
    RawServer.send(`${chunked}what?\r\n`),
    incomprehensible,
    closed
  )
  fails(
    "16 a header of 20 KB is not taken in",
    RawServer.send(RawServer.respond(200, { "x-large": "x".repeat(20_000) }, "{}")),
    { ...incomprehensible, code: "UND_ERR_HEADERS_OVERFLOW" },
    closed
  )
})

describe("unsolicited responses", () => {
  const numbered = (number: number) =>
    RawServer.respond(200, {}, JSON.stringify({ ...RawServer.installation, metadata: { number } }))

  it.scopedLive("17 a second response sent along with the first never answers the next update", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(
        RawServer.inTurn(
          RawServer.send(Buffer.concat([numbered(1), numbered(666)])),
          RawServer.send(numbered(2))
        )
      )
      const update = yield* openNode(server.url)
      expect((yield* update(request)).metadata).toEqual({ number: 1 })
      expect((yield* update(request)).metadata).toEqual({ number: 2 })
      expect(server.requests).toHaveLength(2)
    })
  )

  it.scopedLive("17 a response sent over an idle socket never answers the next update", () =>
    Effect.gen(function* () {
      let idle: Socket | undefined
      const server = yield* RawServer.make((request, socket) => {
        idle = socket
        socket.write(numbered(server.requests.indexOf(request) + 1))
      })
      const update = yield* openNode(server.url)
      expect((yield* update(request)).metadata).toEqual({ number: 1 })
      // Neither side has had a turn to notice it when the next update starts.
      idle?.write(numbered(666))
      expect((yield* update(request)).metadata).toEqual({ number: 2 })
      idle?.write(numbered(666))
      yield* server.until(({ sockets }) => sockets.open === 0)
      expect((yield* update(request)).metadata).toEqual({ number: 3 })
    })
  )
})

describe("redirects", () => {
  for (const status of [301, 302, 303, 307, 308])
    onEachSide(`32 a ${status} to another server is not followed: nothing reaches that server`, (side) =>
      Effect.gen(function* () {
        const target = yield* RawServer.make(ok)
        const location = `${target.url}/v1/installations/me`
        const redirect = quoting(status, { location })
        const server = yield* RawServer.make(RawServer.inTurn(redirect, redirect, ok))
        const update = yield* open(side, server.url)
        for (const attempt of [update(request), update(request).pipe(RetryPolicy.retry())])
          expectFailure(
            yield* failureOf(attempt),
            {
              _tag: "Infrastructure",
              reason: "Redirect",
              status,
              isRetryable: false,
              mayHaveBeenApplied: status === 303,
              body: quoted
            },
            side.credential.secrets
          )
        yield* update(request)
        expect(server.requests).toHaveLength(3)
        expect(target.sockets.opened).toBe(0)
      })
    )
})

describe("interim responses", () => {
  const hints = RawServer.head("103 Early Hints", { link: "</style.css>; rel=preload" })
  const before = (interim: string, final: Uint8Array) =>
    RawServer.send(Buffer.concat([Buffer.from(interim), final]))
  const separately: RawServer.Handler = (_, socket) => {
    socket.write(hints, () =>
      setImmediate(() => socket.write(Buffer.concat([Buffer.from(hints), RawServer.updated])))
    )
  }

  succeeds("33 103 Early Hints do not replace the response that follows", before(hints, RawServer.updated))
  succeeds("33 103 Early Hints that come twice, and on their own, do not replace it either", separately)
  fails("33 103 Early Hints do not hide the failure that follows", before(hints, RawServer.respond(503)), {
    _tag: "Infrastructure",
    reason: "ServerError",
    status: 503,
    isRetryable: true,
    mayHaveBeenApplied: true
  })

  const strays = {
    "34 a stray 100": RawServer.head("100 Continue"),
    "34 a stray 101": RawServer.head("101 Switching Protocols"),
    "34 a stray 101 that names a protocol": RawServer.head("101 Switching Protocols", {
      connection: "upgrade",
      upgrade: "websocket"
    })
  }
  // What fetch makes of a 101 is the runtime's own: that of Node.js 20 reads on.
  for (const [title, interim] of Object.entries(strays))
    fails(`${title} is a failure without a defect`, before(interim, RawServer.updated), lost, {
      ...(interim.includes(" 101 ") ? { sides: overNode } : {})
    })
})
