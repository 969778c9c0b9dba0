import { Authorization } from "@effect-pleo/core/Authorization"
import type { Stored, TokenStore, TokenStoreError } from "@effect-pleo/core/TokenStore"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { numbered } from "./samples.ts"

/** A store that breaks a law. It names the fields of an authorization that differ, and quotes none. */
export class Violation extends Data.TaggedError("Violation")<{
  readonly law: string
  readonly expected: string
  readonly actual: string
}> {
  override get message(): string {
    return `${this.law}: expected ${this.expected}, got ${this.actual}`
  }
}

/** A violation, before its law is known. */
export class Mismatch extends Data.TaggedError("Mismatch")<{
  readonly expected: string
  readonly actual: string
}> {}

export type Check = Effect.Effect<void, Mismatch | TokenStoreError>

// Not of Effect's Random: a test may have fixed that, and would find the keys of the run before.
export const freshKey = Effect.sync(() => `effect-pleo-conformance-${crypto.randomUUID()}`)

const encode = Schema.encodeUnknownEither(Authorization)

/** The paths of the values that two encoded authorizations do not have in common. */
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
  if (Either.isLeft(encoded)) return "something that is no authorization"
  const found = differences(Either.getOrThrow(encode(authorization)), encoded.right)
  return found.length === 0 ? undefined : `one that differs in ${found.join(", ")}`
}

export const expectSaved = (
  store: TokenStore["Type"],
  key: string,
  expected: number,
  authorization: Authorization,
  description = `a save that expects generation ${expected} to return true`
): Check =>
  Effect.flatMap(store.save(key, expected, authorization), (saved) =>
    saved === true ? Effect.void : Effect.fail(new Mismatch({ expected: description, actual: String(saved) }))
  )

export const expectRefused = (
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

export const expectNone = (store: TokenStore["Type"], key: string, description: string): Check =>
  Effect.flatMap(
    store.load(key),
    Option.match({
      onNone: () => Effect.void,
      onSome: ({ generation }) =>
        Effect.fail(new Mismatch({ expected: description, actual: `generation ${generation}` }))
    })
  )

export const expectStored = (
  store: TokenStore["Type"],
  key: string,
  generation: number,
  authorization: Authorization,
  description = `generation ${generation} as it was saved`
): Check => Effect.flatMap(store.load(key), (stored) => match(stored, generation, authorization, description))

/** All pages of a list. `between` runs after each but the last. */
export const listAll = <E = never>(
  store: TokenStore["Type"],
  prefix: string,
  between: Effect.Effect<void, E> = Effect.void
): Effect.Effect<
  ReadonlyArray<{ readonly key: string; readonly authorization: Authorization | undefined }>,
  E | Mismatch | TokenStoreError
> =>
  Effect.gen(function* () {
    const seen = new Set<string | undefined>()
    const entries = []
    let cursor: string | undefined
    do {
      seen.add(cursor)
      const page = yield* store.list(prefix, cursor)
      entries.push(...page.entries)
      cursor = page.cursor
      if (cursor === undefined) return entries
      yield* between
    } while (!seen.has(cursor))
    return yield* new Mismatch({ expected: "a list that ends", actual: "the cursor of an earlier page" })
  })

/** Expects these keys, each once, in any order. Keys that `isOptional` accepts may be there too. */
export const expectKeys = (
  entries: ReadonlyArray<{ readonly key: string }>,
  keys: ReadonlyArray<string>,
  description: string,
  isOptional: (key: string) => boolean = () => false
): Effect.Effect<void, Mismatch> => {
  const listed = entries.map(({ key }) => key)
  const counts = new Map<string, number>()
  for (const key of listed) counts.set(key, (counts.get(key) ?? 0) + 1)
  const found = [
    ["missing", keys.filter((key) => !counts.has(key))],
    ["more than once", keys.filter((key) => (counts.get(key) ?? 0) > 1)],
    ["unexpected", listed.filter((key) => !keys.includes(key) && !isOptional(key))]
  ] as const
  const wrong = found.flatMap(([what, [first, ...others]]) =>
    first === undefined
      ? []
      : [`${what}: ${JSON.stringify(first)}${others.length === 0 ? "" : ` and ${others.length} more`}`]
  )
  return wrong.length === 0
    ? Effect.void
    : Effect.fail(new Mismatch({ expected: description, actual: wrong.join("; ") }))
}

/** Expects a key to be listed once, with this authorization. */
export const expectListed = (
  store: TokenStore["Type"],
  key: string,
  authorization: Authorization,
  description: string
): Check =>
  Effect.gen(function* () {
    const entries = yield* listAll(store, key)
    yield* expectKeys(entries, [key], description)
    const actual = difference(authorization, entries[0]?.authorization)
    if (actual !== undefined) return yield* new Mismatch({ expected: description, actual })
  })

export const match = (
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
