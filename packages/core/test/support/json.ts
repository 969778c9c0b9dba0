import * as FastCheck from "effect/FastCheck"
import type { Json } from "../../src/Metadata.ts"

const key = FastCheck.oneof(
  { weight: 4, arbitrary: FastCheck.string({ unit: "grapheme" }) },
  { weight: 1, arbitrary: FastCheck.constantFrom("__proto__", "constructor", "toString", "0", "") }
)

// Object.fromEntries defines own properties, __proto__ included.
const object = <A>(value: FastCheck.Arbitrary<A>): FastCheck.Arbitrary<{ readonly [key: string]: A }> =>
  FastCheck.array(FastCheck.tuple(key, value), { maxLength: 5 }).map(Object.fromEntries<A>)

const { json } = FastCheck.letrec<{ json: Json }>((tie) => ({
  json: FastCheck.oneof(
    { depthSize: "small", withCrossShrink: true },
    FastCheck.constantFrom(null, true, false, "\ud800", "\udc00x"),
    FastCheck.string(),
    // The unit "binary" is nearly as wide, but takes two seconds to make.
    FastCheck.string({ unit: FastCheck.nat(0x10ffff).map((code) => String.fromCodePoint(code)) }),
    // JSON text has a negative zero, but JSON.stringify writes none.
    FastCheck.double({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER, noNaN: true }).map(
      (number) => number + 0
    ),
    FastCheck.array(tie("json"), { maxLength: 4 }),
    object(tie("json"))
  )
}))

/** Any JSON object, hostile keys and lone surrogates included. */
export const jsonObject = object(json)

export const hostileKeys =
  '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"toString":1,"prototype":null,"nested":{"__proto__":{"polluted":true}}}'

class Money {
  readonly amount = 1
}

/** What JSON cannot hold. */
export const notJson: ReadonlyArray<readonly [string, unknown]> = [
  ["undefined", undefined],
  ["a bigint", 1n],
  ["a function", () => 1],
  ["a symbol", Symbol("s")],
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
  ["a Date", new Date(0)],
  ["a Map", new Map()],
  ["a Set", new Set()],
  ["a RegExp", /x/],
  ["an Error", new Error("x")],
  ["a Uint8Array", new Uint8Array(1)],
  ["a boxed string", Object("text")],
  ["a class instance", new Money()]
]

const circularObject = (): Record<string, unknown> => {
  const outer: Record<string, unknown> = { fine: 1 }
  outer["self"] = outer
  return outer
}

const circularArray = (): Record<string, unknown> => {
  const list: Array<unknown> = [0]
  list.push({ list })
  return { list }
}

/** Circular values, and the path at which each comes round to itself. */
export const cyclic: ReadonlyArray<
  readonly [string, Readonly<Record<string, unknown>>, ReadonlyArray<PropertyKey>]
> = [
  ["an object", circularObject(), ["self"]],
  ["an array", circularArray(), ["list", 1, "list"]]
]

/** An object of that many levels, itself included. */
export const nested = (levels: number): Readonly<Record<string, unknown>> => {
  let value: Readonly<Record<string, unknown>> = {}
  for (let level = 1; level < levels; level++) value = { a: value }
  return value
}
