import type { Socket } from "node:net"
import { describe, expect, it } from "@effect/vitest"
import * as RetryPolicy from "@effect-pleo/core/RetryPolicy"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import {
  as,
  expectFailure,
  failureOf,
  lost,
  ok,
  onEachSide,
  open,
  openNode,
  refused
} from "../support/faults.ts"
import * as RawServer from "../support/rawServer.ts"

const numbered = (number: number) => ({ status: "ACTIVATED", metadata: { number } }) as const

/** The numbers of the updates that a server received, in the order of their arrival. */
const numbersOf = ({ requests }: RawServer.RawServer) =>
  requests.map(({ body }) => JSON.parse(String(body)).metadata.number)

const insistent = RetryPolicy.retry({ baseDelay: 1 })

/** Fails so that the retry comes a second later. */
const busy = RawServer.send(RawServer.respond(503, { "retry-after": "1" }))

const superseded = {
  _tag: "Infrastructure",
  reason: "Superseded",
  isRetryable: false,
  mayHaveBeenApplied: true,
  attempts: 2
} as const

// Most wait a second for a retry: together they wait no longer than one.
describe.concurrent("updates of one installation", () => {
  onEachSide("69 a retry is given up when a newer update of the same installation has succeeded", (side) =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(RawServer.inTurn(busy, ok))
      const update = yield* open(side, server.url)
      const older = yield* Effect.fork(failureOf(insistent(update(numbered(1)))))
      yield* server.until(({ requests }) => requests.length === 1)
      yield* update(numbered(2))
      expectFailure(yield* Fiber.join(older), superseded, side.credential.secrets)
      expect(numbersOf(server)).toEqual([1, 2])
      // The very same update works again once it is the newest.
      yield* update(numbered(1))
      expect(numbersOf(server)).toEqual([1, 2, 1])
    })
  )

  it.scopedLive("69 a retry is given up when a newer update may have been applied, though it failed", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(RawServer.inTurn(busy, RawServer.reset, ok))
      const update = yield* openNode(server.url)
      const older = yield* Effect.fork(failureOf(insistent(update(numbered(1)))))
      yield* server.until(({ requests }) => requests.length === 1)
      expectFailure(yield* failureOf(update(numbered(2))), lost)
      expectFailure(yield* Fiber.join(older), superseded)
      expect(numbersOf(server)).toEqual([1, 2])
      yield* update(numbered(1))
    })
  )

  it.scopedLive("69 a retry is given up when a newer update that was tried again has succeeded", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(
        RawServer.inTurn(busy, RawServer.send(RawServer.respond(429, { "retry-after": "0" })), ok)
      )
      const update = yield* openNode(server.url)
      const older = yield* Effect.fork(failureOf(insistent(update(numbered(1)))))
      yield* server.until(({ requests }) => requests.length === 1)
      yield* insistent(update(numbered(2)))
      expectFailure(yield* Fiber.join(older), superseded)
      expect(numbersOf(server)).toEqual([1, 2, 2])
      yield* update(numbered(1))
    })
  )

  it.scopedLive("69 a retry goes on when a newer update was refused, and so changed nothing", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(RawServer.inTurn(busy, RawServer.send(RawServer.respond(400)), ok))
      const update = yield* openNode(server.url)
      const older = yield* Effect.fork(insistent(update(numbered(1))))
      yield* server.until(({ requests }) => requests.length === 1)
      expectFailure(yield* failureOf(update(numbered(2))), { _tag: "BadRequest", status: 400, ...refused })
      expect((yield* Fiber.join(older)).id).toBe(RawServer.installation.id)
      expect(numbersOf(server)).toEqual([1, 2, 1])
    })
  )

  it.scopedLive("69 a retry goes on when it is another installation that was updated", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(RawServer.inTurn(busy, ok))
      const update = yield* openNode(server.url)
      const older = yield* Effect.fork(insistent(as("A")(update(numbered(1)))))
      yield* server.until(({ requests }) => requests.length === 1)
      yield* as("B")(update(numbered(2)))
      expect((yield* Fiber.join(older)).id).toBe(RawServer.installation.id)
      expect(numbersOf(server)).toEqual([1, 2, 1])
    })
  )

  it.scopedLive("69 updates of one installation arrive one at a time, in the order of their calls", () =>
    Effect.gen(function* () {
      let answering = 0
      let mostAtOnce = 0
      const server = yield* RawServer.make((_, socket) => {
        mostAtOnce = Math.max(mostAtOnce, ++answering)
        setImmediate(() => {
          answering--
          socket.write(RawServer.updated)
        })
      })
      const update = yield* openNode(server.url)
      const numbers = Array.from({ length: 20 }, (_, number) => number)
      yield* Effect.forEach(numbers, (number) => update(numbered(number)), { concurrency: "unbounded" })
      expect(numbersOf(server)).toEqual(numbers)
      expect(mostAtOnce).toBe(1)
    })
  )

  it.scopedLive("69 an update that waits for its turn is not overtaken by one that is called later", () =>
    Effect.gen(function* () {
      const held: Array<Socket> = []
      const server = yield* RawServer.make((request, socket) => {
        if (held.push(socket) > 1) ok(request, socket)
      })
      const update = yield* openNode(server.url)
      const first = yield* Effect.fork(Effect.zipRight(update(numbered(1)), update(numbered(3))))
      yield* server.until(({ requests }) => requests.length === 1)
      const second = yield* Effect.fork(update(numbered(2)))
      yield* Effect.yieldNow()
      held[0]?.write(RawServer.updated)
      yield* Fiber.join(Fiber.zip(first, second))
      expect(numbersOf(server)).toEqual([1, 2, 3])
    })
  )

  it.scopedLive("69 updates of different installations do not wait for each other", () =>
    Effect.gen(function* () {
      const waiting: Array<Socket> = []
      const server = yield* RawServer.make((_, socket) => {
        // Nobody is answered before everybody is here.
        if (waiting.push(socket) === 20) for (const each of waiting) each.write(RawServer.updated)
      })
      const update = yield* openNode(server.url)
      const numbers = Array.from({ length: 20 }, (_, number) => number)
      yield* Effect.forEach(numbers, (number) => as(number)(update(numbered(number))), {
        concurrency: "unbounded"
      })
      expect(numbersOf(server).toSorted((a, b) => a - b)).toEqual(numbers)
    })
  )
})
