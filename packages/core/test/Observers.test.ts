import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as TestClock from "effect/TestClock"
import * as Tracer from "effect/Tracer"
import * as RetryPolicy from "../src/RetryPolicy.ts"
import * as FakeOAuth from "./support/fakeOAuth.ts"
import { activated } from "./support/http.ts"
import { recordingTracer } from "./support/tracer.ts"

const thrown = () => {
  throw new Error("thrown by an observer")
}

const withTracer =
  (span: Tracer.Tracer["span"]) =>
  <A, E, R>(self: Effect.Effect<A, E, R>) =>
    Effect.withTracer(self, Tracer.make({ span, context: (f) => f() }))

/** A tracer whose spans throw in one of their methods. */
const throwingIn = (method: "attribute" | "end") =>
  withTracer((...args) => Object.assign(recordingTracer().tracer.span(...args), { [method]: thrown }))

const observers = {
  "a tracer that throws": withTracer(thrown),
  "a span that throws at an attribute": throwingIn("attribute"),
  "a span that throws when it ends": throwingIn("end"),
  "a logger that throws": <A, E, R>(self: Effect.Effect<A, E, R>) =>
    self.pipe(
      Logger.withMinimumLogLevel(LogLevel.Debug),
      Effect.provide(Logger.replace(Logger.defaultLogger, Logger.make(thrown)))
    )
}

describe.each(Object.entries(observers))("%s", (_, observed) => {
  it.scoped("fails no update", () =>
    Effect.gen(function* () {
      const { server, update } = yield* FakeOAuth.setUp("1 hour")
      server.updateFaults.push(FakeOAuth.status(503))
      const retried = yield* Effect.fork(observed(update(activated).pipe(RetryPolicy.retry())))
      yield* TestClock.adjust("30 seconds")
      expect(yield* retried).toMatchObject({ status: "ACTIVATED" })
      expect(server.updates).toEqual(["access-canary-1 503", "access-canary-1 200"])
    })
  )

  it.scoped("fails no refresh: the new tokens are stored", () =>
    Effect.gen(function* () {
      const { server, shelf, update } = yield* FakeOAuth.setUp(0)
      expect(yield* observed(update(activated))).toMatchObject({ status: "ACTIVATED" })
      expect(shelf.history).toEqual(["Active", "Refreshing", "Active"])
      const other = yield* FakeOAuth.startProcess(server, shelf.store)
      expect(yield* other(activated)).toMatchObject({ status: "ACTIVATED" })
      expect(server.replayed).toEqual([])
    })
  )

  it.scoped("loses no tokens that cannot be stored at first", () =>
    Effect.gen(function* () {
      const { server, shelf, update } = yield* FakeOAuth.setUp(0)
      server.tokenFaults.push((answer) =>
        Effect.sync(() => {
          shelf.isReadOnly = true
          return answer()
        })
      )
      const first = yield* Effect.fork(observed(update(activated)))
      yield* TestClock.adjust("20 seconds")
      expect(yield* first).toMatchObject({ status: "ACTIVATED" })
      shelf.isReadOnly = false
      yield* TestClock.adjust("5 seconds")
      expect(shelf.only._tag).toBe("Active")
      expect(server.replayed).toEqual([])
    })
  )
})
