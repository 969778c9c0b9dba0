import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import { Semaphore, withPermit } from "../src/internal/semaphore.ts"
import { settled } from "./support/fakeOAuth.ts"

/** What runs until it is told to end, and notes that it has begun. */
const gated = (semaphore: Semaphore) => {
  const begun: Array<string> = []
  const run = (name: string) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const body = Effect.zipRight(
        Effect.sync(() => begun.push(name)),
        Deferred.await(gate)
      )
      const fiber = yield* Effect.fork(withPermit(semaphore, body))
      yield* settled
      return { fiber, end: Effect.zipRight(Deferred.succeed(gate, undefined), settled) }
    })
  return { begun, run }
}

describe("semaphore", () => {
  it("drains in a time that grows with the number of waiters, and no faster", async () => {
    const drain = async (count: number): Promise<number> => {
      const semaphore = new Semaphore(1)
      semaphore.acquire(() => {})
      let held = 0
      for (let index = 0; index < count; index++)
        semaphore.acquire(() => {
          held += 1
        })
      const start = performance.now()
      for (let index = 0; index < count; index++) semaphore.release()
      // The last of them was called before.
      await undefined
      expect(held).toBe(count)
      return (performance.now() - start) / count
    }
    // The fastest of several, since a collection of garbage takes longer than to drain.
    const fastest = async (count: number) =>
      Math.min(await drain(count), await drain(count), await drain(count), await drain(count))
    await drain(5_000)
    expect((await fastest(100_000)) / (await fastest(5_000))).toBeLessThan(10)
  })

  it.effect("let so many through at once, and the others first come, first served", () =>
    Effect.gen(function* () {
      const { begun, run } = gated(new Semaphore(2))
      const [a, b, c] = [yield* run("a"), yield* run("b"), yield* run("c")]
      yield* run("d")
      yield* run("e")
      expect(begun).toEqual(["a", "b"])
      yield* b.end
      expect(begun).toEqual(["a", "b", "c"])
      yield* c.end
      yield* a.end
      expect(begun).toEqual(["a", "b", "c", "d", "e"])
    })
  )

  it.effect("an interrupted waiter gives up its place at once, and never runs", () =>
    Effect.gen(function* () {
      const { begun, run } = gated(new Semaphore(1))
      const a = yield* run("a")
      const b = yield* run("b")
      yield* run("c")
      yield* Fiber.interruptFork(b.fiber)
      yield* settled
      const exit = b.fiber.unsafePoll()
      expect(exit !== null && Exit.isInterrupted(exit)).toBe(true)
      yield* a.end
      expect(begun).toEqual(["a", "c"])
    })
  )

  it.effect("a waiter interrupted at the moment of its turn passes the permit on", () =>
    Effect.gen(function* () {
      const semaphore = new Semaphore(1)
      const { begun, run } = gated(semaphore)
      const gate = yield* Deferred.make<void>()
      let second: Fiber.RuntimeFiber<unknown> | undefined
      // In one step with the end of the first: the turn is given, and not yet used.
      yield* withPermit(semaphore, Deferred.await(gate)).pipe(
        Effect.zipRight(Effect.sync(() => second?.unsafeInterruptAsFork(FiberId.none))),
        Effect.fork
      )
      yield* settled
      second = (yield* run("second")).fiber
      yield* run("third")
      yield* Deferred.succeed(gate, undefined)
      yield* settled
      expect(begun).toEqual(["third"])
    })
  )

  it.effect("a waiter interrupted between its turn and its start passes the permit on", () =>
    Effect.gen(function* () {
      const semaphore = new Semaphore(1)
      const { begun, run } = gated(semaphore)
      semaphore.acquire(() => {})
      const second = (yield* run("second")).fiber
      yield* run("third")
      semaphore.release()
      second.unsafeInterruptAsFork(FiberId.none)
      yield* settled
      expect(begun).toEqual(["third"])
    })
  )

  it.effect.each<{ readonly name: string; readonly body: Effect.Effect<void, string> }>([
    { name: "succeeds", body: Effect.void },
    { name: "fails", body: Effect.fail("failure") },
    { name: "dies", body: Effect.die("defect") },
    { name: "is interrupted", body: Effect.interrupt },
    {
      name: "throws",
      body: Effect.suspend(() => {
        throw new Error("thrown")
      })
    }
  ])("are free again after what $name, and for who waited", ({ body }) =>
    Effect.gen(function* () {
      const semaphore = new Semaphore(1)
      const { begun, run } = gated(semaphore)
      for (const _ of [1, 2, 3]) yield* Effect.exit(withPermit(semaphore, body))
      const a = yield* run("a")
      const waiting = yield* Effect.fork(withPermit(semaphore, body))
      yield* settled
      yield* run("b")
      yield* a.end
      expect(waiting.unsafePoll()).not.toBeNull()
      expect(begun).toEqual(["a", "b"])
    })
  )
})
