import * as HttpClient from "@effect/platform/HttpClient"
import { type HttpClientError, RequestError } from "@effect/platform/HttpClientError"
import type { HttpClientRequest } from "@effect/platform/HttpClientRequest"
import { describe, expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as TestClock from "effect/TestClock"
import * as Credentials from "../src/Credentials.ts"
import * as InstallationClient from "../src/InstallationClient.ts"
import { Infrastructure, type InstallationError } from "../src/InstallationError.ts"
import { type Call, Updates } from "../src/internal/call/client.ts"
import { Scope, withCallContext } from "../src/internal/call/scope.ts"
import { updateInstallation } from "../src/internal/contract/operations.ts"
import { noop } from "../src/internal/telemetry/observer.ts"
import * as RetryPolicy from "../src/RetryPolicy.ts"
import { answering, authorizationOf, bearer, bodyOf, installation } from "./support/http.ts"
import { privateSize } from "./support/inspect.ts"

type Reply = Effect.Effect<Response, HttpClientError>

const ok: Reply = Effect.sync(() => installation())

const status = (code: number, headers: Record<string, string> = {}): Reply =>
  Effect.sync(() => new Response(null, { status: code, headers }))

const nameOf = (request: HttpClientRequest): string => JSON.parse(bodyOf(request)).metadata.name

/** One client over a server that answers each update by its name: the first time with the first reply. */
const serving = (replies: Readonly<Record<string, ReadonlyArray<Reply>>> = {}) =>
  Effect.gen(function* () {
    const left = new Map(Object.entries(replies).map(([name, list]) => [name, [...list]]))
    const { client, requests } = answering((request) => left.get(nameOf(request))?.shift() ?? ok)
    const service = yield* InstallationClient.make({ credentials: bearer("token") }).pipe(
      Effect.provideService(HttpClient.HttpClient, client)
    )
    const update = (name: string) => service.update({ status: "ACTIVATED", metadata: { name } })
    const retried = (name: string, options?: RetryPolicy.Options) =>
      update(name).pipe(RetryPolicy.retry(options))
    return { requests, retried, sent: () => requests.map(nameOf), service, update }
  })

/** How an update ended: with success, with the reason or the tag of its error, or not by itself. */
const outcome = <A, E extends { readonly _tag: string }>(self: Effect.Effect<A, E>): Effect.Effect<string> =>
  Effect.match(self, {
    onFailure: (error) => ("reason" in error ? String(error.reason) : error._tag),
    onSuccess: () => "success"
  })

/** Lets everything run that waits for no time to pass. */
const settle = TestClock.adjust(0)

// Each wait is as long as it can be: 500 ms, then 1 s.
const longestWaits = Effect.withRandom(Random.fixed([0.999_999_999]))

describe("updates with one credential", () => {
  it.effect("are sent one at a time, in the order of their calls", () =>
    Effect.gen(function* () {
      const names = Array.from({ length: 20 }, (_, index) => `u${index}`)
      let underWay = 0
      let most = 0
      const slow = Effect.acquireUseRelease(
        Effect.sync(() => {
          most = Math.max(most, ++underWay)
        }),
        () => Effect.zipRight(Effect.sleep("1 second"), ok),
        () => Effect.sync(() => underWay--)
      )
      const { sent, update } = yield* serving(Object.fromEntries(names.map((name) => [name, [slow]])))
      const fiber = yield* Effect.fork(
        Effect.forEach(names, (name) => outcome(update(name)), { concurrency: "unbounded" })
      )
      yield* settle
      expect(sent()).toEqual(["u0"])
      yield* TestClock.adjust("10 seconds")
      expect(sent()).toEqual(names.slice(0, 11))
      yield* TestClock.adjust("10 seconds")
      expect(yield* Fiber.join(fiber)).toEqual(names.map(() => "success"))
      expect(sent()).toEqual(names)
      expect(most).toBe(1)
    })
  )

  it.effect("keep the order of their calls when only one of them has a timeout", () =>
    Effect.gen(function* () {
      const { retried, sent, update } = yield* serving()
      const older = yield* Effect.fork(retried("older"))
      const newer = yield* Effect.fork(update("newer"))
      yield* Fiber.joinAll([older, newer])
      expect(sent()).toEqual(["older", "newer"])
    })
  )

  it.effect("go on when the fiber of an earlier one is lost, once its deadline has passed", () =>
    Effect.gen(function* () {
      const { sent, update } = yield* serving({ lost: [Effect.never] })
      // Its timers never fire, as those of a canceled request of a worker.
      const clock: Clock.Clock = Object.create(yield* Effect.clock, { sleep: { value: () => Effect.never } })
      yield* Effect.fork(update("lost").pipe(RetryPolicy.timeout("1 second"), Effect.withClock(clock)))
      yield* settle
      const waiting = yield* Effect.fork(outcome(update("waiting").pipe(RetryPolicy.timeout("5 seconds"))))
      const next = yield* Effect.fork(outcome(update("next")))
      yield* TestClock.adjust("5 seconds")
      expect(yield* Fiber.join(waiting)).toBe("Timeout")
      expect(yield* Fiber.join(next)).toBe("success")
      expect(sent()).toEqual(["lost", "next"])
    })
  )

  it.effect("do not wait for updates with another credential", () =>
    Effect.gen(function* () {
      const { requests, sent, update } = yield* serving({ stuck: [Effect.never] })
      const stuck = yield* Effect.fork(update("stuck"))
      yield* settle
      const others = ["b", "c", "d"]
      const ended = yield* Effect.forEach(others, (name) =>
        outcome(update(name)).pipe(Credentials.use(Effect.orDie(bearer(name))))
      )
      expect(ended).toEqual(["success", "success", "success"])
      expect(requests.map(authorizationOf)).toEqual([
        "Bearer token",
        ...others.map((name) => `Bearer ${name}`)
      ])

      const behind = yield* Effect.fork(update("behind"))
      yield* TestClock.adjust("1 hour")
      expect(sent()).toEqual(["stuck", ...others])
      yield* Fiber.interruptAll([stuck, behind])
    })
  )

  it.effect("do not wait for those of another client", () =>
    Effect.gen(function* () {
      const one = yield* serving({ stuck: [Effect.never] })
      const other = yield* serving()
      const stuck = yield* Effect.fork(one.update("stuck"))
      yield* settle
      expect(yield* outcome(other.update("free"))).toBe("success")
      yield* Fiber.interrupt(stuck)
    })
  )

  it.effect("go on after each way in which one of them can end", () =>
    Effect.gen(function* () {
      const { sent, update } = yield* serving({
        refused: [status(400)],
        failed: [status(500)],
        broken: [Effect.die("defect")],
        stuck: [Effect.never]
      })
      expect(yield* outcome(update("refused"))).toBe("BadRequest")
      expect(yield* outcome(update("failed"))).toBe("ServerError")
      expect(Exit.isFailure(yield* Effect.exit(update("broken")))).toBe(true)
      const stuck = yield* Effect.fork(update("stuck"))
      yield* settle
      yield* Fiber.interrupt(stuck)
      expect(yield* outcome(update("last"))).toBe("success")
      expect(sent()).toEqual(["refused", "failed", "broken", "stuck", "last"])
    })
  )

  it.effect("an interrupted one that waits leaves the queue, is never sent, and lets the next one go", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { sent, update } = yield* serving({ first: [Effect.zipRight(Deferred.await(gate), ok)] })
      const [first, second, third] = yield* Effect.forEach(["first", "second", "third"], (name) =>
        Effect.zipLeft(Effect.fork(outcome(update(name))), settle)
      )
      yield* Fiber.interrupt(second as Fiber.Fiber<string>)
      expect(sent()).toEqual(["first"])
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(first as Fiber.Fiber<string>)).toBe("success")
      expect(yield* Fiber.join(third as Fiber.Fiber<string>)).toBe("success")
      expect(sent()).toEqual(["first", "third"])
    })
  )

  it.effect("one that waits goes before one that its predecessor's caller makes next", () =>
    Effect.gen(function* () {
      const { sent, update } = yield* serving({ first: [Effect.zipRight(Effect.sleep("1 second"), ok)] })
      const one = yield* Effect.fork(outcome(Effect.zip(update("first"), update("third"))))
      yield* settle
      const other = yield* Effect.fork(outcome(update("second")))
      yield* TestClock.adjust("1 second")
      expect([yield* Fiber.join(one), yield* Fiber.join(other)]).toEqual(["success", "success"])
      expect(sent()).toEqual(["first", "second", "third"])
    })
  )

  it.effect("an interrupted one that is under way lets the next one go", () =>
    Effect.gen(function* () {
      const { sent, update } = yield* serving({ first: [Effect.never] })
      const first = yield* Effect.fork(update("first"))
      yield* settle
      const second = yield* Effect.fork(outcome(update("second")))
      yield* settle
      expect(sent()).toEqual(["first"])
      yield* Fiber.interrupt(first)
      expect(yield* Fiber.join(second)).toBe("success")
      expect(sent()).toEqual(["first", "second"])
    })
  )
})

describe("a retry", () => {
  /** `old` fails at first and waits for 500 ms; `newer` comes meanwhile and is answered like this. */
  const overtakenBy = (replies: ReadonlyArray<Reply>, newer: "called" | "timed out" = "called") =>
    Effect.gen(function* () {
      const { retried, sent, update } = yield* serving({ old: [status(503)], newer: replies })
      const fiber = yield* Effect.fork(longestWaits(outcome(retried("old"))))
      yield* TestClock.adjust("100 millis")
      const other = yield* Effect.fork(
        outcome(
          newer === "called" ? update("newer") : update("newer").pipe(RetryPolicy.timeout("100 millis"))
        )
      )
      yield* TestClock.adjust("1 minute")
      return { newer: yield* Fiber.join(other), old: yield* Fiber.join(fiber), sent: sent() }
    })

  it.effect("that no other update came before is sent", () =>
    Effect.gen(function* () {
      const { retried, sent } = yield* serving({ only: [status(503), status(500)] })
      const fiber = yield* Effect.fork(outcome(retried("only")))
      yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.join(fiber)).toBe("success")
      expect(sent()).toEqual(["only", "only", "only"])
    })
  )

  it.effect("that a newer successful update came before ends with Superseded, and sends nothing", () =>
    Effect.gen(function* () {
      expect(yield* overtakenBy([ok])).toEqual({
        newer: "success",
        old: "Superseded",
        sent: ["old", "newer"]
      })
    })
  )

  it.effect("that is given up is not tried again, though it may have been applied", () =>
    Effect.gen(function* () {
      const { retried, sent, update } = yield* serving({ old: [status(503)] })
      const fiber = yield* Effect.fork(longestWaits(Effect.flip(retried("old", { attempts: 10 }))))
      yield* TestClock.adjust("100 millis")
      yield* update("newer")
      yield* TestClock.adjust("400 millis")
      const error = yield* Fiber.join(fiber)
      expect(error.toJSON()).toMatchObject({
        _tag: "Infrastructure",
        reason: "Superseded",
        isRetryable: false,
        mayHaveBeenApplied: true
      })
      expect(error.status).toBeUndefined()
      expect(sent()).toEqual(["old", "newer"])
    })
  )

  it.effect.each([
    { name: "a 500", reply: status(500), reason: "ServerError" },
    { name: "a 501", reply: status(501), reason: "ServerError" },
    { name: "a 303", reply: status(303), reason: "Redirect" },
    {
      name: "a response that is no installation",
      reply: Effect.sync(() => new Response("OK")),
      reason: "InvalidResponse"
    },
    { name: "a defect", reply: Effect.die("defect"), reason: "Die" }
  ])("is given up when the newer update may have been applied: $name", ({ reason, reply }) =>
    Effect.gen(function* () {
      const { retried, sent, update } = yield* serving({ old: [status(503)], newer: [reply] })
      const fiber = yield* Effect.fork(longestWaits(outcome(retried("old"))))
      yield* TestClock.adjust("100 millis")
      const newer = yield* update("newer").pipe(
        outcome,
        Effect.catchAllCause(({ _tag }) => Effect.succeed(_tag))
      )
      yield* TestClock.adjust("1 minute")
      expect([newer, yield* Fiber.join(fiber)]).toEqual([reason, "Superseded"])
      expect(sent()).toEqual(["old", "newer"])
    })
  )

  it.effect("is given up when the newer update was sent and then timed out", () =>
    Effect.gen(function* () {
      expect(yield* overtakenBy([Effect.never], "timed out")).toEqual({
        newer: "Timeout",
        old: "Superseded",
        sent: ["old", "newer"]
      })
    })
  )

  it.effect("is given up when the newer update was sent and then interrupted", () =>
    Effect.gen(function* () {
      const { retried, sent, update } = yield* serving({ old: [status(503)], newer: [Effect.never] })
      const old = yield* Effect.fork(longestWaits(outcome(retried("old"))))
      yield* TestClock.adjust("100 millis")
      const newer = yield* Effect.fork(update("newer"))
      yield* settle
      yield* Fiber.interrupt(newer)
      yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.join(old)).toBe("Superseded")
      expect(sent()).toEqual(["old", "newer"])
    })
  )

  it.effect.each([
    { code: 400, ended: "BadRequest" },
    { code: 401, ended: "Unauthenticated" },
    { code: 403, ended: "Forbidden" },
    { code: 404, ended: "BadRequest" },
    { code: 408, ended: "Timeout" },
    { code: 429, ended: "RateLimited" },
    { code: 307, ended: "Redirect" }
  ])("is sent when the newer update was refused with $code", ({ code, ended }) =>
    Effect.gen(function* () {
      expect(yield* overtakenBy([status(code)])).toEqual({
        newer: ended,
        old: "success",
        sent: ["old", "newer", "old"]
      })
    })
  )

  it.effect("is sent when the newer update never reached the server", () =>
    Effect.gen(function* () {
      const { client, requests } = answering((request) =>
        nameOf(request) === "newer"
          ? Effect.fail(
              new RequestError({
                request,
                reason: "Transport",
                cause: Object.assign(new Error("failed"), { code: "ECONNREFUSED" })
              })
            )
          : requests.length === 1
            ? new Response(null, { status: 503 })
            : installation()
      )
      const { update } = yield* InstallationClient.make({ credentials: bearer("token") }).pipe(
        Effect.provideService(HttpClient.HttpClient, client)
      )
      const old = yield* update({ status: "ACTIVATED", metadata: { name: "old" } }).pipe(
        RetryPolicy.retry(),
        outcome,
        longestWaits,
        Effect.fork
      )
      yield* TestClock.adjust("100 millis")
      expect(yield* outcome(update({ status: "INACTIVE", metadata: { name: "newer" } }))).toBe("Transport")
      yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.join(old)).toBe("success")
      expect(requests.map(nameOf)).toEqual(["old", "newer", "old"])
    })
  )

  it.effect("is sent when the newer update was refused before it was sent", () =>
    Effect.gen(function* () {
      const { retried, sent, service } = yield* serving({ old: [status(503)] })
      const old = yield* Effect.fork(longestWaits(outcome(retried("old"))))
      yield* TestClock.adjust("100 millis")
      expect(yield* outcome(service.update({ status: "SUSPENDED" } as never))).toBe("BadRequest")
      yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.join(old)).toBe("success")
      expect(sent()).toEqual(["old", "old"])
    })
  )

  it.effect("is sent when the newer update has another credential", () =>
    Effect.gen(function* () {
      const { retried, sent, update } = yield* serving({ old: [status(503)] })
      const old = yield* Effect.fork(longestWaits(outcome(retried("old"))))
      yield* TestClock.adjust("100 millis")
      yield* update("newer").pipe(Credentials.use(bearer("another")))
      yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.join(old)).toBe("success")
      expect(sent()).toEqual(["old", "newer", "old"])
    })
  )

  it.effect("is sent when the newer update was interrupted before its turn", () =>
    Effect.gen(function* () {
      const { retried, sent, update } = yield* serving({
        old: [Effect.zipRight(Effect.sleep("1 second"), status(503))]
      })
      const old = yield* Effect.fork(outcome(retried("old")))
      yield* settle
      const newer = yield* Effect.fork(update("newer"))
      yield* settle
      yield* Fiber.interrupt(newer)
      yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.join(old)).toBe("success")
      expect(sent()).toEqual(["old", "old"])
    })
  )

  it.effect("is sent when the newer update was interrupted at the very moment of its turn", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { sent, update } = yield* serving({ older: [Effect.zipRight(Deferred.await(gate), status(503))] })
      const newer = yield* Deferred.make<Fiber.Fiber<unknown, unknown>>()
      const interruptNewer = Effect.flatMap(Deferred.await(newer), Fiber.interrupt)
      const older = yield* update("older").pipe(
        Effect.tapError(() => interruptNewer),
        RetryPolicy.retry(),
        outcome,
        Effect.fork
      )
      yield* settle
      yield* Deferred.succeed(newer, yield* Effect.fork(update("newer")))
      yield* settle
      yield* Deferred.succeed(gate, undefined)
      yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.join(older)).toBe("success")
      expect(sent()).toEqual(["older", "older"])
    })
  )

  it.effect("waits for a newer update under way, and is sent once that was refused", () =>
    Effect.gen(function* () {
      const { retried, sent, update } = yield* serving({
        old: [status(503)],
        newer: [Effect.zipRight(Effect.sleep("5 seconds"), status(400))]
      })
      const old = yield* Effect.fork(longestWaits(outcome(retried("old"))))
      yield* TestClock.adjust("100 millis")
      const newer = yield* Effect.fork(outcome(update("newer")))
      yield* TestClock.adjust("4 seconds")
      expect(sent()).toEqual(["old", "newer"])
      yield* TestClock.adjust("2 seconds")
      expect([yield* Fiber.join(newer), yield* Fiber.join(old)]).toEqual(["BadRequest", "success"])
      expect(sent()).toEqual(["old", "newer", "old"])
    })
  )

  it.effect("of a newer update supersedes that of an older one", () =>
    Effect.gen(function* () {
      const { retried, sent } = yield* serving({ a: [status(503), status(503)], b: [status(429)] })
      const a = yield* Effect.fork(longestWaits(outcome(retried("a", { baseDelay: "2 seconds" }))))
      yield* settle
      const b = yield* Effect.fork(longestWaits(outcome(retried("b"))))
      yield* TestClock.adjust("1 minute")
      expect([yield* Fiber.join(a), yield* Fiber.join(b)]).toEqual(["Superseded", "success"])
      expect(sent()).toEqual(["a", "b", "b"])
    })
  )

  it.effect("of an attempt that has timed out but takes long to end is given up like any other", () =>
    Effect.gen(function* () {
      const { retried, sent, update } = yield* serving({
        old: [Effect.onInterrupt(Effect.never, () => Effect.sleep("2 seconds"))]
      })
      const old = yield* Effect.fork(longestWaits(outcome(retried("old", { attemptTimeout: "1 second" }))))
      yield* TestClock.adjust("1200 millis")
      const newer = yield* Effect.fork(outcome(update("newer")))
      yield* TestClock.adjust("1 minute")
      expect([yield* Fiber.join(old), yield* Fiber.join(newer)]).toEqual(["Superseded", "success"])
      expect(sent()).toEqual(["old", "newer"])
    })
  )

  it.effect("that the caller wrote by hand, with Effect.retry, works but is a new update each time", () =>
    Effect.gen(function* () {
      const { sent, update } = yield* serving({ old: [status(503), status(503)] })
      const old = yield* update("old").pipe(
        Effect.retry(RetryPolicy.schedule()),
        outcome,
        longestWaits,
        Effect.fork
      )
      yield* TestClock.adjust("100 millis")
      yield* update("newer")
      yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.join(old)).toBe("success")
      expect(sent()).toEqual(["old", "newer", "old", "old"])
    })
  )
})

describe("inside one RetryPolicy.retry", () => {
  it.effect("two different updates one after the other both go out", () =>
    Effect.gen(function* () {
      const { sent, update } = yield* serving()
      const both = Effect.zip(update("first"), update("second"))
      expect(yield* outcome(both.pipe(RetryPolicy.retry()))).toBe("success")
      expect(sent()).toEqual(["first", "second"])
    })
  )

  it.effect("an update that failed is sent again after those before it, as the program has it", () =>
    Effect.gen(function* () {
      const { sent, update } = yield* serving({ second: [status(503)] })
      const both = Effect.zip(update("first"), update("second"))
      const fiber = yield* Effect.fork(outcome(both.pipe(RetryPolicy.retry())))
      yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.join(fiber)).toBe("success")
      expect(sent()).toEqual(["first", "second", "first", "second"])
    })
  )

  it.effect("a request that outlives it, being uninterruptible, still holds its turn", () =>
    Effect.gen(function* () {
      const { sent, update } = yield* serving({
        old: [Effect.uninterruptible(Effect.zipRight(Effect.sleep("1 minute"), ok))]
      })
      const old = update("old").pipe(RetryPolicy.retry({ attempts: 1, attemptTimeout: "1 second" }))
      const fiber = yield* Effect.fork(outcome(old))
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(fiber)).toBe("Timeout")
      const newer = yield* Effect.fork(outcome(update("newer")))
      yield* settle
      expect(sent()).toEqual(["old"])
      yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.join(newer)).toBe("success")
      expect(sent()).toEqual(["old", "newer"])
    })
  )

  it.effect("a retry inside of another one is still given up when a newer update came before", () =>
    Effect.gen(function* () {
      const { retried, sent, update } = yield* serving({ old: [status(503), status(503)] })
      const nested = retried("old", { attempts: 2 }).pipe(RetryPolicy.retry({ attempts: 2 }))
      const fiber = yield* Effect.fork(longestWaits(outcome(nested)))
      yield* TestClock.adjust("600 millis")
      expect(sent()).toEqual(["old", "old"])
      yield* update("newer")
      yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.join(fiber)).toBe("Superseded")
      expect(sent()).toEqual(["old", "old", "newer"])
    })
  )

  it.effect("the same update twice in a row goes out twice", () =>
    Effect.gen(function* () {
      const { sent, update } = yield* serving()
      yield* Effect.repeatN(update("same"), 1).pipe(RetryPolicy.retry())
      expect(sent()).toEqual(["same", "same"])
    })
  )

  it.effect("the same update goes out again although another came between", () =>
    Effect.gen(function* () {
      const { sent, update } = yield* serving()
      const all = Effect.forEach(["on", "off", "on"], update)
      expect(yield* outcome(all.pipe(RetryPolicy.retry()))).toBe("success")
      expect(sent()).toEqual(["on", "off", "on"])
    })
  )

  it.effect("updates with different credentials both go out, and are both tried again", () =>
    Effect.gen(function* () {
      const { requests, update } = yield* serving({ same: [status(503), ok, status(503)] })
      const both = Effect.zip(update("same"), update("same").pipe(Credentials.use(bearer("other"))))
      const fiber = yield* Effect.fork(outcome(both.pipe(RetryPolicy.retry())))
      yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.join(fiber)).toBe("success")
      expect(requests.map(authorizationOf)).toEqual([
        "Bearer token",
        "Bearer token",
        "Bearer other",
        "Bearer token",
        "Bearer other"
      ])
    })
  )
})

describe("inside one RetryPolicy.retry, several updates of one installation are new in each attempt", () => {
  it.effect("two at once, of which the older was sent before: the newer is not taken for overtaken", () =>
    Effect.gen(function* () {
      const { sent, update } = yield* serving({ a: [status(503)] })
      // Their exits, since the failure of the one would interrupt the other.
      const exits = Effect.all([Effect.exit(update("a")), Effect.exit(update("b"))], { concurrency: 2 })
      const both = Effect.flatMap(exits, ([a, b]) => Effect.zipRight(a, b))
      const fiber = yield* Effect.fork(outcome(both.pipe(RetryPolicy.retry())))
      yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.join(fiber)).toBe("success")
      expect(sent()).toEqual(["a", "b", "a", "b"])
    })
  )

  it.effect("the last wish is sent, although the same was tried before", () =>
    Effect.gen(function* () {
      const { sent, update } = yield* serving({ on: [status(503)], off: [ok] })
      const all = Effect.zipRight(
        Effect.zipRight(Effect.ignore(update("on")), Effect.ignore(update("off"))),
        update("on")
      )
      expect(yield* outcome(all.pipe(RetryPolicy.retry()))).toBe("success")
      expect(sent()).toEqual(["on", "off", "on"])
    })
  )

  it.effect("an update that was given up for another is not continued by it", () =>
    Effect.gen(function* () {
      const { sent, update } = yield* serving({ a: [status(503), status(503)], b: [status(503)] })
      const either = Effect.orElse(update("a"), () => update("b"))
      const fiber = yield* Effect.fork(longestWaits(outcome(either.pipe(RetryPolicy.retry()))))
      yield* TestClock.adjust("100 millis")
      yield* update("newer")
      yield* TestClock.adjust("1 minute")
      // The updates after the wait are new, and so the last word.
      expect(yield* Fiber.join(fiber)).toBe("success")
      expect(sent()).toEqual(["a", "b", "newer", "a", "b"])
    })
  )

  it.effect("a client that stands in for another has an order of its own", () =>
    Effect.gen(function* () {
      const a = yield* serving({ same: [status(503), status(503)] })
      const b = yield* serving({ same: [status(503)] })
      const either = Effect.orElse(a.update("same"), () => b.update("same"))
      const fiber = yield* Effect.fork(longestWaits(outcome(either.pipe(RetryPolicy.retry()))))
      yield* TestClock.adjust("100 millis")
      yield* a.update("newer on a")
      yield* TestClock.adjust("1 minute")
      // On a, it came too late. On b, nothing is newer.
      expect(yield* Fiber.join(fiber)).toBe("success")
      expect([a.sent(), b.sent()]).toEqual([
        ["same", "newer on a"],
        ["same", "same"]
      ])
    })
  )

  it.effect("each of two policies inside of it keeps the update that it is around", () =>
    Effect.gen(function* () {
      const { retried, sent, update } = yield* serving({ b: [status(503)] })
      const both = Effect.zip(retried("a"), retried("b"))
      const fiber = yield* Effect.fork(longestWaits(outcome(both.pipe(RetryPolicy.retry({ attempts: 1 })))))
      yield* TestClock.adjust("100 millis")
      yield* update("newer")
      yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.join(fiber)).toBe("Superseded")
      expect(sent()).toEqual(["a", "b", "newer"])
    })
  )

  it.effect("an update that follows a success of the attempt before is new", () =>
    Effect.gen(function* () {
      const { sent, update } = yield* serving()
      let attempts = 0
      const self = Effect.zipRight(
        update("a"),
        Effect.suspend(() =>
          ++attempts === 1 ? Effect.fail(new Infrastructure({ reason: "Timeout" })) : Effect.void
        )
      )
      const fiber = yield* Effect.fork(longestWaits(outcome(self.pipe(RetryPolicy.retry()))))
      yield* TestClock.adjust("100 millis")
      yield* update("newer")
      yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.join(fiber)).toBe("success")
      expect(sent()).toEqual(["a", "newer", "a"])
    })
  )
})

describe("a timeout while something is waited for", () => {
  it.effect("says that the update waited for its turn, and was not applied", () =>
    Effect.gen(function* () {
      const { sent, update } = yield* serving({ stuck: [Effect.never] })
      const stuck = yield* Effect.fork(update("stuck"))
      yield* settle
      const fiber = yield* update("late").pipe(RetryPolicy.timeout("1 second"), Effect.flip, Effect.fork)
      yield* TestClock.adjust("1 second")
      const error = yield* Fiber.join(fiber)
      expect(error).toMatchObject({ reason: "Timeout", phase: "Queue", mayHaveBeenApplied: false })
      expect(error.message).toContain("waiting for its turn")
      yield* Fiber.interrupt(stuck)
      expect(sent()).toEqual(["stuck"])
    })
  )

  it.effect("sends nothing when the time is up before the update begins", () =>
    Effect.gen(function* () {
      const { sent, update } = yield* serving()
      const late = Effect.zipRight(Effect.sleep("2 seconds"), update("late"))
      const fiber = yield* late.pipe(RetryPolicy.timeout("1 second"), Effect.flip, Effect.fork)
      yield* TestClock.adjust("2 seconds")
      expect(yield* Fiber.join(fiber)).toMatchObject({ reason: "Timeout", mayHaveBeenApplied: false })
      expect(sent()).toEqual([])
    })
  )
})

describe("the memory of a client", () => {
  const failed = new Infrastructure({ reason: "ServerError", status: 500 })

  const inTurn =
    <A>(request: Effect.Effect<A, Infrastructure>) =>
    (call: Call) =>
      call.sending(request)

  const observed = () => {
    let begun = 0
    const updates = new Updates()
    const observe = () => {
      begun += 1
      return noop
    }
    const attempt = <A>(
      installation: string,
      scope: Scope | undefined,
      send: (call: Call) => Effect.Effect<A, InstallationError>
    ) =>
      withCallContext((context) =>
        updates.attempt({ ...context, scope }, installation, updateInstallation, false, observe, send)
      )
    return { queues: () => privateSize(updates, "#ordered"), attempt, begun: () => begun }
  }

  const openScope = () => {
    const scope = new Scope(undefined, Number.POSITIVE_INFINITY, false)
    scope.beginAttempt(Number.POSITIVE_INFINITY)
    return scope
  }

  it.effect("is something while an update is under way, and nothing once it has ended", () =>
    Effect.gen(function* () {
      const { attempt, begun, queues } = observed()
      const fiber = yield* Effect.fork(attempt("a", undefined, inTurn(Effect.never)))
      yield* settle
      expect([queues(), begun()]).toEqual([1, 1])
      yield* Fiber.interrupt(fiber)
      expect([queues(), begun()]).toEqual([0, 1])
    })
  )

  it.effect.each<{ readonly name: string; readonly request: Effect.Effect<string, Infrastructure> }>([
    { name: "a success", request: Effect.succeed("done") },
    { name: "a failure", request: Effect.fail(failed) },
    { name: "a defect", request: Effect.die("defect") },
    { name: "an interruption", request: Effect.interrupt }
  ])("is nothing after $name, nor once its scope has ended", ({ request }) =>
    Effect.gen(function* () {
      const { attempt, queues } = observed()
      yield* Effect.exit(attempt("a", undefined, inTurn(request)))
      expect(queues()).toBe(0)

      const scope = openScope()
      yield* Effect.exit(attempt("a", scope, inTurn(request)))
      expect(queues()).toBe(1)
      scope.close(Exit.void)
      expect(queues()).toBe(0)
    })
  )

  it.effect("is nothing after updates that were interrupted while they waited", () =>
    Effect.gen(function* () {
      const { attempt, queues } = observed()
      const first = yield* Effect.fork(attempt("a", undefined, inTurn(Effect.never)))
      yield* settle
      const waiting = yield* Effect.forEach(Array.from({ length: 100 }), () =>
        Effect.fork(attempt("a", undefined, inTurn(Effect.void)))
      )
      yield* settle
      yield* Fiber.interruptAll(waiting)
      expect(queues()).toBe(1)
      yield* Fiber.interrupt(first)
      expect(queues()).toBe(0)
    })
  )

  it.effect("is nothing after a retry that was given up", () =>
    Effect.gen(function* () {
      const { attempt, begun, queues } = observed()
      const scope = openScope()
      yield* Effect.exit(attempt("a", scope, inTurn(Effect.fail(failed))))
      yield* attempt("a", undefined, inTurn(Effect.void))
      scope.beginAttempt(Number.POSITIVE_INFINITY)
      expect(yield* Effect.flip(attempt("a", scope, inTurn(Effect.never)))).toMatchObject({
        reason: "Superseded"
      })
      scope.close(Exit.void)
      expect([queues(), begun()]).toEqual([0, 2])
    })
  )

  it.effect("is nothing after a thousand customers, each of whom ended in some way", () =>
    Effect.gen(function* () {
      const { attempt, begun, queues } = observed()
      const requests = [Effect.void, Effect.fail(failed), Effect.die("defect"), Effect.never]
      const scopes = Array.from({ length: 1000 }, openScope)
      const fibers = yield* Effect.forEach(scopes, (scope, customer) =>
        Effect.fork(attempt(`${customer}`, scope, inTurn(requests[customer % 4] ?? Effect.void)))
      )
      yield* settle
      expect(queues()).toBe(1000)
      yield* Fiber.interruptAll(fibers)
      for (const scope of scopes) scope.close(Exit.void)
      expect([queues(), begun()]).toEqual([0, 1000])
    })
  )

  it.effect.each<{ readonly name: string; readonly request: Effect.Effect<string, Infrastructure> }>([
    { name: "a success", request: Effect.succeed("done") },
    { name: "a failure", request: Effect.fail(failed) }
  ])("is nothing after $name of an attempt that began, or ended, after its scope", ({ request }) =>
    Effect.gen(function* () {
      const { attempt, queues } = observed()
      const scope = openScope()
      const gate = yield* Deferred.make<void>()
      const fiber = yield* Effect.fork(
        attempt("a", scope, inTurn(Effect.zipRight(Deferred.await(gate), request)))
      )
      yield* settle
      scope.close(Exit.void)
      expect(queues()).toBe(1)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.await(fiber)
      expect(queues()).toBe(0)
    })
  )

  it.effect("is counted once: a retry is no new update", () =>
    Effect.gen(function* () {
      const { attempt, begun } = observed()
      const scope = openScope()
      for (const _ of [1, 2, 3, 4, 5]) {
        yield* Effect.exit(attempt("a", scope, inTurn(Effect.fail(failed))))
        scope.beginAttempt(Number.POSITIVE_INFINITY)
      }
      expect(begun()).toBe(1)
      yield* attempt("b", scope, inTurn(Effect.void))
      expect(begun()).toBe(2)
    })
  )

  it.effect("drains in a time that grows with the number of updates, and no faster", () =>
    Effect.gen(function* () {
      const { attempt } = observed()
      const drain = (count: number) =>
        Effect.gen(function* () {
          const gate = yield* Deferred.make<void>()
          const first = yield* Effect.fork(attempt("a", undefined, inTurn(Deferred.await(gate))))
          const others = yield* Effect.forEach(Array.from({ length: count }), () =>
            Effect.fork(attempt("a", undefined, inTurn(Effect.void)))
          )
          yield* settle
          const start = performance.now()
          yield* Deferred.succeed(gate, undefined)
          yield* Fiber.join(first)
          yield* Fiber.awaitAll(others)
          return (performance.now() - start) / count
        })
      yield* drain(2_000)
      const few = yield* drain(2_000)
      expect((yield* drain(40_000)) / few).toBeLessThan(5)
    })
  )
})

describe("in any interleaving", () => {
  type Answer =
    | "applied"
    | "applied, then 500"
    | "503"
    | "400"
    | "429"
    | "applied, no response"
    | "no response"

  interface Planned {
    readonly customer: string
    readonly calledAt: number
    readonly answers: ReadonlyArray<{ readonly answer: Answer; readonly after: number }>
    readonly interruptedAfter: number | undefined
  }

  const planned: FastCheck.Arbitrary<Planned> = FastCheck.record({
    customer: FastCheck.constantFrom("one", "two", "three"),
    calledAt: FastCheck.integer({ min: 0, max: 3000 }),
    answers: FastCheck.array(
      FastCheck.record({
        answer: FastCheck.constantFrom<Array<Answer>>(
          "applied",
          "applied, then 500",
          "503",
          "400",
          "429",
          "applied, no response",
          "no response"
        ),
        after: FastCheck.integer({ min: 0, max: 1500 })
      }),
      { minLength: 3, maxLength: 3 }
    ),
    interruptedAfter: FastCheck.option(FastCheck.integer({ min: 0, max: 3000 }), {
      nil: undefined,
      freq: 4
    })
  })

  interface Call {
    readonly update: number
    readonly order: number
    readonly customer: string
    readonly outcome: string
  }

  /** Runs all updates, each with retries, against a server that applies on receipt or not at all. */
  const run = (updates: ReadonlyArray<Planned>) =>
    Effect.gen(function* () {
      const calls: Array<Call> = []
      const received: Array<{
        readonly order: number
        readonly customer: string
        readonly applied: boolean
      }> = []
      const underWay = new Map<string, number>()
      let overlaps = 0
      const attempts = new Map<number, number>()

      const reply = (answer: Answer): Reply => {
        switch (answer) {
          case "applied":
            return ok
          case "applied, then 500":
            return status(500)
          case "503":
          case "400":
          case "429":
            return status(Number(answer))
          case "applied, no response":
          case "no response":
            return Effect.never
        }
      }
      const { client } = answering((request) => {
        const { update } = JSON.parse(bodyOf(request)).metadata
        const call = calls.find((call) => call.update === update)
        const count = attempts.get(update) ?? 0
        attempts.set(update, count + 1)
        const step = updates[update]?.answers[count]
        if (call === undefined || step === undefined) return Effect.die("an attempt too many")
        const { customer, order } = call
        received.push({ customer, order, applied: step.answer.startsWith("applied") })
        const others = underWay.get(customer) ?? 0
        if (others > 0) overlaps++
        underWay.set(customer, others + 1)
        return Effect.delay(reply(step.answer), step.after).pipe(
          Effect.ensuring(Effect.sync(() => underWay.set(customer, (underWay.get(customer) ?? 0) - 1)))
        )
      })
      const service = yield* InstallationClient.make({ credentials: bearer("token") }).pipe(
        Effect.provideService(HttpClient.HttpClient, client)
      )
      const fibers = yield* Effect.forEach(updates, ({ calledAt, customer, interruptedAfter }, update) =>
        Effect.gen(function* () {
          yield* Effect.sleep(calledAt)
          const call: Call = { update, order: calls.length, customer, outcome: "interrupted" }
          calls.push(call)
          const sending = service.update({ status: "ACTIVATED", metadata: { update } }).pipe(
            RetryPolicy.retry({ attemptTimeout: "2 seconds", budget: false }),
            Credentials.use(Effect.orDie(bearer(customer))),
            outcome,
            Effect.tap((outcome) => Effect.sync(() => Object.assign(call, { outcome })))
          )
          yield* interruptedAfter === undefined
            ? sending
            : Effect.timeoutOption(Effect.disconnect(sending), interruptedAfter)
        }).pipe(Effect.fork)
      )
      yield* TestClock.adjust("10 minutes")
      const settledAt = yield* Clock.currentTimeMillis
      for (const fiber of fibers) yield* Fiber.join(fiber)
      expect(yield* Clock.currentTimeMillis).toBe(settledAt)
      return { calls, overlaps, received }
    })

  const seeds = FastCheck.string()

  it.effect.prop(
    "an update is never applied after a newer one, so the newest applied one remains",
    [FastCheck.array(planned, { minLength: 2, maxLength: 12 }), seeds],
    ([updates, seed]) =>
      Effect.gen(function* () {
        const { overlaps, received } = yield* Effect.withRandom(run(updates), Random.make(seed))
        for (const customer of ["one", "two", "three"]) {
          const applied = received
            .filter((request) => request.applied && request.customer === customer)
            .map(({ order }) => order)
          expect(applied).toEqual([...applied].sort((a, b) => a - b))
          expect(applied.at(-1)).toBe(applied.length === 0 ? undefined : Math.max(...applied))
        }
        expect(overlaps).toBe(0)
      }),
    { fastCheck: { numRuns: 25 }, timeout: 30_000 }
  )

  it.effect("the interleavings looked at have retries, failures, supersessions and timeouts in them", () =>
    Effect.gen(function* () {
      const samples = FastCheck.sample(FastCheck.array(planned, { minLength: 8, maxLength: 12 }), {
        numRuns: 8,
        seed: 1
      })
      const seen = yield* Effect.withRandom(Effect.forEach(samples, run), Random.make("seed"))
      const outcomes = new Set(seen.flatMap(({ calls }) => calls.map(({ outcome }) => outcome)))
      for (const expected of [
        "success",
        "Superseded",
        "Timeout",
        "ServerError",
        "BadRequest",
        "interrupted"
      ]) {
        expect(outcomes).toContain(expected)
      }
      expect(seen.some(({ calls, received }) => received.length > calls.length)).toBe(true)
    })
  )
})

describe("an update forked inside a policy", () => {
  it.effect("is given up too when a newer update came before, though the policy has ended", () =>
    Effect.gen(function* () {
      const { retried, sent, update } = yield* serving({ old: [status(503)] })
      const fiber = yield* Effect.zipRight(
        update("first"),
        Effect.forkDaemon(longestWaits(outcome(retried("old"))))
      ).pipe(RetryPolicy.retry())
      yield* TestClock.adjust("100 millis")
      yield* update("newer")
      yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.join(fiber)).toBe("Superseded")
      expect(sent()).toEqual(["first", "old", "newer"])
    })
  )
})
