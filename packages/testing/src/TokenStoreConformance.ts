/**
 * The laws of every `TokenStore`, as tests for a store of your own. With `layer` of @effect/vitest:
 *
 * ```ts
 * layer(MyTokenStore.layer, { excludeTestServices: true })("MyTokenStore", (it) => {
 *   for (const { title, check } of TokenStoreConformance.laws) it.effect(title, () => check)
 * })
 * ```
 *
 * The test services are excluded, since a store that waits between attempts would wait forever by the `TestClock`.
 *
 * Every law uses fresh keys, which begin with `effect-pleo-conformance-`, so a shared store will do. The entries stay
 * there: a `TokenStore` cannot remove them. The laws run in one process; that a store excludes other processes takes
 * a test that starts some.
 *
 * @since 0.1.0
 * @module
 */
import { TokenStore } from "@effect-pleo/core/TokenStore"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import {
  type Check,
  expectKeys,
  expectListed,
  expectNone,
  expectRefused,
  expectSaved,
  expectStored,
  freshKey,
  listAll,
  Mismatch,
  match,
  Violation
} from "./internal/conformance/expectations.ts"
import { numbered, samples, similar } from "./internal/conformance/samples.ts"

const racers = 50
const rounds = 5
const generations = 50
const readers = 4

/** Keys saved at a time until a list has several pages, and the most of them: more than a database's default limit. */
const batch = 50
const mostKeys = 1100

const law = (title: string, check: (store: TokenStore["Type"]) => Check) => ({
  title,
  check: Effect.flatMap(TokenStore, check).pipe(
    Effect.catchTags({
      Mismatch: ({ actual, expected }) => Effect.fail(new Violation({ law: title, expected, actual })),
      TokenStoreError: ({ message }) =>
        Effect.fail(new Violation({ law: title, expected: "no failure of the store", actual: message }))
    })
  )
})

/**
 * The laws, each to be run as a test of its own: its title, and the effect that fails if the store breaks it. The
 * message of the error says what was expected of the store, and quotes no token.
 *
 * @example
 * ```ts
 * const program = Effect.partition(TokenStoreConformance.laws, ({ check }) => check)
 * const [violations] = await Effect.runPromise(Effect.provide(program, TokenStore.layerMemory))
 * if (violations.length > 0) throw violations[0]
 * ```
 *
 * @since 0.1.0
 * @category laws
 */
export const laws: ReadonlyArray<{
  readonly title: string
  readonly check: Effect.Effect<void, Error, TokenStore>
}> = [
  law("nothing stored loads as none", (store) =>
    Effect.flatMap(freshKey, (key) => expectNone(store, key, "none under a key never saved"))
  ),

  law("the first save expects 0 and makes generation 1", (store) =>
    Effect.gen(function* () {
      const key = yield* freshKey
      yield* expectSaved(store, key, 0, numbered(1))
      yield* expectStored(store, key, 1, numbered(1))
    })
  ),

  law("what is saved is loaded unchanged", (store) =>
    Effect.gen(function* () {
      // Over one another too, so that nothing remains of the one before.
      const shared = yield* freshKey
      for (const [index, [description, authorization]] of samples.entries()) {
        const key = yield* freshKey
        yield* expectSaved(store, key, 0, authorization)
        yield* expectStored(store, key, 1, authorization, description)
        yield* expectSaved(store, shared, index, authorization)
        yield* expectStored(store, shared, index + 1, authorization, `${description}, over something else`)
      }
    })
  ),

  law("a save that expects another generation returns false and changes nothing", (store) =>
    Effect.gen(function* () {
      const missing = yield* freshKey
      yield* expectRefused(
        store,
        missing,
        1,
        "a save that expects 1, where nothing is stored, to return false"
      )
      yield* expectNone(store, missing, "none after a refused save")

      const key = yield* freshKey
      for (let generation = 1; generation <= 3; generation++) {
        yield* expectSaved(store, key, generation - 1, numbered(generation))
        for (const expected of [0, 1, 2, 3, 4, 5].filter((other) => other !== generation)) {
          const description = `a save that expects ${expected}, where ${generation} is stored, to return false`
          yield* expectRefused(store, key, expected, description)
          yield* expectStored(
            store,
            key,
            generation,
            numbered(generation),
            `generation ${generation} as it was before a save that expects ${expected}`
          )
        }
      }
    })
  ),

  law("every save makes the next generation", (store) =>
    Effect.gen(function* () {
      const key = yield* freshKey
      for (let generation = 1; generation <= generations; generation++) {
        yield* expectSaved(store, key, generation - 1, numbered(generation))
        yield* expectStored(store, key, generation, numbered(generation))
      }
    })
  ),

  law("of saves that expect the same generation one succeeds", (store) =>
    Effect.gen(function* () {
      const key = yield* freshKey
      for (let round = 0; round < rounds; round++) {
        const racer = (n: number) => numbered(round * racers + n)
        const saved = yield* Effect.forEach(
          Array.from({ length: racers }, (_, n) => n),
          (n) => store.save(key, round, racer(n)),
          { concurrency: "unbounded" }
        )
        const winners = saved.flatMap((won, n) => (won ? [n] : []))
        const [winner] = winners
        if (winner === undefined || winners.length > 1)
          return yield* new Mismatch({
            expected: `1 of ${racers} concurrent saves that expect generation ${round} to return true`,
            actual: String(winners.length)
          })
        yield* expectStored(
          store,
          key,
          round + 1,
          racer(winner),
          `generation ${round + 1} as the save that returned true had it`
        )
      }
    })
  ),

  law("keys do not interfere", (store) =>
    Effect.gen(function* () {
      const keys = similar(yield* freshKey)
      for (const [index, key] of keys.entries())
        yield* expectSaved(
          store,
          key,
          0,
          numbered(index),
          `nothing to be stored yet under ${JSON.stringify(key)}, and a save there to return true`
        )
      for (const [index, key] of keys.entries())
        yield* expectStored(
          store,
          key,
          1,
          numbered(index),
          `generation 1 as it was saved under ${JSON.stringify(key)}`
        )
    })
  ),

  law("a load while another saves finds one generation, whole", (store) =>
    Effect.gen(function* () {
      const key = yield* freshKey
      yield* expectSaved(store, key, 0, numbered(1))

      let last = 1
      const read = Effect.gen(function* () {
        while (last < generations) {
          // A store in memory never waits: nobody else would get a turn.
          yield* Effect.yieldNow()
          const before = last
          const stored = yield* store.load(key)
          const generation = Option.match(stored, { onNone: () => 0, onSome: ({ generation }) => generation })
          // The next may be stored before its save returns.
          if (generation < before || generation > last + 1)
            return yield* new Mismatch({
              expected: `a load between generations ${before} and ${last + 1}`,
              actual: Option.isNone(stored) ? "none" : `generation ${generation}`
            })
          yield* match(stored, generation, numbered(generation), `generation ${generation} as it was saved`)
        }
      })
      const write = Effect.gen(function* () {
        for (let generation = 2; generation <= generations; generation++) {
          yield* Effect.yieldNow()
          yield* expectSaved(store, key, generation - 1, numbered(generation))
          last = generation
        }
      })

      const reading = yield* Effect.fork(
        Effect.all(
          Array.from({ length: readers }, () => read),
          { concurrency: "unbounded" }
        )
      )
      yield* Effect.raceFirst(write, Effect.zipRight(Fiber.join(reading), Effect.never))
      yield* Fiber.join(reading)
    })
  ),

  law("what is saved is listed once, with its newest authorization", (store) =>
    Effect.gen(function* () {
      const shared = yield* freshKey
      yield* expectRefused(
        store,
        shared,
        1,
        "a save that expects 1, where nothing is stored, to return false"
      )
      yield* expectKeys(yield* listAll(store, shared), [], "no key that was never saved")
      for (const [index, [description, authorization]] of samples.entries()) {
        const key = yield* freshKey
        yield* expectSaved(store, key, 0, authorization)
        yield* expectListed(store, key, authorization, description)
        yield* expectSaved(store, shared, index, authorization)
        yield* expectRefused(store, shared, index, `a save that expects ${index} again to return false`)
        yield* expectListed(store, shared, authorization, `${description}, over something else`)
      }

      const raced = yield* freshKey
      yield* Effect.forEach(Array.from({ length: racers }), () => store.save(raced, 0, numbered(0)), {
        concurrency: "unbounded",
        discard: true
      })
      yield* expectListed(store, raced, numbered(0), "a key once, after concurrent first saves")
    })
  ),

  law("a list has the keys that begin with its prefix, and no others", (store) =>
    Effect.gen(function* () {
      const base = yield* freshKey
      const keys = similar(base)
      for (const key of keys) yield* expectSaved(store, key, 0, numbered(0))
      for (const prefix of [...keys, base.toUpperCase(), base.slice(0, -1)])
        yield* expectKeys(
          yield* listAll(store, prefix),
          keys.filter((key) => key.startsWith(prefix)),
          `the keys that begin with ${JSON.stringify(prefix)}`
        )
    })
  ),

  law("all pages of a list have each key once, whatever else is saved between them", (store) =>
    Effect.gen(function* () {
      const prefix = yield* freshKey
      const keys: Array<string> = []
      for (let enough = mostKeys; keys.length < enough; ) {
        const added = Array.from(
          { length: batch },
          (_, n) => `${prefix}-${((keys.length + n) * 7919) % mostKeys}`
        )
        yield* Effect.forEach(added, (key) => expectSaved(store, key, 0, numbered(1)), {
          concurrency: 10,
          discard: true
        })
        keys.push(...added)
        if (enough < mostKeys) continue
        const { cursor } = yield* store.list(prefix, undefined)
        // Three pages, if they are of the same size.
        if (cursor !== undefined) enough = Math.min(mostKeys, 2 * keys.length + batch)
      }
      yield* expectKeys(yield* listAll(store, prefix), keys, `${keys.length} keys, each once`)

      const isOther = (key: string) => !keys.includes(key)
      let others = 0
      const between = Effect.suspend(() => {
        others += 1
        // Before the others, among them, and after them, in most orders.
        return Effect.forEach(["!", "-5", "~"], (end) =>
          expectSaved(store, `${prefix}${end}-${others}`, 0, numbered(2))
        )
      })
      yield* expectKeys(
        yield* listAll(store, prefix, Effect.asVoid(between)),
        keys,
        `${keys.length} keys, each once, while others are saved`,
        isOther
      )
    })
  )
]

/**
 * All laws, one after the other. Fails with the first that the store breaks.
 *
 * @example
 * ```ts
 * await Effect.runPromise(Effect.provide(TokenStoreConformance.check, TokenStore.layerMemory))
 * ```
 *
 * @since 0.1.0
 * @category laws
 */
export const check: Effect.Effect<void, Error, TokenStore> = Effect.forEach(laws, (law) => law.check, {
  discard: true
})
