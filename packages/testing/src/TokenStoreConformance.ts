/**
 * What every `TokenStore` has to keep to, as checks for a store of your own. They need no test framework; with
 * `layer` of @effect/vitest:
 *
 * ```ts
 * layer(MyTokenStore.layer, { excludeTestServices: true })("MyTokenStore", (it) => {
 *   for (const { title, check } of TokenStoreConformance.laws) it.effect(title, () => check)
 * })
 * ```
 *
 * Without the test services, since a store that waits between attempts would wait for ever by the `TestClock`. In
 * a file of its own, since `layer` changes what `it` is for all that follows.
 *
 * Every law takes keys that nobody had before, which all begin with `effect-pleo-conformance-`, so a store that
 * is shared and not empty will do. What it saved stays there: a `TokenStore` cannot remove.
 *
 * Within one process, the laws show that a store compares and swaps in one step as far as its fibers take turns.
 * That processes exclude each other is for the database to guarantee, or for a test that starts some.
 *
 * @since 0.1.0
 * @module
 */

import { Active, Authorization, Ended, Refreshing, type Tokens } from "@effect-pleo/core/Authorization"
import { type Stored, TokenStore, type TokenStoreError } from "@effect-pleo/core/TokenStore"
import * as Data from "effect/Data"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

/**
 * A store that breaks a law. It says which fields of an authorisation differ, and quotes none.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { TokenStore } from "@effect-pleo/core"
 * import { TokenStoreConformance } from "@effect-pleo/testing"
 * import * as Effect from "effect/Effect"
 *
 * // It says that it saves, and forgets.
 * const forgetful = TokenStore.TokenStore.of({
 *   load: () => Effect.succeedNone,
 *   save: () => Effect.succeed(true)
 * })
 *
 * const violation = Effect.runSync(
 *   Effect.flip(Effect.provideService(TokenStoreConformance.check, TokenStore.TokenStore, forgetful))
 * )
 * assert.equal(violation.law, "the first save expects 0 and makes generation 1")
 * assert.equal(violation.actual, "none")
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class Violation extends Data.TaggedError("Violation")<{
  /** The law's title. */
  readonly law: string
  readonly expected: string
  readonly actual: string
}> {
  override get message(): string {
    return `${this.law}: expected ${this.expected}, got ${this.actual}`
  }
}

/**
 * One thing that every store has to keep to: its title, a sentence, and the check of it.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { TokenStore } from "@effect-pleo/core"
 * import { TokenStoreConformance } from "@effect-pleo/testing"
 * import * as Effect from "effect/Effect"
 *
 * const report = ({ check, title }: TokenStoreConformance.Law) =>
 *   Effect.match(check, {
 *     onFailure: ({ message }) => `not ok: ${message}`,
 *     onSuccess: () => `ok: ${title}`
 *   })
 *
 * const program = Effect.forEach(TokenStoreConformance.laws, report)
 * const lines = await Effect.runPromise(Effect.provide(program, TokenStore.layerMemory))
 * assert.equal(lines[0], "ok: nothing stored loads as none")
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Law {
  readonly title: string
  /** Fails when the store breaks the law, or fails itself. */
  readonly check: Effect.Effect<void, Violation, TokenStore>
}

/** What was found to be otherwise, before it is known in which law. */
class Mismatch extends Data.TaggedError("Mismatch")<{
  readonly expected: string
  readonly actual: string
}> {}

type Check = Effect.Effect<void, Mismatch | TokenStoreError>

const law = (title: string, check: (store: TokenStore["Type"]) => Check): Law => ({
  title,
  check: Effect.flatMap(TokenStore, check).pipe(
    Effect.catchTags({
      Mismatch: ({ actual, expected }) => Effect.fail(new Violation({ law: title, expected, actual })),
      TokenStoreError: ({ message }) =>
        Effect.fail(new Violation({ law: title, expected: "no failure of the store", actual: message }))
    })
  )
})

// Not of Effect's Random: a test may have fixed that, and would find the keys of the run before.
const freshKey = Effect.sync(() => `effect-pleo-conformance-${crypto.randomUUID()}`)

const encode = Schema.encodeUnknownEither(Authorization)

/** The paths of the values that two encoded authorisations do not have in common. */
const differences = (a: unknown, b: unknown, path = ""): ReadonlyArray<string> => {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null)
    return Object.is(a, b) ? [] : [path]
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>]
  return [...new Set([...Object.keys(left), ...Object.keys(right)])].flatMap((name) =>
    // A field that is there and undefined is not one that is absent.
    Object.hasOwn(left, name) === Object.hasOwn(right, name)
      ? differences(left[name], right[name], path === "" ? name : `${path}.${name}`)
      : [path === "" ? name : `${path}.${name}`]
  )
}

/** How what was loaded differs from what was saved, without a word of either; `undefined` when it does not. */
const difference = (authorization: Authorization, loaded: unknown): string | undefined => {
  const encoded = encode(loaded)
  if (Either.isLeft(encoded)) return "something that is no authorisation"
  const found = differences(Either.getOrThrow(encode(authorization)), encoded.right)
  return found.length === 0 ? undefined : `one that differs in ${found.join(", ")}`
}

const expectSaved = (
  store: TokenStore["Type"],
  key: string,
  expected: number,
  authorization: Authorization,
  description = `a save that expects generation ${expected} to answer true`
): Check =>
  Effect.flatMap(store.save(key, expected, authorization), (saved) =>
    saved === true ? Effect.void : Effect.fail(new Mismatch({ expected: description, actual: String(saved) }))
  )

const expectRefused = (
  store: TokenStore["Type"],
  key: string,
  expected: number,
  description: string
): Check =>
  Effect.flatMap(store.save(key, expected, numbered(666)), (saved) =>
    saved === false
      ? Effect.void
      : Effect.fail(new Mismatch({ expected: description, actual: String(saved) }))
  )

const expectNone = (store: TokenStore["Type"], key: string, description: string): Check =>
  Effect.flatMap(
    store.load(key),
    Option.match({
      onNone: () => Effect.void,
      onSome: ({ generation }) =>
        Effect.fail(new Mismatch({ expected: description, actual: `generation ${generation}` }))
    })
  )

const expectStored = (
  store: TokenStore["Type"],
  key: string,
  generation: number,
  authorization: Authorization,
  description = `generation ${generation} as it was saved`
): Check => Effect.flatMap(store.load(key), (stored) => match(stored, generation, authorization, description))

const match = (
  stored: Option.Option<Stored>,
  generation: number,
  authorization: Authorization,
  expected: string
): Effect.Effect<void, Mismatch> => {
  if (Option.isNone(stored)) return Effect.fail(new Mismatch({ expected, actual: "none" }))
  if (stored.value.generation !== generation)
    return Effect.fail(new Mismatch({ expected, actual: `generation ${stored.value.generation}` }))
  const actual = difference(authorization, stored.value.authorization)
  return actual === undefined ? Effect.void : Effect.fail(new Mismatch({ expected, actual }))
}

const tokens = (
  accessToken: string,
  refreshToken: string,
  receivedAt: number,
  expiresIn?: number
): Tokens => ({
  accessToken: Redacted.make(accessToken),
  refreshToken: Redacted.make(refreshToken),
  receivedAt: DateTime.unsafeMake(receivedAt),
  ...(expiresIn === undefined ? {} : { expiresIn: Duration.millis(expiresIn) })
})

/** Tells its number in every field, and has another length than its neighbours. */
const numbered = (n: number): Authorization =>
  Active.make({
    tokens: tokens(`access-${n}-${"x".repeat(n % 2 === 0 ? 4096 : 1)}`, `refresh-${n}`, n, n * 1000)
  })

// What quoting, escaping or an encoding could change. The last are of more than 16 bits, and of several code points.
const odd = " '\"`\\%_$1?:;--/*\0\t\r\n\u2028&<>{}[]=+~é\u0065\u0301ß中𝄞👩‍👩‍👧 "

const at = 1_767_225_600_123

const samples: ReadonlyArray<readonly [description: string, Authorization]> = [
  ["active tokens", Active.make({ tokens: tokens("access", "refresh", at, 3_600_000) })],
  ["active tokens without expiresIn", Active.make({ tokens: tokens("access", "refresh", at) })],
  ["tokens of odd characters", Active.make({ tokens: tokens(odd, `${odd}r`, at, 1) })],
  ["tokens of 8 KiB", Active.make({ tokens: tokens("a".repeat(8192), "r".repeat(8192), at, 0) })],
  [
    "a refresh",
    Refreshing.make({
      tokens: tokens("access", "refresh", at, 86_400_000),
      lease: "4f0c",
      duration: Duration.millis(30_001)
    })
  ],
  [
    "a refresh of tokens without expiresIn",
    Refreshing.make({
      tokens: tokens("access", "refresh", at - 1),
      lease: `lease ${odd}`,
      duration: Duration.zero
    })
  ],
  ["an end by refusal", Ended.make({ reason: "Refused", lease: "4f0c" })],
  ["an end by loss", Ended.make({ reason: "Lost", lease: "4f0d" })]
]

/** Keys that a store may take for each other. */
const similar = (key: string): ReadonlyArray<string> => {
  const long = key.padEnd(199, "x")
  return [
    key,
    ...[
      "a",
      "A",
      "/",
      "/a",
      "\\",
      "%",
      "%2F",
      "%2f",
      "_",
      "*",
      "?",
      ".",
      "..",
      ".0",
      ".1",
      ":",
      "'",
      '"',
      "\t"
    ],
    ...[" ", "  ", " a", "é", "e", "e\u0301", "É", "ß", "ss", "中", "👍", "👎"]
  ]
    .map((end, index) => (index === 0 ? end : `${key}${end}`))
    .concat(` ${key}`, `${long}x`, `${long}y`)
}

const racers = 50
const rounds = 5
const generations = 50
const readers = 4

/**
 * The laws, one by one, for a test of each.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { TokenStore } from "@effect-pleo/core"
 * import { TokenStoreConformance } from "@effect-pleo/testing"
 * import * as Effect from "effect/Effect"
 *
 * // Every law that a store breaks, and not only the first.
 * const program = Effect.partition(TokenStoreConformance.laws, ({ check }) => check)
 *
 * const [violations] = await Effect.runPromise(Effect.provide(program, TokenStore.layerMemory))
 * assert.deepEqual(violations, [])
 * ```
 *
 * @since 0.1.0
 * @category laws
 */
export const laws: ReadonlyArray<Law> = [
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

  law("a save that expects another generation answers false and changes nothing", (store) =>
    Effect.gen(function* () {
      const missing = yield* freshKey
      yield* expectRefused(
        store,
        missing,
        1,
        "a save that expects 1, where nothing is stored, to answer false"
      )
      yield* expectNone(store, missing, "none after a refused save")

      const key = yield* freshKey
      for (let generation = 1; generation <= 3; generation++) {
        yield* expectSaved(store, key, generation - 1, numbered(generation))
        for (const expected of [0, 1, 2, 3, 4, 5].filter((other) => other !== generation)) {
          const description = `a save that expects ${expected}, where ${generation} is stored, to answer false`
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
            expected: `1 of ${racers} concurrent saves that expect generation ${round} to answer true`,
            actual: String(winners.length)
          })
        yield* expectStored(
          store,
          key,
          round + 1,
          racer(winner),
          `generation ${round + 1} as the save that answered true had it`
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
          `nothing to be stored yet under ${JSON.stringify(key)}, and a save there to answer true`
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
          // The next may be stored before its save has answered.
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
  )
]

/**
 * All laws, one after the other. Fails with the first that the store breaks.
 *
 * @example
 * ```ts
 * import { TokenStore } from "@effect-pleo/core"
 * import { TokenStoreConformance } from "@effect-pleo/testing"
 * import * as Effect from "effect/Effect"
 *
 * // Put the layer of your store in its place.
 * await Effect.runPromise(Effect.provide(TokenStoreConformance.check, TokenStore.layerMemory))
 * ```
 *
 * @since 0.1.0
 * @category laws
 */
export const check: Effect.Effect<void, Violation, TokenStore> = Effect.forEach(laws, (law) => law.check, {
  discard: true
})
