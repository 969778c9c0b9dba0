import type { Socket } from "node:net"
import { describe, expect, it } from "@effect/vitest"
import * as RetryPolicy from "@effect-pleo/core/RetryPolicy"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import {
  as,
  expectFailure,
  fails,
  failureOf,
  ok,
  openNode,
  overNode,
  refused,
  request,
  serverError
} from "../support/faults.ts"
import * as RawServer from "../support/rawServer.ts"

describe("many at once", () => {
  const customers = Array.from({ length: 1_000 }, (_, customer) => customer)

  it.scopedLive(
    "61 a thousand updates of a thousand customers settle over no more sockets than allowed",
    () =>
      Effect.gen(function* () {
        // Answers only when as many are waiting as there may be sockets: more would be seen, fewer would hang.
        const waiting: Array<Socket> = []
        let arrived = 0
        const server = yield* RawServer.make((_, socket) => {
          arrived++
          if (waiting.push(socket) === 16 || arrived === customers.length)
            for (const each of waiting.splice(0)) each.write(RawServer.updated)
        })
        const update = yield* openNode(server.url, { connections: 16 })
        const installations = yield* Effect.forEach(customers, (customer) => as(customer)(update(request)), {
          concurrency: "unbounded"
        })
        expect(new Set(installations.map(({ id }) => id))).toEqual(new Set([RawServer.installation.id]))
        expect(server.sockets.peak).toBe(16)
        const authorizations = server.requests.flatMap(RawServer.authorizationsOf)
        expect(authorizations).toHaveLength(1_000)
        expect(new Set(authorizations).size).toBe(1_000)
      }),
    15_000
  )

  it.scopedLive(
    "61 a thousand updates settle as well when half of them fail and are tried again",
    () =>
      Effect.gen(function* () {
        const seen = new Set<string>()
        let turn = 0
        const server = yield* RawServer.make((request, socket) => {
          const [authorization = ""] = RawServer.authorizationsOf(request)
          if (seen.has(authorization) || turn++ % 2 === 0) return ok(request, socket)
          seen.add(authorization)
          return turn % 4 === 0
            ? socket.resetAndDestroy()
            : RawServer.send(RawServer.respond(503))(request, socket)
        })
        const update = yield* openNode(server.url, { connections: 16 })
        const insistent = RetryPolicy.retry({ baseDelay: 1, budget: false })
        yield* Effect.forEach(customers, (customer) => insistent(as(customer)(update(request))), {
          concurrency: "unbounded"
        })
        expect(server.requests).toHaveLength(1_000 + seen.size)
        expect(seen.size).toBeGreaterThan(250)
        expect(server.sockets.peak).toBeLessThanOrEqual(16)
      }),
    15_000
  )

  it.scopedLive(
    "62 ten thousand interruptions in flight leave no socket open, and no request waiting",
    () =>
      Effect.gen(function* () {
        const atOnce = 500
        let arrived = 0
        const server = yield* RawServer.make((request, socket) => {
          arrived++
          if (RawServer.authorizationsOf(request).join().endsWith("-last")) ok(request, socket)
        })
        const update = yield* openNode(server.url, { connections: atOnce })
        for (let inFlight = atOnce; inFlight <= 10_000; inFlight += atOnce) {
          const fibers = yield* Effect.forEach(customers.slice(0, atOnce), (customer) =>
            Effect.fork(as(customer)(update(request)))
          )
          yield* server.until(() => arrived === inFlight)
          const exit = yield* Fiber.interruptAll(fibers).pipe(Effect.zipRight(Fiber.awaitAll(fibers)))
          expect(exit.every(Exit.isInterrupted)).toBe(true)
        }
        yield* server.until(({ sockets }) => sockets.open === 0)
        yield* as("last")(update(request))
        expect(server.requests).toHaveLength(10_000 + 1)
        expect(server.sockets.open).toBe(1)
      }),
    60_000
  )

  it.scopedLive("62 interruptions of updates that wait for a socket keep them from ever being sent", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make((request, socket) => {
        if (RawServer.authorizationsOf(request).join().endsWith("-last")) ok(request, socket)
      })
      const update = yield* openNode(server.url, { connections: 8 })
      const fibers = yield* Effect.forEach(customers, (customer) =>
        Effect.fork(as(customer)(update(request)))
      )
      yield* server.until(({ sockets }) => sockets.open === 8)
      yield* Fiber.interruptAll(fibers)
      yield* server.until(({ sockets }) => sockets.open === 0)
      yield* as("last")(update(request))
      expect(server.sockets.peak).toBeLessThanOrEqual(2 * 8)
      expect(server.sockets.opened).toBeLessThan(3 * 8)
    })
  )
})

describe("error bodies that are large", () => {
  const size = 1_000_000
  const excerpt = "x".repeat(2048)

  for (const status of [500, 400])
    fails(
      `63 a ${status} with a body of 1 MB is quoted from its start`,
      RawServer.send(RawServer.respond(status, {}, "x".repeat(size))),
      status === 500
        ? { ...serverError, status, isRetryable: true, body: excerpt }
        : { _tag: "BadRequest", status, ...refused, body: excerpt }
    )
  fails(
    "63 a 500 whose body of 1 MB never ends is quoted from its start, and closes the socket",
    RawServer.send(RawServer.respond(500, { "content-length": String(2 * size) }, "x".repeat(size))),
    { ...serverError, status: 500, isRetryable: true, body: excerpt },
    { sides: overNode, closesSocket: true }
  )

  for (const [title, length, connections] of [
    ["63 an error body of 64 KiB is drained, and its socket used again", 64 * 1024, [0, 0, 0]],
    ["63 an error body above 64 KiB destroys its socket, each time", 64 * 1024 + 1, [0, 1, 2]],
    ["63 an error body of 1 MB destroys its socket, each time", size, [0, 1, 2]]
  ] as const)
    it.scopedLive(title, () =>
      Effect.gen(function* () {
        const large = RawServer.send(RawServer.respond(400, {}, "x".repeat(length)))
        const server = yield* RawServer.make(RawServer.inTurn(large, large, ok))
        const update = yield* openNode(server.url)
        const expected = { _tag: "BadRequest", status: 400, ...refused, body: excerpt } as const
        expectFailure(yield* failureOf(update(request)), expected)
        expectFailure(yield* failureOf(update(request)), expected)
        yield* update(request)
        expect(server.requests.map(({ connection }) => connection)).toEqual(connections)
        yield* server.until(({ sockets }) => sockets.open === 1)
      })
    )
})
