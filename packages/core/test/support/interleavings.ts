// Processes that share a store, and update while the store, the token endpoint, and they themselves fail.
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as TestContext from "effect/TestContext"
import type { Authorization } from "../../src/Authorization.ts"
import { type InstallationError, isInstallationError } from "../../src/InstallationError.ts"
import type { InstallationService } from "../../src/InstallationService.ts"
import { TokenStore, TokenStoreError } from "../../src/TokenStore.ts"
import * as FakeOAuth from "./fakeOAuth.ts"
import { activated } from "./http.ts"

const storeFaults = ["works", "fails", "stores, and fails", "takes long", "stores after its timeout"] as const

/** A process, which may stop for ever in the middle of anything. */
class Process {
  isDead = false
  store: FakeOAuth.Store
  update: InstallationService["Type"]["update"] | undefined
  readonly next: Array<(typeof storeFaults)[number]> = []

  constructor(shelf: FakeOAuth.Shelf, onSave: (authorization: Authorization) => void) {
    const unlessDead = <A, E>(self: Effect.Effect<A, E>) =>
      Effect.suspend(() => (this.isDead ? Effect.never : self))
    const operate = <A>(operation: "load" | "save", self: Effect.Effect<A, TokenStoreError>) =>
      unlessDead(
        Effect.suspend(() => {
          const error = Effect.fail(new TokenStoreError({ operation }))
          switch (this.next.shift()) {
            case "fails":
              return error
            case "stores, and fails":
              return Effect.zipRight(self, error)
            case "takes long":
              return Effect.delay(self, "3 seconds")
            case "stores after its timeout":
              return Effect.uninterruptible(Effect.delay(self, "12 seconds"))
            default:
              return self
          }
        })
      ).pipe(Effect.flatMap((result) => unlessDead(Effect.succeed(result))))
    this.store = TokenStore.of({
      ...shelf.store,
      load: (key) => operate("load", shelf.store.load(key)),
      save: (key, expected, authorization) => {
        if (!this.isDead) onSave(authorization)
        return operate("save", shelf.store.save(key, expected, authorization))
      }
    })
  }
}

const endpointFaults = {
  works: (answer) => Effect.sync(answer),
  lost: FakeOAuth.lost,
  hangs: FakeOAuth.hang,
  "is slow": FakeOAuth.slow("4 seconds"),
  "is busy": FakeOAuth.status(503),
  unsent: FakeOAuth.unsent,
  "refuses the app": FakeOAuth.oauthError("invalid_client", 401)
} satisfies Record<string, FakeOAuth.Fault>

const sometimes = <A>(arbitrary: FastCheck.Arbitrary<A>) =>
  FastCheck.oneof(FastCheck.constant(undefined), arbitrary)

const rarely = FastCheck.integer({ min: 0, max: 9 }).map((number) => number === 0)

export const lockedOut = "a customer was locked out without a refresh"

type Fault =
  | typeof lockedOut
  | "a refresh token was sent twice"
  | "an update after a new consent failed"
  | "an update did not end"
  | "an update ended with a defect"
  | "two refreshes ran at once"

/** Updates by one of three processes, with the faults around each of them. */
const arbitrary = FastCheck.array(
  FastCheck.record({
    of: FastCheck.nat(2),
    endpoint: sometimes(
      FastCheck.constantFrom(...(Object.keys(endpointFaults) as ReadonlyArray<keyof typeof endpointFaults>))
    ),
    store: FastCheck.array(FastCheck.constantFrom("works" as const, ...storeFaults), { maxLength: 4 }),
    isRejected: FastCheck.boolean(),
    wait: FastCheck.constantFrom(0, 0, 40, 1000, 5000, 11_000, 60_000),
    isInterrupted: rarely,
    dies: rarely,
    consents: rarely
  }),
  { minLength: 2, maxLength: 10 }
)

type Steps = typeof arbitrary extends FastCheck.Arbitrary<infer A> ? A : never

/** Runs the steps, and returns what went wrong. */
const run = (steps: Steps) =>
  Effect.gen(function* () {
    const server = new FakeOAuth.Server()
    server.expiresIn = 60
    const shelf = new FakeOAuth.Shelf()
    // Never closed: closing would wait in real time for the stores of dead processes.
    const scope = yield* Scope.make()
    yield* FakeOAuth.storeTokens(shelf.store, server.authorize(), 0)
    const processes: Array<Process> = []
    const leases = new Map<string, { readonly of: Process; readonly refreshToken: string }>()
    const start = Effect.gen(function* () {
      const process: Process = new Process(shelf, (authorization) => {
        if (authorization._tag !== "Refreshing") return
        const refreshToken = Redacted.value(authorization.tokens.refreshToken)
        leases.set(authorization.lease, { of: process, refreshToken })
      })
      process.update = yield* Scope.extend(
        FakeOAuth.startProcess(server, process.store, { timeout: "10 seconds" }),
        scope
      )
      return process
    })
    for (let index = 0; index < 3; index++) processes.push(yield* start)
    const begun: Array<{
      readonly of: Process
      readonly fiber: Fiber.RuntimeFiber<unknown, InstallationError>
    }> = []
    for (const each of steps) {
      if (each.consents) yield* FakeOAuth.storeTokens(shelf.store, server.authorize(), 0)
      const of = processes[each.of]
      if (of?.update === undefined) throw new Error("no such process")
      of.next.push(...each.store)
      if (each.endpoint !== undefined) server.tokenFaults.push(endpointFaults[each.endpoint])
      if (each.isRejected) server.updateFaults.push(FakeOAuth.status(401))
      const fiber = yield* Effect.fork(of.update(activated))
      begun.push({ of, fiber })
      yield* FakeOAuth.settled
      yield* TestClock.adjust(each.wait)
      if (each.isInterrupted) yield* Effect.fork(Fiber.interrupt(fiber))
      if (!each.dies) continue
      of.isDead = true
      processes[each.of] = yield* start
    }
    yield* TestClock.adjust("2 minutes")
    server.tokenFaults.length = 0
    server.updateFaults.length = 0
    for (const process of processes) process.next.length = 0
    yield* TestClock.adjust("3 minutes")

    const faults: Array<Fault> = []
    // A process that dies while it holds the lease may have sent the token: its grant has to end.
    const { only } = shelf
    const lease = only._tag === "Ended" ? leases.get(only.lease) : undefined
    if (lease?.of.isDead === false && !server.presented.includes(lease.refreshToken)) faults.push(lockedOut)
    // The token of a new consent does not wait for that of an earlier one.
    const consents = steps.filter(({ consents }) => consents).length
    if (server.mostExchanging > 1 + consents) faults.push("two refreshes ran at once")
    for (const { fiber, of } of begun) {
      const exit = fiber.unsafePoll()
      if (of.isDead || (exit !== null && (Exit.isSuccess(exit) || Cause.isInterruptedOnly(exit.cause))))
        continue
      if (exit === null) faults.push("an update did not end")
      else if (!isInstallationError(Option.getOrUndefined(Cause.failureOption(exit.cause))))
        faults.push("an update ended with a defect")
    }

    // A new consent ends every trouble. A process with older tokens learns of it by a 401.
    server.revoke()
    yield* FakeOAuth.storeTokens(shelf.store, server.authorize())
    const last = yield* Effect.forEach(processes, ({ update }) =>
      Effect.fork(update?.(activated) ?? Effect.void)
    )
    yield* TestClock.adjust("1 minute")
    for (const fiber of last) {
      const exit = fiber.unsafePoll()
      if (exit === null || Exit.isFailure(exit)) faults.push("an update after a new consent failed")
    }
    if (server.replayed.length > 0) faults.push("a refresh token was sent twice")
    return faults
  }).pipe(Effect.provide(Layer.merge(TestContext.TestContext, Logger.remove(Logger.defaultLogger))))

/** Runs many interleavings at once, since each mostly waits for its own clock. Returns those that went wrong. */
export const runAll = (runs: number, seed: number) =>
  Effect.forEach(
    FastCheck.sample(arbitrary, { numRuns: runs, seed }),
    (steps) =>
      // By itself, since a child would hand its clock on.
      Effect.map(
        Effect.promise(() => Effect.runPromise(run(steps))),
        (faults) => ({ steps, faults })
      ),
    { concurrency: 100 }
  ).pipe(Effect.map(Arr.filter(({ faults }) => faults.length > 0)))
