import * as Net from "node:net"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Connection } from "../src/internal/connection.ts"
import { ConnectionPool } from "../src/internal/connectionPool.ts"
import type { Dial } from "../src/internal/dial.ts"
import type { Result } from "../src/internal/responseHandler.ts"
import * as RawServer from "./support/rawServer.ts"

describe("a connection", () => {
  it.scopedLive("that is closed before the request is written is not replaced by another", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(RawServer.send(RawServer.updated))
      let dialed = 0
      const dial: Dial = (_, onEnd) => {
        dialed += 1
        const socket = Net.connect(server.port, "127.0.0.1", () => {
          // Without an end, it would go on for as long as the test.
          if (dialed < 10) socket.destroy()
          onEnd(null, socket)
        })
        return (onClosed) => onClosed()
      }
      const pool = new ConnectionPool(1, 1_000, () => new Connection(server.url, {}, dial))
      const result = yield* Effect.async<Result>((resume) => {
        pool.request({ origin: server.url, path: "/", method: "PUT", body: "" }, (result) =>
          resume(Effect.succeed(result))
        )
      })
      expect(result).toMatchObject({ _tag: "Left", left: { _tag: "Unsent", cause: { code: "ECONNRESET" } } })
      expect(dialed).toBe(1)
      expect(server.requests).toEqual([])
    })
  )
})
