import { describe, expect, layer } from "@effect/vitest"
import type { Authorization } from "@effect-pleo/core/Authorization"
import * as Fault from "@effect-pleo/testing/Fault"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import type { Customer, Process } from "./processes.ts"
import { Processes } from "./processes.ts"
import type { Order, Step } from "./refreshProcess.ts"

/** Long enough for whatever these tests do on a busy machine. */
const patient = 10_000

/** Of who is stopped while it has the lease: others wait for twice as long. */
const hasty = 1000

const ofToken: Fault.Options = { when: ({ path }) => path === "/oauth/token" }

const turnOfTheEventLoop = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

const untilRefreshed = ({ refreshes }: Customer) =>
  Effect.repeat(Effect.zipRight(turnOfTheEventLoop, refreshes), { until: ({ length }) => length > 0 })

const expectDone = (process: Process, { tenant }: Customer, counts: Record<string, number>) =>
  Effect.map(process.says(`${tenant} done `), (line) => expect(JSON.parse(line)).toEqual(counts))

const expectUpdates = (process: Process, customer: Customer, counts: Record<string, number>) =>
  Effect.suspend(() => {
    process.order({
      tenants: [customer.tenant],
      updates: Object.values(counts).reduce((sum, count) => sum + count),
      timeout: patient
    })
    return expectDone(process, customer, counts)
  })

/** Lets a process go on that stops itself: again and again, since it may not have come to that yet. */
const resumed = (process: Process) =>
  Effect.forever(
    Effect.zipRight(
      Effect.sync(() => process.kill("SIGCONT")),
      Effect.sleep("10 millis")
    )
  )

const twoOf = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.all([self, self], { concurrency: 2 })

interface Death {
  readonly when: string
  readonly at?: Step
  readonly left: Authorization["_tag"]
  /** The requests to the token endpoint that the process made which died. */
  readonly before: ReadonlyArray<string>
  readonly after: "it refreshes" | "the customer has to authorize the app again" | "it has the new tokens"
}

const lost = "the customer has to authorize the app again"

const deaths: ReadonlyArray<Death> = [
  { when: "before the lease is stored", at: "leasing", left: "Active", before: [], after: "it refreshes" },
  { when: "before the refresh token is sent", at: "leased", left: "Refreshing", before: [], after: lost },
  { when: "before the response comes", left: "Refreshing", before: ["1 rotated"], after: lost },
  {
    when: "before the new tokens are stored",
    at: "storing",
    left: "Refreshing",
    before: ["1 rotated"],
    after: lost
  },
  {
    when: "before the update is sent",
    at: "stored",
    left: "Active",
    before: ["1 rotated"],
    after: "it has the new tokens"
  }
]

/** What processes do that share the tokens of a customer, on one database. */
export const describeRefreshes = (name: string, processes: Layer.Layer<Processes>): void =>
  layer(processes, { excludeTestServices: true, timeout: 60_000 })(name, (it) => {
    describe("two processes whose token", () => {
      for (const [state, storedFor] of [
        ["has expired", 0],
        ["looks fresh and is answered 401", undefined]
      ] as const)
        it.scoped(
          `${state} exchange it once, and each of their 400 updates arrives`,
          () =>
            Effect.gen(function* () {
              const { authorize, running, sandbox } = yield* Processes
              const customer = yield* authorize(storedFor)
              const { tenant } = customer
              const both = yield* twoOf(running)
              // They have it in memory: who comes late does not learn from the store that it is being refreshed.
              if (storedFor === undefined)
                for (const process of both) yield* expectUpdates(process, customer, { updated: 1 })
              yield* sandbox.expire(customer.grantId)
              const order: Order = {
                tenants: [tenant],
                updates: 200,
                timeout: patient,
                // Until the other one has come to the same refresh.
                stop: { at: "leased", signal: "SIGSTOP" }
              }
              for (const process of both) process.order(order)
              yield* Effect.raceAll(both.map((process) => process.says(`${tenant} waiting`)))
              expect(yield* customer.refreshes).toEqual([])
              yield* Effect.raceFirst(
                Effect.forEach(both, (process) => expectDone(process, customer, { updated: 200 })),
                Effect.all(both.map(resumed), { concurrency: "unbounded" })
              )
              expect(yield* customer.refreshes).toEqual(["1 rotated"])
              expect(new Set(yield* customer.notes).size).toBe(400)
              const updates = yield* customer.updates
              expect(updates.filter((update) => update === "2 200")).toHaveLength(400)
              expect(updates.filter((update) => update !== "2 200")).toEqual(
                storedFor === 0 ? [] : ["1 200", "1 200", "1 401", "1 401"]
              )
            }),
          60_000
        )
    })

    describe("after a process was killed", () => {
      for (const { after, at, before, left, when } of deaths)
        it.scoped(
          `${when}, ${after}: another process that was there, and one that starts then`,
          () =>
            Effect.gen(function* () {
              const { authorize, running, sandbox, start } = yield* Processes
              const customers = [yield* authorize(0), yield* authorize(0)] as const
              const [victim, other] = yield* twoOf(running)
              const order: Order = {
                tenants: customers.map(({ tenant }) => tenant),
                updates: 1,
                timeout: left === "Refreshing" ? hasty : patient
              }
              if (at === undefined) {
                yield* sandbox.inject(Fault.delay("1 minute", { ...ofToken, times: customers.length }))
                victim.order(order)
                for (const customer of customers) yield* untilRefreshed(customer)
                victim.kill("SIGKILL")
              } else victim.order({ ...order, stop: { at, signal: "SIGKILL" } })
              expect(yield* victim.end).toEqual({ code: null, signal: "SIGKILL" })
              for (const { refreshes, stored, updates } of customers) {
                expect((yield* stored)?.authorization._tag).toBe(left)
                expect(yield* refreshes).toEqual(before)
                expect(yield* updates).toEqual([])
              }

              const goOn = (process: Process, customer: Customer) =>
                Effect.gen(function* () {
                  if (after === lost) {
                    yield* expectUpdates(process, customer, { ReauthorizationRequired: 3 })
                    yield* process.says(`${customer.tenant} waiting`)
                    expect(yield* customer.refreshes).toEqual(before)
                    expect(yield* customer.updates).toEqual([])
                    const renewed = yield* customer.authorizeAgain
                    yield* expectUpdates(process, renewed, { updated: 3 })
                    expect(yield* renewed.refreshes).toEqual([])
                    expect(yield* renewed.updates).toEqual(Array(3).fill("1 200"))
                    expect(yield* customer.refreshes).toEqual(before)
                  } else {
                    yield* expectUpdates(process, customer, { updated: 3 })
                    expect(yield* customer.refreshes).toEqual(["1 rotated"])
                    expect(yield* customer.updates).toEqual(Array(3).fill("2 200"))
                  }
                })
              const meanwhile = yield* Effect.fork(goOn(other, customers[0]))
              yield* goOn(yield* start, customers[1])
              yield* Fiber.join(meanwhile)
            }),
          60_000
        )
    })

    it.scoped(
      "a process that was frozen for longer than its lease stores the tokens it got, and all go on with them",
      () =>
        Effect.gen(function* () {
          const { authorize, running } = yield* Processes
          const customer = yield* authorize(0)
          const { tenant } = customer
          const [frozen, other] = yield* twoOf(running)
          frozen.order({
            tenants: [tenant],
            updates: 1,
            timeout: hasty,
            stop: { at: "storing", signal: "SIGSTOP" }
          })
          yield* frozen.says(`${tenant} storing`)
          yield* expectUpdates(other, customer, { ReauthorizationRequired: 1 })
          expect((yield* customer.stored)?.authorization._tag).toBe("Ended")

          yield* Effect.raceFirst(frozen.says(`${tenant} stored`), resumed(frozen))
          yield* expectDone(frozen, customer, { updated: 1 })
          yield* expectUpdates(other, customer, { updated: 1 })
          yield* expectUpdates(frozen, customer, { updated: 1 })
          expect(yield* customer.refreshes).toEqual(["1 rotated"])
          expect(yield* customer.updates).toEqual(Array(3).fill("2 200"))
        }),
      60_000
    )

    it.scoped(
      "a process that was frozen while it was answered finds the response, and all go on with the tokens in it",
      () =>
        Effect.gen(function* () {
          const { authorize, running, sandbox } = yield* Processes
          const customer = yield* authorize(0)
          const [frozen, other] = yield* twoOf(running)
          yield* sandbox.inject(Fault.delay(hasty / 2, ofToken))
          frozen.order({ tenants: [customer.tenant], updates: 1, timeout: hasty })
          yield* untilRefreshed(customer)
          frozen.kill("SIGSTOP")
          yield* expectUpdates(other, customer, { ReauthorizationRequired: 1 })
          frozen.kill("SIGCONT")
          yield* expectDone(frozen, customer, { updated: 1 })
          yield* expectUpdates(other, customer, { updated: 1 })
          expect(yield* customer.refreshes).toEqual(["1 rotated"])
          expect(yield* customer.updates).toEqual(["2 200", "2 200"])
        }),
      60_000
    )

    it.scoped(
      "a process that is terminated while it refreshes stores the new tokens, and exits with 143",
      () =>
        Effect.gen(function* () {
          const { authorize, running, sandbox } = yield* Processes
          const customer = yield* authorize(0)
          const process = yield* running
          // Longer than the transport waits for what is under way.
          yield* sandbox.inject(Fault.delay("2 seconds", ofToken))
          process.order({ tenants: [customer.tenant], updates: 1, timeout: patient })
          yield* untilRefreshed(customer)
          process.kill("SIGTERM")
          expect((yield* customer.stored)?.authorization._tag).toBe("Refreshing")
          const [elapsed, end] = yield* Effect.timed(process.end)
          expect(end).toEqual({ code: 143, signal: null })
          expect(Duration.toMillis(elapsed)).toBeLessThan(5_000)
          expect(yield* customer.stored).toMatchObject({ generation: 3, authorization: { _tag: "Active" } })
          expect(yield* customer.updates).toEqual([])

          yield* expectUpdates(yield* running, customer, { updated: 1 })
          expect(yield* customer.refreshes).toEqual(["1 rotated"])
          expect(yield* customer.updates).toEqual(["2 200"])
        }),
      60_000
    )
  })
