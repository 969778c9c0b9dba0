import { inspect } from "node:util"
import * as PlatformError from "@effect/platform/Error"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import { describe, expect, it } from "@effect/vitest"
import * as TokenStoreConformance from "@effect-pleo/testing/TokenStoreConformance"
import * as DateTime from "effect/DateTime"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { Authorization } from "../src/Authorization.ts"
import * as KeyValueTokenStore from "../src/KeyValueTokenStore.ts"
import { TokenStore, TokenStoreError } from "../src/TokenStore.ts"

const ended = (lease: string): Authorization => ({ _tag: "Ended", reason: "Refused", lease })

/** What was written, in the map given, each time after what `before` does. */
const storeOver = (
  map: Map<string, string>,
  before = Effect.void as Effect.Effect<void, PlatformError.PlatformError>
) =>
  KeyValueTokenStore.make.pipe(
    Effect.provideService(
      KeyValueStore.KeyValueStore,
      KeyValueStore.makeStringOnly({
        get: (key) => Effect.sync(() => Option.fromNullable(map.get(key))),
        set: (key, value) => Effect.andThen(before, () => void map.set(key, value)),
        remove: (key) => Effect.sync(() => void map.delete(key)),
        clear: Effect.sync(() => map.clear()),
        size: Effect.sync(() => map.size)
      })
    )
  )

const slot = (map: ReadonlyMap<string, string>, generation: number): string =>
  [...map.keys()].find((name) => !name.includes("index") && name.endsWith(`.${generation % 2}`)) ?? ""

describe("a slot", () => {
  it.effect("that is torn at any length counts as not written", () =>
    Effect.gen(function* () {
      const map = new Map<string, string>()
      const store = yield* storeOver(map)
      for (const generation of [1, 2, 3])
        expect(yield* store.save("key", generation - 1, ended(`${generation}`))).toBe(true)

      const whole = map.get(slot(map, 3)) ?? ""
      for (let length = 0; length < whole.length; length++) {
        map.set(slot(map, 3), whole.slice(0, length))
        expect(yield* store.load("key")).toEqual(Option.some({ generation: 2, authorization: ended("2") }))
      }
      map.set(slot(map, 3), whole)
      expect(yield* store.load("key")).toEqual(Option.some({ generation: 3, authorization: ended("3") }))
    })
  )

  it.effect.each([
    "",
    "null",
    "[]",
    "{}",
    '{"key":"","generation":0,"text":""}',
    '{"key":"","generation":9}',
    "\0\0"
  ])("of %j counts as not written, and is written again", (text) =>
    Effect.gen(function* () {
      const map = new Map<string, string>()
      const store = yield* storeOver(map)
      yield* store.save("key", 0, ended("1"))
      map.set(slot(map, 1), text)
      expect(yield* store.load("key")).toEqual(Option.none())
      expect(yield* store.save("key", 1, ended("2"))).toBe(false)
      expect(yield* store.save("key", 0, ended("1"))).toBe(true)
      expect(yield* store.load("key")).toEqual(Option.some({ generation: 1, authorization: ended("1") }))
    })
  )

  it.effect("is found again by another layer, and by people", () =>
    Effect.gen(function* () {
      const map = new Map<string, string>()
      yield* Effect.flatMap(storeOver(map), (store) => store.save("a customer", 0, ended("1")))
      expect([...map.values()].join()).toContain('"key":"a customer"')
      const store = yield* storeOver(map)
      expect(yield* store.load("a customer")).toMatchObject({ value: { generation: 1 } })
    })
  )

  it.effect("has a name that every file system has room for", () =>
    Effect.gen(function* () {
      const map = new Map<string, string>()
      const store = yield* storeOver(map)
      for (const key of ["", ".", "..", "a/b", "中".repeat(1000), "\ud800", "\udbff"])
        yield* store.save(key, 0, ended(key))
      // A slot and an entry of the index for each, and the two slots of the index.
      expect(map.size).toBe(16)
      for (const name of map.keys()) expect(name).toMatch(/^[a-z0-9.-]{1,100}$/)
    })
  )
})

describe("a save", () => {
  it.effect("that is interrupted while it writes is over before the next begins", () =>
    Effect.gen(function* () {
      const map = new Map<string, string>()
      yield* Effect.flatMap(storeOver(map), (store) => store.save("key", 0, ended("first")))
      const [writing, go] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const store = yield* storeOver(
        map,
        Deferred.succeed(writing, undefined).pipe(Effect.zipRight(Deferred.await(go)))
      )
      const first = yield* Effect.fork(store.save("key", 1, ended("interrupted")))
      yield* Deferred.await(writing)
      yield* Fiber.interruptFork(first)
      const second = yield* Effect.fork(store.save("key", 1, ended("late")))
      yield* Effect.yieldNow()
      yield* Deferred.succeed(go, undefined)
      expect(yield* Fiber.join(second)).toBe(false)
      expect(yield* store.load("key")).toEqual(
        Option.some({ generation: 2, authorization: ended("interrupted") })
      )
    })
  )

  it.effect("that fails leaves the generation before", () =>
    Effect.gen(function* () {
      const map = new Map<string, string>()
      yield* Effect.flatMap(storeOver(map), (store) => store.save("key", 0, ended("1")))
      const full = new PlatformError.SystemError({
        reason: "WriteZero",
        module: "KeyValueStore",
        method: "set"
      })
      const store = yield* storeOver(map, Effect.fail(full))
      expect(yield* Effect.flip(store.save("key", 1, ended("2")))).toEqual(
        new TokenStoreError({ operation: "save", code: "WriteZero" })
      )
      expect(yield* store.load("key")).toEqual(Option.some({ generation: 1, authorization: ended("1") }))
    })
  )
})

describe("the index", () => {
  const full = new PlatformError.SystemError({ reason: "WriteZero", module: "KeyValueStore", method: "set" })

  it.effect.each([1, 2, 3])("lists a key once after a first save that fails at its write %i", (write) =>
    Effect.gen(function* () {
      const map = new Map<string, string>()
      let writes = 0
      const failing = yield* storeOver(
        map,
        Effect.suspend(() => (++writes === write ? Effect.fail(full) : Effect.void))
      )
      yield* Effect.flip(failing.save("key", 0, ended("1")))
      expect(yield* failing.list("", undefined)).toEqual({ entries: [], cursor: undefined })

      const store = yield* storeOver(map)
      yield* store.save("another", 0, ended("2"))
      expect(yield* store.save("key", 0, ended("1"))).toBe(true)
      const { entries } = yield* store.list("", undefined)
      expect(entries.map(({ key }) => key).toSorted()).toEqual(["another", "key"])
    })
  )

  it.effect("takes as many writes for the thousandth customer as for the first", () =>
    Effect.gen(function* () {
      let writes = 0
      const store = yield* storeOver(
        new Map(),
        Effect.sync(() => void writes++)
      )
      const writesOf = (key: string, expected: number) =>
        Effect.sync(() => {
          writes = 0
        }).pipe(
          Effect.zipRight(store.save(key, expected, ended(key))),
          Effect.map(() => writes)
        )
      for (let customer = 0; customer < 1000; customer++) yield* writesOf(`${customer}`, 0)
      expect(yield* writesOf("last", 0)).toBe(3)
      expect(yield* writesOf("last", 1)).toBe(1)
    })
  )
})

describe("an error", () => {
  const canary = "canary-2b7c"
  const shown = (error: unknown) => [
    inspect(error, { depth: null, showHidden: true }),
    JSON.stringify(error),
    String((error as Error).stack)
  ]

  const refusing = (error: PlatformError.PlatformError) =>
    KeyValueTokenStore.make.pipe(
      Effect.provideService(
        KeyValueStore.KeyValueStore,
        KeyValueStore.makeStringOnly({
          get: () => Effect.fail(error),
          set: () => Effect.fail(error),
          remove: () => Effect.fail(error),
          clear: Effect.fail(error),
          size: Effect.fail(error)
        })
      )
    )

  it.effect.each([
    [
      "PermissionDenied",
      new PlatformError.SystemError({
        reason: "PermissionDenied",
        module: "KeyValueStore",
        method: "set",
        pathOrDescriptor: canary,
        description: canary,
        cause: new Error(canary)
      })
    ],
    [
      "BadArgument",
      new PlatformError.BadArgument({ module: "KeyValueStore", method: "set", description: canary })
    ]
  ] as const)("has only the reason %s of the one of the KeyValueStore", ([code, error]) =>
    Effect.gen(function* () {
      expect(shown(error).join()).toContain(canary)
      const store = yield* refusing(error)
      const authorization: Authorization = {
        _tag: "Active",
        tokens: {
          accessToken: Redacted.make(canary),
          refreshToken: Redacted.make(canary),
          receivedAt: DateTime.unsafeMake(0)
        }
      }
      const errors = [
        yield* Effect.flip(store.load("key")),
        yield* Effect.flip(store.save("key", 0, authorization))
      ]
      expect(errors).toEqual([
        new TokenStoreError({ operation: "load", code }),
        new TokenStoreError({ operation: "save", code })
      ])
      expect(errors.flatMap(shown).join()).not.toContain(canary)
    })
  )
})

it.effect("keeps two customers apart", () =>
  Effect.gen(function* () {
    const store = yield* TokenStore
    yield* store.save("a", 0, ended("a"))
    expect(yield* store.load("b")).toEqual(Option.none())
  }).pipe(Effect.provide(Layer.provide(KeyValueTokenStore.layer, KeyValueStore.layerMemory)))
)

// Last, since `layer` changes what `it` is for all that follows.
it.layer(Layer.provide(KeyValueTokenStore.layer, KeyValueStore.layerMemory))("over memory", (it) => {
  for (const { check, title } of TokenStoreConformance.laws) it.effect(title, () => check)
})
