import { expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { type InstallationError, isInstallationError } from "../src/InstallationError.ts"
import type { InstallationService } from "../src/InstallationService.ts"
import { TokenStore, TokenStoreError } from "../src/TokenStore.ts"
import * as FakeOAuth from "./support/fakeOAuth.ts"
import { activated } from "./support/http.ts"

/** A process, which may stop for ever in the middle of whatever it does. */
class Process {
  isDead = false
  store: FakeOAuth.Store
  update: InstallationService["Type"]["update"] | undefined
  readonly next: Array<"works" | "fails" | "stores, and fails" | "takes long"> = []

  constructor(shelf: FakeOAuth.Shelf) {
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
            default:
              return self
          }
        })
      ).pipe(Effect.flatMap((result) => unlessDead(Effect.succeed(result))))
    this.store = TokenStore.of({
      load: (key) => operate("load", shelf.store.load(key)),
      save: (key, expected, authorization) => operate("save", shelf.store.save(key, expected, authorization))
    })
  }
}

const faults = {
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

/** An update by one of the processes, with what happens around it. */
const step = FastCheck.record({
  of: FastCheck.nat(2),
  endpoint: sometimes(FastCheck.constantFrom(...(Object.keys(faults) as ReadonlyArray<keyof typeof faults>))),
  store: FastCheck.array(
    FastCheck.constantFrom(
      "works" as const,
      "works" as const,
      "fails" as const,
      "stores, and fails" as const,
      "takes long" as const
    ),
    { maxLength: 4 }
  ),
  isRejected: FastCheck.boolean(),
  wait: FastCheck.constantFrom(0, 0, 40, 1000, 5000, 11_000, 60_000),
  isInterrupted: rarely,
  dies: rarely,
  consents: rarely
})

it.scoped.prop(
  "however processes that share a store interleave, fail and die, no refresh token is sent twice",
  [FastCheck.array(step, { minLength: 2, maxLength: 10 })],
  ([steps]) =>
    Effect.gen(function* () {
      const server = new FakeOAuth.Server()
      server.expiresIn = 60
      const shelf = new FakeOAuth.Shelf()
      const scope = yield* Scope.make()
      yield* FakeOAuth.storeTokens(shelf.store, server.authorize(), 0)
      const processes: Array<Process> = []
      const start = Effect.gen(function* () {
        const process = new Process(shelf)
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
        if (each.endpoint !== undefined) server.tokenFaults.push(faults[each.endpoint])
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
      expect(server.replayed).toEqual([])
      // The token of a new consent does not wait for that of an earlier one.
      const consents = steps.filter(({ consents }) => consents).length
      expect(server.mostExchanging).toBeLessThanOrEqual(1 + consents)
      for (const { fiber, of } of begun) {
        const exit = Option.getOrUndefined(yield* fiber.poll)
        if (of.isDead) continue
        if (exit === undefined) throw new Error("an update did not end")
        if (Exit.isSuccess(exit) || Cause.isInterruptedOnly(exit.cause)) continue
        expect(Chunk.toReadonlyArray(Cause.defects(exit.cause))).toEqual([])
        for (const error of Cause.failures(exit.cause)) expect(isInstallationError(error)).toBe(true)
      }
      // Whatever has happened: a new consent is the end of it. Whoever holds older tokens learns of it by a 401.
      server.revoke()
      yield* FakeOAuth.storeTokens(shelf.store, server.authorize())
      const last = yield* Effect.forEach(processes, ({ update }) =>
        Effect.fork(update?.(activated) ?? Effect.void)
      )
      yield* TestClock.adjust("1 minute")
      for (const fiber of last)
        expect(Option.getOrThrow(yield* fiber.poll)).toMatchObject({ value: { status: "ACTIVATED" } })
      expect(server.replayed).toEqual([])
    }),
  { fastCheck: { numRuns: 25 }, timeout: 60_000 }
)
