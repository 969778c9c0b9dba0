import * as HttpClient from "@effect/platform/HttpClient"
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as TestClock from "effect/TestClock"
import * as Credentials from "../src/Credentials.ts"
import * as InstallationClient from "../src/InstallationClient.ts"
import * as InstallationService from "../src/InstallationService.ts"
import { failedReports } from "../src/internal/telemetry/metrics.ts"
import * as Synchronization from "../src/Synchronization.ts"
import { lost, setUpService } from "./support/fakeOAuth.ts"
import { answering, authorizationOf, bearer, bodyOf, installation } from "./support/http.ts"

interface State {
  readonly status: string
  readonly errorCode?: string
  readonly metadata?: object
}

/** A server of one installation for each credential, which may be down. */
const serving = (initial: State = { status: "INACTIVE" }) => {
  const installations = new Map<string | undefined, State>()
  const told: Array<State> = []
  const server = { isDown: false, isUnreadable: false, told, logs: [] as Array<string> }
  const { client, requests } = answering((request) => {
    if (server.isDown || (server.isUnreadable && request.method === "GET"))
      return new Response(null, { status: 500 })
    const owner = authorizationOf(request)
    if (request.method === "PUT") {
      const state: State = JSON.parse(bodyOf(request))
      installations.set(owner, { metadata: installations.get(owner)?.metadata ?? {}, ...state })
      told.push(state)
    }
    return installation({ errorCode: undefined, metadata: {}, ...(installations.get(owner) ?? initial) })
  })
  const live = InstallationClient.layer({ credentials: bearer("token") }).pipe(
    Layer.provide(Layer.succeed(HttpClient.HttpClient, client)),
    Layer.merge(
      Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ message }) => {
          server.logs.push(String(message))
        })
      )
    )
  )
  return { server, requests, live, statuses: () => told.map(({ status }) => status) }
}

/** The exit of an effect, after any time. */
const exitOf = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(self)
    yield* TestClock.adjust("5 minutes")
    return yield* Fiber.await(fiber)
  })

const failed = Metric.value(failedReports)

describe("a synchronization", () => {
  it.effect("is pending while it runs, and activated when it succeeds", () => {
    const { live, server, statuses } = serving()
    return Effect.gen(function* () {
      const done = yield* Deferred.make<number>()
      const fiber = yield* Effect.fork(Deferred.await(done).pipe(Synchronization.report()))
      yield* TestClock.adjust(0)
      expect(statuses()).toEqual(["PENDING_INTEGRATION"])
      yield* Deferred.succeed(done, 7)
      expect(yield* Fiber.join(fiber)).toBe(7)
      expect(server.told).toEqual([{ status: "PENDING_INTEGRATION" }, { status: "ACTIVATED" }])
    }).pipe(Effect.provide(live))
  })

  const ends: ReadonlyArray<readonly [string, Effect.Effect<never, string>, State]> = [
    ["a failure", Effect.fail("no"), { status: "ERROR" }],
    ["a defect", Effect.die("a defect"), { status: "ERROR" }],
    ["an interruption", Effect.interrupt, { status: "INACTIVE" }],
    ["several causes", Effect.ensuring(Effect.fail("no"), Effect.die("a defect")), { status: "ERROR" }]
  ]

  it.effect.each(ends)("tells the end by %s, and keeps its cause", ([, self, end]) => {
    const { live, server } = serving()
    return Effect.gen(function* () {
      const exit = yield* exitOf(Synchronization.report(self))
      const cause = Exit.isFailure(exit) ? exit.cause : Cause.empty
      const own = yield* Effect.exit(self)
      expect(Cause.squash(cause)).toEqual(Exit.isFailure(own) && Cause.squash(own.cause))
      expect(server.told).toEqual([{ status: "PENDING_INTEGRATION" }, end])
    }).pipe(Effect.provide(live))
  })

  it.effect("has the code and the metadata that a function of the cause chooses", () => {
    const { live, server } = serving()
    return Effect.gen(function* () {
      yield* Effect.fail("denied").pipe(
        Synchronization.report({
          onFailure: (cause) =>
            Cause.failures(cause)
              .pipe((it) => [...it])
              .includes("denied")
              ? "AUTH_ERROR"
              : undefined,
          metadata: { pending: { step: 1 }, failure: (cause) => ({ why: Cause.squash(cause) as string }) }
        }),
        Effect.exit
      )
      yield* Effect.succeed(3).pipe(Synchronization.report({ metadata: { success: (count) => ({ count }) } }))
      expect(server.told).toEqual([
        { status: "PENDING_INTEGRATION", metadata: { step: 1 } },
        { status: "ERROR", errorCode: "AUTH_ERROR", metadata: { why: "denied" } },
        { status: "PENDING_INTEGRATION" },
        { status: "ACTIVATED", metadata: { count: 3 } }
      ])
    }).pipe(Effect.provide(live))
  })

  it.effect("restores the status before, with its error code", () => {
    const { live, server } = serving({ status: "ERROR", errorCode: "NOT_ENTITLED" })
    return Effect.gen(function* () {
      yield* Effect.fail("no").pipe(Synchronization.report({ onFailure: () => "previous" }), Effect.exit)
      expect(server.told.at(-1)).toEqual({ status: "ERROR", errorCode: "NOT_ENTITLED" })
    }).pipe(Effect.provide(live))
  })

  it.effect.each([{ status: "PENDING_INTEGRATION" }, { status: "PAUSED" }])(
    "is in error if the status before cannot be restored: %j",
    (initial) => {
      const { live, server } = serving(initial)
      return Effect.gen(function* () {
        yield* exitOf(Synchronization.report(Effect.interrupt))
        expect(server.told.at(-1)).toEqual({ status: "ERROR" })
      }).pipe(Effect.provide(live))
    }
  )

  it.effect("is in error if the status before could not be read", () => {
    const { live, server, statuses } = serving()
    server.isUnreadable = true
    return Effect.gen(function* () {
      yield* exitOf(Synchronization.report(Effect.interrupt))
      expect(statuses()).toEqual(["PENDING_INTEGRATION", "ERROR"])
    }).pipe(Effect.provide(live))
  })

  it.effect("keeps its result although no report arrives, which is logged and counted", () => {
    const { live, server, statuses } = serving()
    server.isDown = true
    return Effect.gen(function* () {
      const { count } = yield* failed
      expect(yield* exitOf(Synchronization.report(Effect.succeed(1)))).toEqual(Exit.succeed(1))
      expect(yield* exitOf(Synchronization.report(Effect.fail("no")))).toEqual(Exit.fail("no"))
      expect(statuses()).toEqual([])
      expect((yield* failed).count - count).toBe(4)
      expect(server.logs).toHaveLength(4)
    }).pipe(Effect.provide(live))
  })

  it.scoped("keeps its failure for a customer who has to connect again, which is logged and counted", () =>
    Effect.gen(function* () {
      const { server, service } = yield* setUpService(0)
      server.tokenFaults.push(lost)
      const logs: Array<string> = []
      const logger = Logger.make(({ cause, message }) => {
        logs.push(`${message} ${Cause.pretty(cause)}`)
      })
      const before = (yield* Metric.value(failedReports)).count
      const synchronized = Synchronization.report(Effect.fail("the ledger is closed")).pipe(
        Effect.provideService(InstallationService.InstallationService, service),
        Effect.provide(Logger.replace(Logger.defaultLogger, logger))
      )
      expect(yield* exitOf(synchronized)).toEqual(Exit.fail("the ledger is closed"))
      expect((yield* Metric.value(failedReports)).count).toBe(before + 2)
      const failed = logs.filter((line) =>
        line.startsWith("The status of a synchronization was not reported")
      )
      expect(failed).toHaveLength(2)
      expect(failed.join()).toContain("Ask the customer to authorize the app again")
      expect(server.updates).toEqual([])
    })
  )

  it.effect("ends within the deadline of a report after an interruption", () =>
    Effect.gen(function* () {
      const { client, requests } = answering(({ method }) =>
        method === "GET" ? installation() : Effect.never
      )
      const fiber = yield* Effect.never.pipe(
        Synchronization.report({ retry: { deadline: "3 seconds", attemptTimeout: "3 seconds" } }),
        Effect.provide(InstallationClient.layer({ credentials: bearer("token") })),
        Effect.provideService(HttpClient.HttpClient, client),
        Effect.provide(Logger.remove(Logger.defaultLogger)),
        Effect.fork
      )
      yield* TestClock.adjust("1 minute")
      yield* Fiber.interruptFork(fiber)
      yield* TestClock.adjust("2 seconds")
      expect(fiber.unsafePoll()).toBe(null)
      yield* TestClock.adjust("1 second")
      expect(fiber.unsafePoll()).toMatchObject({ _tag: "Failure" })
      expect(requests.map(({ method }) => method)).toEqual(["GET", "PUT", "PUT"])
    })
  )

  it.effect("is not reported as pending if it is short", () => {
    const { live, statuses } = serving()
    return Effect.gen(function* () {
      const report = Synchronization.report({ pendingAfter: "2 seconds" })
      yield* exitOf(Effect.sleep("1 second").pipe(report))
      expect(statuses()).toEqual(["ACTIVATED"])
      yield* exitOf(Effect.sleep("3 seconds").pipe(report))
      expect(statuses()).toEqual(["ACTIVATED", "PENDING_INTEGRATION", "ACTIVATED"])
    }).pipe(Effect.provide(live))
  })

  it.effect("skips what would change nothing, if it is asked to", () => {
    const { live, statuses } = serving({ status: "ACTIVATED" })
    return Effect.gen(function* () {
      const report = Synchronization.report({ pendingAfter: "2 seconds", skipUnchanged: true })
      yield* exitOf(Effect.sleep("1 second").pipe(report))
      expect(statuses()).toEqual([])
      yield* exitOf(Effect.sleep("3 seconds").pipe(report))
      expect(statuses()).toEqual(["PENDING_INTEGRATION", "ACTIVATED"])
      yield* exitOf(Effect.fail("no").pipe(report))
      expect(statuses()).toEqual(["PENDING_INTEGRATION", "ACTIVATED", "ERROR"])
    }).pipe(Effect.provide(live))
  })
})

describe("synchronizations of one installation", () => {
  it.effect("are told by the last that ends, nested or at once", () => {
    const { live, statuses } = serving()
    return Effect.gen(function* () {
      const nested = Effect.exit(Synchronization.report(Effect.fail("inner")))
      yield* Synchronization.report(nested)
      expect(statuses()).toEqual(["PENDING_INTEGRATION", "ACTIVATED"])
      const long = yield* Effect.sleep("2 seconds").pipe(
        Effect.zipRight(Effect.fail("no")),
        Synchronization.report(),
        Effect.fork
      )
      yield* TestClock.adjust("1 second")
      yield* Synchronization.report(Effect.void)
      expect(statuses()).toEqual(["PENDING_INTEGRATION", "ACTIVATED", "PENDING_INTEGRATION"])
      yield* TestClock.adjust("1 second")
      yield* Fiber.await(long)
      expect(statuses().at(-1)).toBe("ERROR")
    }).pipe(Effect.provide(live))
  })

  it.effect("leave no report for later when the first ends before the last", () => {
    const { live, statuses } = serving()
    return Effect.gen(function* () {
      const report = Synchronization.report({ pendingAfter: "5 seconds" })
      const first = yield* Effect.sleep("1 second").pipe(report, Effect.fork)
      yield* TestClock.adjust(0)
      const last = yield* Effect.sleep("2 seconds").pipe(report, Effect.fork)
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.joinAll([first, last])
      expect(statuses()).toEqual(["ACTIVATED"])
    }).pipe(Effect.provide(live))
  })

  it.effect("are told apart from those of other customers", () => {
    const { live, statuses } = serving()
    return Effect.gen(function* () {
      const other = Effect.void.pipe(Synchronization.report(), Credentials.use(bearer("other")))
      yield* Synchronization.report(other)
      expect(statuses()).toEqual(["PENDING_INTEGRATION", "PENDING_INTEGRATION", "ACTIVATED", "ACTIVATED"])
    }).pipe(Effect.provide(live))
  })

  const endings = {
    succeeds: Effect.void,
    fails: Effect.fail("no"),
    dies: Effect.die("a defect"),
    "is interrupted": Effect.interrupt
  } as const satisfies Record<string, Effect.Effect<void, string>>

  it.effect.prop(
    "never end as pending unless a report failed, which is then logged and counted",
    [
      FastCheck.array(
        FastCheck.record({
          begins: FastCheck.nat(5),
          lasts: FastCheck.nat(5),
          end: FastCheck.constantFrom(
            "succeeds" as const,
            "fails" as const,
            "dies" as const,
            "is interrupted" as const
          ),
          pendingAfter: FastCheck.constantFrom(0, 2),
          skipUnchanged: FastCheck.boolean(),
          onFailure: FastCheck.constantFrom("AUTH_ERROR" as const, "previous" as const, undefined)
        }),
        { minLength: 1, maxLength: 4 }
      ),
      FastCheck.array(FastCheck.nat(12), { maxLength: 2 })
    ],
    ([synchronizations, outages]) => {
      const { live, server, statuses } = serving()
      return Effect.gen(function* () {
        const { count } = yield* failed
        const fibers = yield* Effect.forEach(synchronizations, ({ begins, end, lasts, ...options }) => {
          const ended = endings[end]
          return Effect.sleep(`${lasts} seconds`).pipe(
            Effect.zipRight(ended),
            Synchronization.report({
              ...options,
              pendingAfter: `${options.pendingAfter} seconds`,
              onFailure: () => options.onFailure,
              retry: { attempts: 1 }
            }),
            Effect.delay(`${begins} seconds`),
            Effect.fork
          )
        })
        for (let second = 0; second < 15; second++) {
          server.isDown = outages.includes(second)
          yield* TestClock.adjust("1 second")
        }
        yield* Fiber.awaitAll(fibers)
        const failures = (yield* failed).count - count
        expect(server.logs).toHaveLength(failures)
        if (failures === 0) expect(statuses().at(-1)).not.toBe("PENDING_INTEGRATION")
      }).pipe(Effect.provide(live))
    },
    { fastCheck: { numRuns: 20 }, timeout: 60_000 }
  )
})

describe("updateMetadata", () => {
  it.effect("loses none of a hundred changes at once, and keeps the status", () => {
    const { live, server } = serving({ status: "ERROR", errorCode: "AUTH_ERROR" })
    return Effect.gen(function* () {
      yield* Effect.forEach(
        Array.from({ length: 100 }, (_, index) => index),
        (index) =>
          InstallationService.updateMetadata((metadata) => ({ ...metadata, [`key${index}`]: index })),
        { concurrency: "unbounded" }
      )
      const { errorCode, metadata, status } = yield* InstallationService.get()
      expect({ errorCode, status }).toEqual({ errorCode: "AUTH_ERROR", status: "ERROR" })
      expect(Object.keys(metadata)).toHaveLength(100)
      expect(server.told).toHaveLength(100)
    }).pipe(Effect.provide(live))
  })

  it.effect("has applied nothing if the installation cannot be read", () => {
    const { live, server } = serving()
    server.isUnreadable = true
    return Effect.gen(function* () {
      const error = yield* Effect.flip(InstallationService.updateMetadata((metadata) => metadata))
      expect(error).toMatchObject({ status: 500, operation: "get", mayHaveBeenApplied: false })
      expect(server.told).toEqual([])
    }).pipe(Effect.provide(live))
  })

  it.effect("refuses what JSON cannot hold, and sends no update", () => {
    const { live, server } = serving()
    return Effect.gen(function* () {
      const error = yield* Effect.flip(InstallationService.updateMetadata(() => ({ a: Number.NaN })))
      expect(error).toMatchObject({ _tag: "BadRequest", issues: [{ path: ["metadata", "a"] }] })
      expect(server.told).toEqual([])
    }).pipe(Effect.provide(live))
  })
})
