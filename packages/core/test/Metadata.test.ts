import { isDeepStrictEqual } from "node:util"
import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { fromParseIssue } from "../src/internal/contract/issues.ts"
import { type Json, Metadata } from "../src/Metadata.ts"
import { cyclic, hostileKeys, jsonObject, nested, notJson } from "./support/json.ts"

// The limit of Metadata.
const maxDepth = 128

const directions = [
  ["out", Schema.encodeUnknownEither(Metadata)],
  ["in", Schema.decodeUnknownEither(Metadata)]
] as const

describe.each(directions)("Metadata on its way %s", (_, convert) => {
  const flawOf = (value: unknown) =>
    fromParseIssue(Either.getOrThrow(Either.flip(convert(value))).issue).map(({ path }) => path)[0]

  it.prop("any JSON object is handed on as it is", [jsonObject], ([metadata]) => {
    const before = JSON.stringify(metadata)
    expect(JSON.stringify(Either.getOrThrow(convert(metadata)))).toBe(before)
    expect(JSON.stringify(metadata)).toBe(before)
  })

  it.each<readonly [string, Json]>([
    ["a string", "123456789"],
    ["an empty string", ""],
    ["a number", 1.5],
    ["true", true],
    ["null", null],
    ["an array", [1, [2, [null]]]],
    ["an object", { a: { b: {} } }],
    ["a lone surrogate", "\ud800"],
    ["an emoji", "🧾"],
    ["a line separator", "\u2028"]
  ])("a value may be %s", (_, value) => {
    expect(Either.getOrThrow(convert({ value }))).toEqual({ value })
  })

  it("an object without a prototype is a JSON object", () => {
    const metadata = Object.assign(Object.create(null), { key: "value" })
    expect(Either.getOrThrow(convert(metadata))).toEqual({ key: "value" })
  })

  it("the same object may appear twice, as long as it does not enclose itself", () => {
    const shared = { key: "value" }
    const metadata = { first: shared, second: [shared, shared] }
    expect(Either.getOrThrow(convert(metadata))).toEqual(metadata)
  })

  it.each([null, undefined, [], ["a"], "text", 1, true, new Date(0), new Map(), () => ({})])(
    "%o is no JSON object",
    (value) => {
      expect(flawOf(value)).toEqual([])
    }
  )

  it.each(notJson)("%s is refused and its path named", (_, value) => {
    expect(flawOf({ fine: 1, value })).toEqual(["value"])
    expect(flawOf({ list: [0, { deep: value }] })).toEqual(["list", 1, "deep"])
  })

  it("a hole in an array is refused and its index named", () => {
    const sparse: Array<number> = []
    sparse[2] = 1
    expect(flawOf({ list: sparse })).toEqual(["list", 0])
  })

  it("a symbol as a key is refused", () => {
    expect(flawOf({ [Symbol("key")]: 1 })).toHaveLength(1)
  })

  it.each(cyclic)("%s that encloses itself is refused where the circle closes", (_, value, path) => {
    expect(flawOf(value)).toEqual(path)
  })

  it(`${maxDepth} levels are kept`, () => {
    const metadata = nested(maxDepth)
    expect(Either.getOrThrow(convert(metadata))).toEqual(metadata)
  })

  it.each([maxDepth + 1, 200_000])("%i levels are refused where they become too many", (levels) => {
    expect(flawOf(nested(levels))).toHaveLength(maxDepth)
  })

  it("keys such as __proto__ and constructor stay own keys, and no prototype changes", () => {
    const before = Reflect.ownKeys(Object.prototype)
    const metadata = JSON.parse(hostileKeys)
    const converted = Either.getOrThrow(convert(metadata))
    expect(Object.keys(converted)).toEqual(["__proto__", "constructor", "toString", "prototype", "nested"])
    expect(JSON.stringify(converted)).toBe(hostileKeys)
    expect(Object.getPrototypeOf(converted)).toBe(Object.prototype)
    expect(Reflect.ownKeys(Object.prototype)).toEqual(before)
    expect({}).not.toHaveProperty("polluted")
  })
})

describe("Metadata", () => {
  it.prop("its arbitrary makes metadata that survive JSON", [Metadata], ([metadata]) => {
    const text = JSON.stringify(metadata)
    expect(JSON.stringify(JSON.parse(text))).toBe(text)
  })

  it("the values these tests call JSON include hostile keys", () => {
    const seen = FastCheck.sample(jsonObject, { numRuns: 500, seed: 1 })
    expect(seen.some((metadata) => Object.hasOwn(metadata, "__proto__"))).toBe(true)
    expect(seen.some((metadata) => isDeepStrictEqual(metadata, {}))).toBe(true)
  })
})
