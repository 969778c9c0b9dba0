import { spawn } from "node:child_process"
import { once } from "node:events"
import { describe, expect, it } from "@effect/vitest"
import type { UpdateInstallation } from "@effect-pleo/core/Installation"
import { type BadRequest, type InstallationError, Unauthorized } from "@effect-pleo/core/InstallationError"
import * as InstallationService from "@effect-pleo/core/InstallationService"
import * as OAuth from "@effect-pleo/core/OAuth"
import * as TokenStore from "@effect-pleo/core/TokenStore"
import * as Fault from "@effect-pleo/testing/Fault"
import * as InstallationServiceTest from "@effect-pleo/testing/InstallationServiceTest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Metric from "effect/Metric"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { compile } from "../../node/test/support/program.ts"
import * as Fleet from "../src/Fleet.ts"
import { change, connect, file, request, settled, start, until } from "./support/fixtures.ts"

const service = InstallationServiceTest.layerTest()

const updates = Effect.flatMap(InstallationServiceTest.InstallationServiceTest, ({ updates }) => updates)

const awaitUpdates = (count: number) =>
  Effect.flatMap(InstallationServiceTest.InstallationServiceTest, ({ awaitUpdates }) => awaitUpdates(count))

const inject = (...faults: ReadonlyArray<Fault.Fault<InstallationError>>) =>
  Effect.flatMap(InstallationServiceTest.InstallationServiceTest, ({ inject }) => inject(...faults))

describe("a fleet of one process", () => {
  it.scopedLive("sends changes that were stored before it started", () =>
    Effect.gen(function* () {
      const name = yield* file
      const count = yield* Effect.scoped(
        Effect.flatMap(connect(name), ({ set }) => set([change("acme", 1), change("globex", 2)]))
      )
      expect(count).toBe(2)
      expect(yield* updates).toEqual([])
      const fleet = yield* start(name)
      expect(yield* settled(fleet)).toMatchObject({ pending: 0, applied: 2, failed: {} })
      const sent = (yield* updates).map(({ request, tenant }) => ({ request, tenant }))
      expect(sent).toHaveLength(2)
      expect(sent).toContainEqual({ request: request(1), tenant: "acme" })
      expect(sent).toContainEqual({ request: request(2), tenant: "globex" })
    }).pipe(Effect.provide(service))
  )

  it.scopedLive("sends only the newest of the changes of an installation", () =>
    Effect.gen(function* () {
      const name = yield* file
      const client = yield* connect(name)
      yield* client.set([change("acme", 1), change("acme", 2)])
      yield* client.set(Stream.make(change("acme", 3)))
      expect(yield* settled(yield* start(name))).toMatchObject({ applied: 1, superseded: 1 })
      expect((yield* updates).map(({ request }) => request)).toEqual([request(3)])
    }).pipe(Effect.provide(service))
  )

  it.scopedLive("sends a change that came while an older one was in flight, after that", () =>
    Effect.gen(function* () {
      yield* inject(Fault.delay("100 millis"))
      const fleet = yield* start(yield* file)
      yield* fleet.set([change("acme", 1)])
      yield* awaitUpdates(1)
      yield* fleet.set([change("acme", 2)])
      expect(yield* settled(fleet)).toMatchObject({ applied: 1 })
      const [first, second, ...others] = yield* updates
      expect([first?.request, second?.request]).toEqual([request(1), request(2)])
      expect(others).toEqual([])
      expect(second?.receivedAt.epochMillis).toBeGreaterThanOrEqual(
        first?.endedAt?.epochMillis ?? Number.POSITIVE_INFINITY
      )
    }).pipe(Effect.provide(service))
  )

  it.scopedLive("counts its updates in flight for other processes, too", () =>
    Effect.gen(function* () {
      const name = yield* file
      yield* inject(Fault.delay("2 seconds"), Fault.delay("2 seconds"))
      const fleet = yield* start(name, { concurrency: 2 })
      yield* fleet.set([change("acme", 1), change("globex", 1), change("initech", 1)])
      const { progress } = yield* connect(name)
      const seen = yield* Stream.runCollect(progress)
      const counts = [...seen].map(({ inFlight, pending }) => ({ inFlight, pending }))
      expect(counts).toContainEqual({ inFlight: 2, pending: 3 })
      expect(counts.at(-1)).toEqual({ inFlight: 0, pending: 0 })
    }).pipe(Effect.provide(service))
  )

  it.scopedLive(
    "does not send a change that was replaced while it waited for another installation's update",
    () =>
      Effect.gen(function* () {
        yield* inject(Fault.delay("200 millis", { when: ({ tenant }) => tenant === "slow" }))
        const fleet = yield* start(yield* file, { concurrency: 1 })
        yield* fleet.set([change("slow", 1)])
        yield* awaitUpdates(1)
        yield* fleet.set([change("acme", 1)])
        yield* Effect.sleep("50 millis")
        yield* fleet.set([change("acme", 2)])
        yield* settled(fleet)
        expect((yield* updates).map(({ request }) => request)).toEqual([request(1), request(2)])
      }).pipe(Effect.provide(service))
  )

  it.scopedLive(
    "does not send a change that another process replaced more than a second before its turn",
    () =>
      Effect.gen(function* () {
        const name = yield* file
        yield* inject(Fault.delay("3500 millis", { when: ({ tenant }) => tenant === "slow" }))
        const fleet = yield* start(name, { concurrency: 1 })
        const other = yield* connect(name)
        yield* fleet.set([change("slow", 1)])
        yield* awaitUpdates(1)
        yield* other.set([change("acme", 1)])
        yield* Effect.sleep("1200 millis")
        yield* other.set([change("acme", 2)])
        yield* settled(fleet)
        expect((yield* updates).map(({ request }) => request)).toEqual([request(1), request(2)])
      }).pipe(Effect.provide(service))
  )

  it.scopedLive("sends nothing more once it ends, while it waits for updates in flight", () =>
    Effect.gen(function* () {
      const name = yield* file
      yield* inject(Fault.delay("300 millis", { when: ({ tenant }) => tenant === "slow" }))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const fleet = yield* start(name, { rateLimit: 100 })
          const others = Array.from({ length: 60 }, (_, index) => change(`customer-${index}`, 1))
          yield* fleet.set([change("slow", 1)])
          yield* awaitUpdates(1)
          yield* fleet.set(others)
          yield* awaitUpdates(3)
        })
      )
      // Less than a place every 10 ms, until the slow one has ended.
      expect((yield* updates).length).toBeLessThan(15)
      expect((yield* updates)[0]?.outcome._tag).toBe("Succeeded")
    }).pipe(Effect.provide(service))
  )

  it.scopedLive("waits for updates in flight when it ends, and does not send them again", () =>
    Effect.gen(function* () {
      const name = yield* file
      yield* inject(Fault.delay("100 millis"))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const fleet = yield* start(name)
          yield* fleet.set([change("acme", 1)])
          yield* awaitUpdates(1)
        })
      )
      expect((yield* updates)[0]?.outcome._tag).toBe("Succeeded")
      expect(yield* settled(yield* start(name))).toMatchObject({ applied: 1 })
      expect(yield* updates).toHaveLength(1)
    }).pipe(Effect.provide(service))
  )

  it.scopedLive("ends a row that a retry will not help, with the facts of the error, and goes on", () =>
    Effect.gen(function* () {
      yield* inject(
        Fault.status(400, { when: ({ tenant }) => tenant === "bad" }),
        Fault.fail(new Unauthorized({ reason: "ReauthorizationRequired" }), {
          when: ({ tenant }) => tenant === "gone"
        })
      )
      const fleet = yield* start(yield* file)
      yield* fleet.set([change("bad", 1), change("good", 1), change("gone", 1)])
      expect(yield* settled(fleet)).toMatchObject({
        applied: 1,
        failed: { Refused: 1, ReconnectNeeded: 1 }
      })
      expect(yield* fleet.failures()).toMatchObject([
        { tenant: "bad", reason: "Refused", status: 400, attempts: 1 },
        { tenant: "gone", reason: "ReconnectNeeded", attempts: 1 }
      ])
      expect(yield* fleet.failures({ after: "bad", limit: 1 })).toMatchObject([{ tenant: "gone" }])
      yield* fleet.set([change("bad", 2), change("gone", 2)])
      expect(yield* settled(fleet)).toMatchObject({ applied: 3, failed: {} })
      expect(yield* fleet.failures()).toEqual([])
    }).pipe(Effect.provide(service))
  )

  it.scopedLive("sends an update again after failures that a retry could mend", () =>
    Effect.gen(function* () {
      yield* inject(Fault.status(503, { times: 2 }), Fault.loseResponse())
      const fleet = yield* start(yield* file)
      yield* fleet.set([change("acme", 1)])
      expect(yield* settled(fleet)).toMatchObject({ applied: 1, failed: {} })
      expect(yield* updates).toHaveLength(4)
    }).pipe(Effect.withRandom(Random.fixed([0])), Effect.provide(service))
  )

  it.scopedLive("lists a row among the failures after three attempts, and as pending", () =>
    Effect.gen(function* () {
      yield* inject(Fault.status(503, { times: 3 }), Fault.delay("1 second"))
      const fleet = yield* start(yield* file)
      yield* fleet.set([change("acme", 1)])
      yield* awaitUpdates(4)
      const progress = yield* Effect.flatten(Stream.runHead(fleet.progress))
      expect(progress).toMatchObject({ pending: 1, applied: 0, failed: { Retrying: 1 } })
      expect(yield* fleet.failures()).toMatchObject([{ tenant: "acme", reason: "Retrying", attempts: 3 }])
    }).pipe(Effect.withRandom(Random.fixed([0])), Effect.provide(service))
  )

  it.scopedLive("lets no installation send for as long as a response of 429 asks", () =>
    Effect.gen(function* () {
      yield* inject(Fault.status(429, { retryAfter: "1 second" }))
      const fleet = yield* start(yield* file, { concurrency: 1 })
      yield* fleet.set([change("acme", 1), change("globex", 1)])
      expect(yield* settled(fleet)).toMatchObject({ applied: 2, failed: {} })
      const [limited, ...others] = (yield* updates).map(({ receivedAt }) => receivedAt.epochMillis)
      expect(others).toHaveLength(2)
      for (const time of others) expect(time - (limited ?? 0)).toBeGreaterThanOrEqual(950)
    }).pipe(Effect.provide(service))
  )

  it.scopedLive("counts how its updates ended, and those in flight", () =>
    Effect.gen(function* () {
      const options = { incremental: true }
      const read = Effect.all([
        ...["applied", "failed", "retried", "limited"].map((result) =>
          Metric.value(Metric.tagged(Metric.counter("pleo.fleet.updates", options), "result", result))
        ),
        Metric.value(Metric.counter("pleo.fleet.updates.active"))
      ])
      const before = yield* read
      const counts = Effect.map(read, (now) =>
        now.map(({ count }, index) => count - (before[index]?.count ?? 0))
      )
      yield* inject(
        Fault.status(400, { times: 3, when: ({ tenant }) => tenant?.startsWith("bad") === true }),
        Fault.status(503, { times: 2, when: ({ tenant }) => tenant === "acme" }),
        Fault.status(429, { retryAfter: 0, when: ({ tenant }) => tenant === "globex" }),
        Fault.delay("200 millis", { when: ({ tenant }) => tenant === "slow" })
      )
      const fleet = yield* start(yield* file)
      const tenants = ["bad-1", "bad-2", "bad-3", "acme", "globex", "initech", "umbrella"]
      yield* fleet.set(tenants.map((tenant) => change(tenant, 1)))
      yield* settled(fleet)
      expect(yield* counts).toEqual([4, 3, 2, 1, 0])
      yield* fleet.set([change("slow", 1)])
      yield* awaitUpdates(11)
      expect(yield* counts).toEqual([4, 3, 2, 1, 1])
      yield* settled(fleet)
      expect(yield* counts).toEqual([5, 3, 2, 1, 0])
    }).pipe(Effect.withRandom(Random.fixed([0])), Effect.provide(service))
  )

  it.scopedLive("keeps to its rate", () =>
    Effect.gen(function* () {
      const fleet = yield* start(yield* file, { rateLimit: 100 })
      yield* fleet.set(Array.from({ length: 90 }, (_, index) => change(`customer-${index}`, 1)))
      yield* settled(fleet)
      const times = (yield* updates).map(({ receivedAt }) => receivedAt.epochMillis)
      expect(times).toHaveLength(90)
      // Less what it may catch up on, and a tenth of a second that is reserved at once.
      expect(Math.max(...times) - Math.min(...times)).toBeGreaterThanOrEqual(500)
    }).pipe(Effect.provide(service))
  )

  it.scopedLive("refuses to run beside another one on the same file", () =>
    Effect.gen(function* () {
      const name = yield* file
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* start(name)
          const error = yield* Effect.flip(start(name))
          expect(error).toMatchObject({ _tag: "FleetError", reason: "Locked" })
          expect(error.message).toMatch("Another process runs the fleet of this file")
        })
      )
      yield* start(name)
    }).pipe(Effect.provide(service))
  )

  it.scopedLive(
    "is refused while another process runs it, and takes over what that had in flight when it is killed",
    () =>
      Effect.gen(function* () {
        const name = yield* file
        const program = yield* Effect.promise(() =>
          compile(new URL("support/stalledProcess.ts", import.meta.url))
        )
        const other = yield* Effect.acquireRelease(
          Effect.sync(() => spawn(process.execPath, [program], { env: { ...process.env, FILE: name } })),
          (other) => Effect.sync(() => other.kill("SIGKILL"))
        )
        yield* Effect.promise(() => once(other.stdout, "data"))
        expect(yield* Effect.flip(start(name))).toMatchObject({ reason: "Locked" })
        other.kill("SIGKILL")
        yield* Effect.promise(() => once(other, "exit"))
        expect(yield* settled(yield* start(name))).toMatchObject({ applied: 1 })
        expect((yield* updates).map(({ request }) => request)).toEqual([request(1)])
      }).pipe(Effect.provide(service))
  )

  it.scopedLive("goes on after a defect, and waits before it tries that installation again", () =>
    Effect.gen(function* () {
      let deaths = 0
      const credentials = (tenant: string) => {
        if (tenant !== "bad") return OAuth.tenant(tenant)
        deaths += 1
        throw new Error("a defect")
      }
      const fleet = yield* start(yield* file, { credentials })
      yield* fleet.set([change("bad", 1)])
      yield* until(() => deaths > 0)
      yield* fleet.set([change("good", 1)])
      yield* awaitUpdates(1)
      expect((yield* updates).map(({ tenant }) => tenant)).toEqual(["good"])
      expect(deaths).toBe(1)
    }).pipe(Logger.withMinimumLogLevel(LogLevel.None), Effect.provide(service))
  )

  it.scopedLive(
    "refuses the requests that an update refuses, with the same issues and without quoting them",
    () =>
      Effect.gen(function* () {
        const fleet = yield* connect(yield* file)
        const { update } = yield* InstallationService.InstallationService
        for (const [request, issue] of [
          [{ status: "secret-status" }, { path: ["status"], message: expect.stringContaining("expected") }],
          [
            { status: "ACTIVATED", secret: 1 },
            { path: ["secret"], message: "is not part of the contract" }
          ],
          [{}, { path: ["status"], message: "is missing" }],
          [
            { status: "ACTIVATED", metadata: { secret: "s".repeat(256 * 1024) } },
            { path: ["metadata"], message: "expected at most 256 KiB of JSON" }
          ]
        ] as ReadonlyArray<readonly [UpdateInstallation, unknown]>) {
          const error = (yield* Effect.flip(fleet.set([{ tenant: "acme", request }]))) as BadRequest
          const refused = (yield* Effect.flip(update(request))) as BadRequest
          expect({ _tag: error._tag, tenant: error.tenant, issues: error.issues }).toEqual({
            _tag: "BadRequest",
            tenant: "acme",
            issues: [issue]
          })
          expect(error.issues).toEqual(refused.issues)
          expect(error.message).not.toMatch("secret-status")
        }
      }).pipe(Effect.provide(service))
  )

  it.scopedLive("sets the state of all connected customers of an app", () =>
    Effect.gen(function* () {
      const app = { clientId: "app" }
      const tokens = { accessToken: Redacted.make("access"), refreshToken: Redacted.make("refresh") }
      for (const tenant of ["acme", "globex", "initech"]) yield* OAuth.storeTokens({ ...app, tenant }, tokens)
      const fleet = yield* start(yield* file)
      const filter = (tenant: string) => tenant !== "initech"
      const count = yield* Fleet.setAll({ ...app, filter }, request(1)).pipe(
        Effect.provideService(Fleet.Fleet, fleet)
      )
      expect(count).toBe(2)
      yield* settled(fleet)
      expect((yield* updates).map(({ tenant }) => tenant).sort()).toEqual(["acme", "globex"])
    }).pipe(Effect.provide(Layer.merge(service, TokenStore.layerMemory)))
  )
})
