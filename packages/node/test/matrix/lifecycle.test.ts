import { describe, expect, it } from "@effect/vitest"
import * as RetryPolicy from "@effect-pleo/core/RetryPolicy"
import { TokenStore } from "@effect-pleo/core/TokenStore"
import * as Fault from "@effect-pleo/testing/Fault"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Child from "../support/child.ts"
import {
  as,
  expectFailure,
  failureOf,
  metadataCanary,
  ok,
  onEachSide,
  open,
  openNode,
  overNode,
  request
} from "../support/faults.ts"
import * as FileTokenStore from "../support/fileTokenStore.ts"
import * as OAuth from "../support/oauth.ts"
import * as RawServer from "../support/rawServer.ts"
import { temporaryDirectory } from "../support/temporaryDirectory.ts"

const turnOfTheEventLoop = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

describe("the end of the process", () => {
  for (const [title, stall] of [
    ["70 SIGTERM while an update waits for its response", RawServer.ignore],
    [
      "70 SIGTERM while an update waits for the rest of its response",
      RawServer.send(RawServer.updated.subarray(0, -1))
    ]
  ] as const)
    it.scopedLive(
      `${title} closes its socket and ends the process with 143, in bounded time`,
      () =>
        Effect.gen(function* () {
          const server = yield* RawServer.make(RawServer.inTurn(ok, stall))
          const child = yield* Child.start({
            PLEO_SERVER: server.url,
            PLEO_ACCESS_TOKEN: "canary-of-the-child"
          })
          child.send(metadataCanary)
          expect(yield* child.outcome).toEqual({ id: RawServer.installation.id })
          child.send(metadataCanary)
          yield* server.until(({ requests }) => requests.length === 2)
          expect(server.sockets.open).toBe(1)
          child.kill("SIGTERM")
          const [elapsed, { code, output }] = yield* Effect.timed(child.end)
          expect(code).toBe(143)
          expect(Duration.toMillis(elapsed)).toBeLessThan(3_000)
          expect(output.trim()).toBe(JSON.stringify({ id: RawServer.installation.id }))
          yield* server.until(({ sockets }) => sockets.open === 0)
          expect(server.requests).toHaveLength(2)
        }),
      15_000
    )

  it.scopedLive(
    "70 SIGTERM while tokens are refreshed stores the new ones, and then ends the process with 143, in bounded time",
    () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const store = Context.get(yield* Layer.build(FileTokenStore.layer(directory)), TokenStore)
        const { refreshes, sandbox, update, updates } = yield* OAuth.setUp({ store, storedFor: 0 })
        const child = yield* Child.start({
          PLEO_TENANT: OAuth.tenant,
          PLEO_CLIENT_ID: OAuth.clientId,
          PLEO_CLIENT_SECRET: Redacted.value(OAuth.clientSecret),
          PLEO_SERVER: sandbox.url,
          PLEO_TOKEN_ENDPOINT: `${sandbox.url}/oauth/token`,
          TOKENS: directory
        })
        // Longer than the transport waits for what is under way.
        yield* sandbox.inject(Fault.delay("2 seconds", { when: ({ path }) => path === "/oauth/token" }))
        child.send(metadataCanary)
        yield* Effect.repeat(Effect.zipRight(turnOfTheEventLoop, refreshes), {
          until: ({ length }) => length > 0
        })
        child.kill("SIGTERM")
        const [elapsed, { code, output }] = yield* Effect.timed(child.end)
        expect(code).toBe(143)
        expect(Duration.toMillis(elapsed)).toBeLessThan(5_000)
        expect(output).toBe("")
        expect(yield* updates).toEqual([])

        expect(yield* update(request)).toMatchObject({ status: "ACTIVATED" })
        expect(yield* refreshes).toEqual(["1 rotated"])
        expect(yield* updates).toEqual(["2 200"])
      }),
    15_000
  )
})

// Each waits for what is under way to wind up: together they wait no longer than one.
describe.concurrent("the end of the layer", () => {
  const shutDown = {
    _tag: "Infrastructure",
    reason: "Transport",
    code: "UND_ERR_DESTROYED",
    isRetryable: false,
    mayHaveBeenApplied: true
  } as const
  const closed = {
    ...shutDown,
    code: "UND_ERR_CLOSED",
    phase: "Connection",
    mayHaveBeenApplied: false
  } as const

  const stalls = {
    "before the headers": RawServer.ignore,
    "in the headers": RawServer.send("HTTP/1.1 200 OK\r\ncontent-"),
    "in the body": RawServer.send(RawServer.updated.subarray(0, -1))
  }
  for (const [where, stall] of Object.entries(stalls))
    onEachSide(
      `71 a layer that is closed ends the updates in flight that stall ${where}, and all that wait`,
      (side) =>
        Effect.gen(function* () {
          const server = yield* RawServer.make(stall)
          const scope = yield* Scope.make()
          const update = yield* Scope.extend(open(side, server.url, { connections: 2 }), scope)
          const inFlight = yield* Effect.fork(failureOf(update(request)))
          const retrying = yield* Effect.fork(failureOf(as("B")(RetryPolicy.retry()(update(request)))))
          yield* server.until(({ requests }) => requests.length === 2)
          const behind = yield* Effect.fork(failureOf(update(request)))
          const withoutSocket = yield* Effect.fork(failureOf(as("C")(update(request))))
          yield* Effect.yieldNow()
          const [elapsed] = yield* Effect.timed(Scope.close(scope, Exit.void))
          expect(Duration.toMillis(elapsed)).toBeLessThan(2_000)
          const { secrets } = side.credential
          expectFailure(yield* Fiber.join(inFlight), shutDown, secrets)
          expectFailure(yield* Fiber.join(retrying), shutDown, secrets)
          expectFailure(yield* Fiber.join(behind), closed, secrets)
          expectFailure(yield* Fiber.join(withoutSocket), closed, secrets)
          yield* server.until(({ sockets }) => sockets.open === 0)
          expect(server.requests).toHaveLength(2)
        }),
      overNode
    )

  it.scopedLive("71 a layer that is closed around an update that is about to be tried again ends it", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(RawServer.send(RawServer.respond(503, { "retry-after": "1" })))
      const scope = yield* Scope.make()
      const update = yield* Scope.extend(openNode(server.url), scope)
      const waiting = yield* Effect.fork(failureOf(RetryPolicy.retry()(update(request))))
      yield* server.until(({ requests }) => requests.length === 1)
      yield* Scope.close(scope, Exit.void)
      // The attempt that was answered with 503 may have been applied.
      expectFailure(yield* Fiber.join(waiting), { ...closed, attempts: 2, mayHaveBeenApplied: true })
      yield* server.until(({ sockets }) => sockets.open === 0)
      expect(server.requests).toHaveLength(1)
    })
  )
})
