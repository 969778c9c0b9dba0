import * as HttpClient from "@effect/platform/HttpClient"
import { RequestError } from "@effect/platform/HttpClientError"
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Metric from "effect/Metric"
import * as MetricState from "effect/MetricState"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as TestClock from "effect/TestClock"
import type { SchemaDrift } from "../src/Installation.ts"
import * as InstallationClient from "../src/InstallationClient.ts"
import { Infrastructure, type InstallationError } from "../src/InstallationError.ts"
import { type InstallationService, update } from "../src/InstallationService.ts"
import * as RetryPolicy from "../src/RetryPolicy.ts"
import { exampleResponse } from "./support/contract.ts"
import * as FakeOAuth from "./support/fakeOAuth.ts"
import { activated, answering, bearer, bodyOf, installation } from "./support/http.ts"
import { type RecordedSpan, recordingTracer } from "./support/tracer.ts"

const status = (status: number) => new Response("", { status })

/** A response for each request, and the last one for all that follow. */
const inTurn = (...answers: ReadonlyArray<() => Response | Effect.Effect<Response>>) => {
  let requests = 0
  return answering(() => (answers[requests++] ?? answers[answers.length - 1])?.() ?? status(500)).client
}

/** Spans as lines, those below another indented, each with what it shows and how it ended. */
const drawTree = (spans: ReadonlyArray<RecordedSpan>): ReadonlyArray<string> => {
  const below = (parent: string | undefined, indent: string): ReadonlyArray<string> =>
    spans
      .filter((span) => Option.getOrUndefined(span.parent)?.spanId === parent)
      .flatMap((span) => {
        const shown = ["http.response.status_code", "http.request.resend_count", "error.type"]
          .filter((name) => span.attributes.has(name))
          .map((name) => `${name.split(".").pop()}=${span.attributes.get(name)}`)
        const end =
          span.status._tag === "Ended"
            ? [`${(span.status.endTime - span.status.startTime) / 1_000_000n} ms`, span.status.exit._tag]
            : ["not ended"]
        return [
          [`${indent}${span.name}`, span.kind, ...end, ...shown].join(", "),
          ...below(span.spanId, `${indent}  `)
        ]
      })
  return below(undefined, "")
}

let tests = 0

/** Runs an effect to its end on the test's clock, and shows what was told of it. */
const observe = <A, E, R>(self: Effect.Effect<A, E, R>, within: Duration.DurationInput = "1 hour") =>
  Effect.gen(function* () {
    const test = `${++tests}`
    const { spans, tracer } = recordingTracer()
    const logged: Array<string> = []
    const logger = Logger.map(Logger.logfmtLogger, (line) =>
      logged.push(line.replace(/^.*?level=/, "level="))
    )
    const fiber = yield* self.pipe(
      Effect.exit,
      // No wait is shortened by chance.
      Effect.withRandom(Random.fixed([0.999_999_999])),
      Effect.withTracer(tracer),
      Effect.tagMetrics("test", test),
      Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
      Logger.withMinimumLogLevel(LogLevel.Debug),
      Effect.fork
    )
    yield* TestClock.adjust(within)
    const exit = yield* Fiber.join(fiber)
    return { exit, logged, metrics: yield* metricsOf(test), tree: drawTree(spans) }
  })

/** The metrics that a test has moved: those of counters, and the number and the sum of what histograms saw. */
const metricsOf = (test: string) =>
  Effect.map(Metric.snapshot, (pairs) =>
    Object.fromEntries(
      pairs
        .filter(({ metricKey: { name } }) => name.startsWith("pleo."))
        .filter(({ metricKey: { tags } }) => tags.some(({ key, value }) => key === "test" && value === test))
        .map(({ metricKey, metricState }) => {
          const labels = metricKey.tags
            .filter(({ key }) => key !== "test")
            .map(({ key, value }) => `${key}=${value}`)
            .toSorted()
          const value = MetricState.isCounterState(metricState)
            ? Number(metricState.count)
            : MetricState.isHistogramState(metricState)
              ? `${metricState.count} in ${Math.round(metricState.sum * 1000)} ms`
              : undefined
          return [[metricKey.name, ...labels].join(" "), value] as const
        })
        .toSorted(([a], [b]) => a.localeCompare(b))
    )
  )

const through =
  (client: HttpClient.HttpClient, onDrift?: (drift: SchemaDrift) => Effect.Effect<void>) =>
  <A, E>(self: Effect.Effect<A, E, InstallationService>) =>
    self.pipe(
      Effect.provide(InstallationClient.layer({ credentials: bearer("canary-token"), onDrift })),
      Effect.provideService(HttpClient.HttpClient, client)
    )

const slow = (response: () => Response) => () => Effect.delay(Effect.sync(response), "40 millis")

describe("telemetry of an update", () => {
  it.effect("a success", () =>
    Effect.gen(function* () {
      const { logged, metrics, tree } = yield* observe(
        update(activated).pipe(through(inTurn(slow(installation))))
      )
      expect(tree).toEqual([
        "InstallationService.update, internal, 40 ms, Success",
        "  PUT /v1/installations/me, client, 40 ms, Success, status_code=200"
      ])
      expect(metrics).toEqual({
        "pleo.installation.attempts result=200": 1,
        "pleo.installation.update.duration outcome=Success": "1 in 40 ms",
        "pleo.installation.updates.active": 0
      })
      expect(logged).toEqual([
        expect.stringMatching(
          /^level=DEBUG .*message="PUT \/v1\/installations\/me 200" durationMs=40 attempt=1$/
        )
      ])
    })
  )

  it.effect("a success at the third attempt", () =>
    Effect.gen(function* () {
      const client = inTurn(
        slow(() => status(503)),
        slow(() => status(429)),
        slow(installation)
      )
      const { logged, metrics, tree } = yield* observe(
        update(activated).pipe(RetryPolicy.retry(), through(client))
      )
      expect(tree).toEqual([
        "InstallationService.update, internal, 2620 ms, Success",
        "  PUT /v1/installations/me, client, 40 ms, Failure, status_code=503, type=ServerError",
        "  PUT /v1/installations/me, client, 40 ms, Failure, status_code=429, resend_count=1, type=RateLimited",
        "  PUT /v1/installations/me, client, 40 ms, Success, status_code=200, resend_count=2"
      ])
      expect(metrics).toEqual({
        "pleo.installation.attempts result=200": 1,
        "pleo.installation.attempts result=429": 1,
        "pleo.installation.attempts result=503": 1,
        "pleo.installation.update.duration outcome=Success": "1 in 2620 ms",
        "pleo.installation.updates.active": 0
      })
      const messages = logged.map((line) => /message="([^"]*)"/.exec(line)?.[1])
      expect(messages.filter((message) => !message?.startsWith("Fiber terminated"))).toEqual([
        "PUT /v1/installations/me 503",
        "Trying again in 500 ms",
        "PUT /v1/installations/me 429",
        "Trying again in 2000 ms",
        "PUT /v1/installations/me 200"
      ])
    })
  )

  it.effect("a refusal", () =>
    Effect.gen(function* () {
      const { metrics, tree } = yield* observe(
        update(activated).pipe(RetryPolicy.retry(), through(inTurn(() => status(403))))
      )
      expect(tree).toEqual([
        "InstallationService.update, internal, 0 ms, Failure, type=Forbidden",
        "  PUT /v1/installations/me, client, 0 ms, Failure, status_code=403, type=Forbidden"
      ])
      expect(metrics).toEqual({
        "pleo.installation.attempts result=403": 1,
        "pleo.installation.update.duration outcome=Unauthorized reason=Forbidden": "1 in 0 ms",
        "pleo.installation.updates.active": 0
      })
    })
  )

  it.effect("a refusal before anything is sent", () =>
    Effect.gen(function* () {
      const { metrics, tree } = yield* observe(update({} as never).pipe(through(inTurn(installation))))
      expect(tree).toEqual(["InstallationService.update, internal, 0 ms, Failure, type=BadRequest"])
      expect(metrics).toEqual({
        "pleo.installation.update.duration outcome=BadRequest": "1 in 0 ms",
        "pleo.installation.updates.active": 0
      })
    })
  )

  it.effect("timeouts, each of an attempt, and the failure after them", () =>
    Effect.gen(function* () {
      const { exit, metrics, tree } = yield* observe(
        update(activated).pipe(
          RetryPolicy.retry({ attempts: 2, attemptTimeout: "1 second" }),
          through(inTurn(() => Effect.never))
        )
      )
      expect(tree).toEqual([
        "InstallationService.update, internal, 2500 ms, Failure, type=Timeout",
        "  PUT /v1/installations/me, client, 1000 ms, Failure, type=Timeout",
        "  PUT /v1/installations/me, client, 1000 ms, Failure, resend_count=1, type=Timeout"
      ])
      expect(metrics).toEqual({
        "pleo.installation.attempts result=Timeout": 2,
        "pleo.installation.update.duration outcome=Infrastructure reason=Timeout": "1 in 2500 ms",
        "pleo.installation.updates.active": 0
      })
      expect(exit).toMatchObject({ cause: { error: { retried: { attempts: 2 } } } })
    })
  )

  it.effect("a transport failure", () =>
    Effect.gen(function* () {
      const { client } = answering((request) =>
        Effect.fail(new RequestError({ request, reason: "Transport", cause: { code: "ECONNREFUSED" } }))
      )
      const { metrics, tree } = yield* observe(update(activated).pipe(through(client)))
      expect(tree).toEqual([
        "InstallationService.update, internal, 0 ms, Failure, type=Transport",
        "  PUT /v1/installations/me, client, 0 ms, Failure, type=Transport"
      ])
      expect(metrics).toMatchObject({
        "pleo.installation.attempts result=Transport": 1,
        "pleo.installation.update.duration outcome=Infrastructure reason=Transport": "1 in 0 ms"
      })
    })
  )

  it.effect("an interruption while it waits for its next attempt", () =>
    Effect.gen(function* () {
      const { metrics, tree } = yield* observe(
        update(activated).pipe(
          RetryPolicy.retry(),
          through(inTurn(() => status(503))),
          Effect.timeoutOption("100 millis")
        )
      )
      expect(tree).toEqual([
        "InstallationService.update, internal, 100 ms, Failure, type=Interrupted",
        "  PUT /v1/installations/me, client, 0 ms, Failure, status_code=503, type=ServerError"
      ])
      expect(metrics).toEqual({
        "pleo.installation.attempts result=503": 1,
        "pleo.installation.update.duration outcome=Interrupted": "1 in 100 ms",
        "pleo.installation.updates.active": 0
      })
    })
  )

  it.effect("two updates inside of one policy, each by itself", () =>
    Effect.gen(function* () {
      const client = answering((request) =>
        bodyOf(request).includes("ERROR") ? status(503) : installation()
      ).client
      const { metrics, tree } = yield* observe(
        Effect.zip(update({ status: "INACTIVE" }), update({ status: "ERROR", errorCode: "AUTH_ERROR" })).pipe(
          RetryPolicy.retry({ attempts: 2 }),
          through(client)
        )
      )
      expect(tree).toEqual([
        "InstallationService.update, internal, 0 ms, Success",
        "  PUT /v1/installations/me, client, 0 ms, Success, status_code=200",
        "InstallationService.update, internal, 0 ms, Failure, type=ServerError",
        "  PUT /v1/installations/me, client, 0 ms, Failure, status_code=503, type=ServerError",
        // Around two updates, each attempt's are new.
        "InstallationService.update, internal, 0 ms, Success",
        "  PUT /v1/installations/me, client, 0 ms, Success, status_code=200",
        "InstallationService.update, internal, 0 ms, Failure, type=ServerError",
        "  PUT /v1/installations/me, client, 0 ms, Failure, status_code=503, type=ServerError"
      ])
      expect(metrics).toMatchObject({
        "pleo.installation.update.duration outcome=Infrastructure reason=ServerError": "2 in 0 ms",
        "pleo.installation.updates.active": 0
      })
    })
  )

  it.effect("the same update twice at once inside of one policy, each with its own end", () =>
    Effect.gen(function* () {
      const client = inTurn(
        () => status(503),
        () => Effect.delay(Effect.sync(installation), "40 millis")
      )
      const twice = Effect.all([Effect.either(update(activated)), update(activated)], { concurrency: 2 })
      const { metrics, tree } = yield* observe(twice.pipe(RetryPolicy.retry(), through(client)))
      expect(tree).toEqual([
        "InstallationService.update, internal, 0 ms, Failure, type=ServerError",
        "  PUT /v1/installations/me, client, 0 ms, Failure, status_code=503, type=ServerError",
        "InstallationService.update, internal, 40 ms, Success",
        "  PUT /v1/installations/me, client, 40 ms, Success, status_code=200"
      ])
      expect(metrics).toMatchObject({
        "pleo.installation.update.duration outcome=Infrastructure reason=ServerError": "1 in 0 ms",
        "pleo.installation.update.duration outcome=Success": "1 in 40 ms",
        "pleo.installation.updates.active": 0
      })
    })
  )

  it.effect("an update that outlives its policy, when it ends", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const client = answering(() => Effect.as(Deferred.await(gate), status(500))).client
      const { metrics } = yield* observe(
        Effect.gen(function* () {
          const fiber = yield* Effect.forkDaemon(Effect.exit(update(activated))).pipe(
            Effect.tap(Effect.yieldNow()),
            RetryPolicy.retry()
          )
          yield* Deferred.succeed(gate, undefined)
          yield* Fiber.join(fiber)
        }).pipe(through(client))
      )
      expect(metrics).toMatchObject({
        "pleo.installation.update.duration outcome=Infrastructure reason=ServerError": "1 in 0 ms",
        "pleo.installation.updates.active": 0
      })
    })
  )

  it.effect("is active until it has ended", () =>
    Effect.gen(function* () {
      const test = `${++tests}`
      const fiber = yield* update(activated).pipe(
        through(inTurn(() => Effect.never)),
        Effect.tagMetrics("test", test),
        Effect.fork
      )
      yield* Effect.yieldNow()
      yield* TestClock.adjust("1 second")
      expect(yield* metricsOf(test)).toEqual({ "pleo.installation.updates.active": 1 })
      yield* Fiber.interrupt(fiber)
      expect(yield* metricsOf(test)).toMatchObject({ "pleo.installation.updates.active": 0 })
    })
  )

  it.scoped("a refresh, before the request and after a 401", () =>
    Effect.gen(function* () {
      const server = new FakeOAuth.Server()
      const shelf = new FakeOAuth.Shelf()
      yield* FakeOAuth.storeTokens(shelf.store, server.authorize(), 0)
      const update = yield* FakeOAuth.startProcess(server, shelf.store)
      const expired = yield* observe(update(activated), "1 minute")
      expect(expired.tree).toEqual([
        "InstallationService.update, internal, 0 ms, Success",
        "  POST /oauth/token, client, 0 ms, Success, status_code=200",
        "  PUT /v1/installations/me, client, 0 ms, Success, status_code=200"
      ])
      expect(expired.metrics).toMatchObject({
        "pleo.installation.attempts result=200": 1,
        "pleo.oauth.refreshes result=Issued": 1
      })
      server.updateFaults.push(FakeOAuth.status(401))
      const rejected = yield* observe(update(activated), "1 minute")
      expect(rejected.tree).toEqual([
        "InstallationService.update, internal, 0 ms, Success",
        "  PUT /v1/installations/me, client, 0 ms, Failure, status_code=401, type=Unauthenticated",
        "  POST /oauth/token, client, 0 ms, Success, status_code=200",
        "  PUT /v1/installations/me, client, 0 ms, Success, status_code=200, resend_count=1"
      ])
      server.updateFaults.push(FakeOAuth.status(401))
      server.tokenFaults.push(FakeOAuth.oauthError("invalid_grant"))
      const revoked = yield* observe(update(activated), "1 minute")
      expect(revoked.tree).toEqual([
        "InstallationService.update, internal, 0 ms, Failure, type=ReauthorizationRequired",
        "  PUT /v1/installations/me, client, 0 ms, Failure, status_code=401, type=Unauthenticated",
        "  POST /oauth/token, client, 0 ms, Success, status_code=400, type=Refused"
      ])
      expect(revoked.metrics).toMatchObject({ "pleo.oauth.refreshes result=Refused": 1 })
    })
  )

  it.effect("without a tracer, nothing; without debug, no line", () =>
    Effect.gen(function* () {
      const { spans, tracer } = recordingTracer()
      const logged: Array<string> = []
      yield* update(activated).pipe(
        through(inTurn(installation)),
        Effect.withTracer(tracer),
        Effect.withTracerEnabled(false),
        Effect.provide(
          Logger.replace(
            Logger.defaultLogger,
            Logger.map(Logger.logfmtLogger, (line) => logged.push(line))
          )
        )
      )
      expect(spans).toEqual([])
      expect(logged).toEqual([])
    })
  )

  it.effect("annotations and links of the caller go to both spans", () =>
    Effect.gen(function* () {
      const { spans, tracer } = recordingTracer()
      yield* update(activated).pipe(
        through(inTurn(installation)),
        Effect.annotateSpans("customer", "acme"),
        Effect.withTracer(tracer)
      )
      expect(spans.map(({ attributes }) => attributes.get("customer"))).toEqual(["acme", "acme"])
    })
  )

  it.effect("no canary stands in a log line", () =>
    Effect.gen(function* () {
      const request = { status: "ACTIVATED", metadata: { note: "canary-metadata" } } as const
      const { logged } = yield* observe(
        update(request).pipe(
          RetryPolicy.retry(),
          through(inTurn(() => new Response("canary-token", { status: 500 })))
        )
      )
      expect(logged.filter((line) => line.includes("PUT /v1/installations/me 500")).length).toBe(3)
      expect(logged.filter((line) => line.includes("canary"))).toEqual([])
    })
  )
})

describe("drift", () => {
  const drifted = () => installation({ status: "PAUSED", errorCode: "BILLING", plan: "pro" })

  it.effect("fails no update, is counted each time and told once", () =>
    Effect.gen(function* () {
      const told: Array<SchemaDrift> = []
      const { exit, metrics } = yield* observe(
        Effect.all([update(activated), update(activated), update(activated)]).pipe(
          through(inTurn(drifted, drifted, installation), (drift) => Effect.sync(() => told.push(drift)))
        )
      )
      expect(exit).toMatchObject({ _tag: "Success", value: [{ status: "PAUSED" }, {}, {}] })
      expect(metrics).toMatchObject({
        "pleo.installation.drift kind=status": 2,
        "pleo.installation.drift kind=errorCode": 2,
        "pleo.installation.drift kind=field": 2
      })
      expect(told).toEqual([
        { kind: "status", name: "PAUSED" },
        { kind: "errorCode", name: "BILLING" },
        { kind: "field", name: "plan" }
      ])
    })
  )

  it.effect("a response as the contract has it is none", () =>
    Effect.gen(function* () {
      const told: Array<SchemaDrift> = []
      const { metrics } = yield* observe(
        update(activated).pipe(
          through(
            inTurn(() => installation({ status: "ERROR", errorCode: "AUTH_ERROR" })),
            (drift) => Effect.sync(() => told.push(drift))
          )
        )
      )
      expect(Object.keys(metrics).filter((name) => name.startsWith("pleo.installation.drift"))).toEqual([])
      expect(told).toEqual([])
    })
  )

  it.effect("reports where metadata holds a number that JavaScript rounds, and keeps the update", () =>
    Effect.gen(function* () {
      const told: Array<SchemaDrift> = []
      const numbers =
        '{"exact":9007199254740991,"id":653247040368672768,"list":[{"id":-9007199254740993}],"text":"653247040368672768"}'
      const body = JSON.stringify({ ...exampleResponse, metadata: {} }).replace("{}", numbers)
      const { exit, metrics } = yield* observe(
        update(activated).pipe(
          through(
            inTurn(() => new Response(body)),
            (drift) => Effect.sync(() => told.push(drift))
          )
        )
      )
      expect(exit._tag).toBe("Success")
      expect(told).toEqual([
        { kind: "number", name: "metadata.id" },
        { kind: "number", name: "metadata.list.0.id" }
      ])
      expect(metrics).toMatchObject({ "pleo.installation.drift kind=number": 2 })
    })
  )

  it.effect.each<{ readonly name: string; readonly onDrift: () => Effect.Effect<void> }>([
    { name: "never ends", onDrift: () => Effect.never },
    { name: "dies", onDrift: () => Effect.dieMessage("broken hook") },
    {
      name: "throws",
      onDrift: () => {
        throw new Error("broken hook")
      }
    }
  ])("a hook that $name holds no update up", ({ name, onDrift }) =>
    Effect.gen(function* () {
      const { exit, logged } = yield* observe(update(activated).pipe(through(inTurn(drifted), onDrift)))
      expect(Exit.isSuccess(exit)).toBe(true)
      expect(logged.filter((line) => line.includes("level=WARN")).length).toBe(name === "never ends" ? 0 : 3)
    })
  )

  it.effect("reports are short, bounded in number, and quote no secret", () =>
    Effect.gen(function* () {
      const told: Array<SchemaDrift> = []
      const fields = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`field ${index}`, index]))
      yield* observe(
        Effect.forEach([0, 1, 2], () => update(activated)).pipe(
          through(
            inTurn(
              () => installation({ status: "canary-token", [`canary-token ${"x".repeat(500)}`]: 1 }),
              () => installation(fields)
            ),
            (drift) => Effect.sync(() => told.push(drift))
          )
        )
      )
      expect(told.length).toBe(64)
      expect(told.slice(0, 2).map(({ kind }) => kind)).toEqual(["status", "field"])
      expect(told.filter(({ name }) => name.length > 128 || name.includes("canary-token"))).toEqual([])
    })
  )
})

describe("an error after retries", () => {
  const failing = (...answers: ReadonlyArray<() => Response | Effect.Effect<Response>>) =>
    observe(update(activated).pipe(RetryPolicy.retry(), Effect.flip, through(inTurn(...answers)))).pipe(
      Effect.map(({ exit }) => (Exit.isSuccess(exit) ? (exit.value as InstallationError) : undefined))
    )

  it.effect("says that an earlier attempt may have been applied, though the last was not", () =>
    Effect.gen(function* () {
      const error = yield* failing(
        () => status(503),
        () => status(401)
      )
      expect(error).toMatchObject({
        _tag: "Unauthorized",
        mayHaveBeenApplied: true,
        retried: { attempts: 2, mayHaveBeenApplied: true }
      })
      expect(error?.message).toContain("An earlier attempt may have been applied.")
    })
  )

  it.effect("says that nothing was applied where that is so of each attempt", () =>
    Effect.gen(function* () {
      const error = yield* failing(
        () => status(429),
        () => status(403)
      )
      expect(error).toMatchObject({ _tag: "Unauthorized", mayHaveBeenApplied: false })
      expect(error?.message).toContain("Nothing was applied.")
    })
  )

  it.effect("counts the attempts of a policy inside of another", () =>
    Effect.gen(function* () {
      const { exit } = yield* observe(
        Effect.fail(new Infrastructure({ reason: "RateLimited", status: 429 })).pipe(
          RetryPolicy.retry({ attempts: 2, baseDelay: "1 second" }),
          RetryPolicy.retry({ attempts: 3, baseDelay: "1 second", budget: false })
        )
      )
      expect(exit).toMatchObject({
        cause: { error: { retried: { attempts: 6, mayHaveBeenApplied: false } } }
      })
    })
  )
})
