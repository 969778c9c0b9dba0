import { inspect } from "node:util"
import { describe, expect, it } from "@effect/vitest"
import type { Authorization } from "@effect-pleo/core/Authorization"
import * as TokenStore from "@effect-pleo/core/TokenStore"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as TokenStoreConformance from "../src/TokenStoreConformance.ts"

type Store = TokenStore.TokenStore["Type"]
type Tokens = Extract<Authorization, { readonly _tag: "Active" }>["tokens"]
type Change = (authorization: Authorization) => Authorization

/** A store of texts that is as it should be but for what is changed of it. */
function texts(
  change: Partial<Parameters<typeof TokenStore.fromStrings>[0]> & {
    readonly generation?: (next: number) => number
    readonly key?: (key: string) => string
    readonly save?: never
    readonly stored?: (text: string, before: string | undefined) => string
  } = {}
): Store {
  const { generation = (next) => next, key: nameOf = (key) => key, stored = (text) => text } = change
  const map = new Map<string, TokenStore.StoredString>()
  return TokenStore.fromStrings({
    load: (key) => Effect.sync(() => Option.fromNullable(map.get(nameOf(key)))),
    save: (key, expected, value) =>
      Effect.sync(() => {
        const before = map.get(nameOf(key))
        if ((before?.generation ?? 0) !== expected) return false
        map.set(nameOf(key), { generation: generation(expected + 1), value: stored(value, before?.value) })
        return true
      }),
    list: (prefix) =>
      Effect.sync(() => ({
        entries: Array.from(map, ([key, { value }]) => ({ key, value })).filter(({ key }) =>
          key.startsWith(prefix)
        ),
        cursor: undefined
      }))
  })
}

/** Of stores whose list is not looked at. */
const unlisted = { list: () => Effect.succeed({ entries: [], cursor: undefined }) }

type Entry = Effect.Effect.Success<ReturnType<Store["list"]>>["entries"][number]

const pageSize = 300

/** The page after a key, in the order of the keys. */
const pageAfter = (entries: ReadonlyArray<Entry>, prefix: string, cursor: string | undefined) => {
  const left = entries
    .filter(({ key }) => key.startsWith(prefix) && (cursor === undefined || key > cursor))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
  const page = left.slice(0, pageSize)
  return { entries: page, cursor: left.length > pageSize ? page.at(-1)?.key : undefined }
}

/** A store with another list. */
const listing = (
  list: (
    entries: ReadonlyArray<Entry>,
    prefix: string,
    cursor: string | undefined
  ) => ReturnType<typeof pageAfter>
): Store => {
  const store = texts()
  return {
    ...store,
    list: (prefix, cursor) =>
      Effect.map(store.list("", undefined), ({ entries }) => list(entries, prefix, cursor))
  }
}

/** Saves something else than it is told. */
const saving = (change: Change): Store => {
  const store = texts()
  return {
    ...store,
    save: (key, expected, authorization) => store.save(key, expected, change(authorization))
  }
}

/** Decides by something else than whether the generation is the expected one. */
const deciding = (accepts: (generation: number, expected: number) => boolean): Store => {
  const map = new Map<string, TokenStore.Stored>()
  return {
    ...unlisted,
    load: (key) => Effect.sync(() => Option.fromNullable(map.get(key))),
    save: (key, expected, authorization) =>
      Effect.sync(() => {
        const generation = map.get(key)?.generation ?? 0
        if (!accepts(generation, expected)) return false
        map.set(key, { generation: generation + 1, authorization })
        return true
      })
  }
}

const withTokens =
  (change: (tokens: Tokens) => Tokens): Change =>
  (authorization) =>
    authorization._tag === "Ended"
      ? authorization
      : { ...authorization, tokens: change(authorization.tokens) }

const withAccessToken = (change: (token: string) => string): Change =>
  withTokens((tokens) => ({
    ...tokens,
    accessToken: Redacted.make(change(Redacted.value(tokens.accessToken)))
  }))

const title = {
  none: "nothing stored loads as none",
  first: "the first save expects 0 and makes generation 1",
  unchanged: "what is saved is loaded unchanged",
  refused: "a save that expects another generation returns false and changes nothing",
  next: "every save makes the next generation",
  one: "of saves that expect the same generation one succeeds",
  keys: "keys do not interfere",
  whole: "a load while another saves finds one generation, whole",
  listed: "what is saved is listed once, with its newest authorization",
  prefix: "a list has the keys that begin with its prefix, and no others",
  pages: "all pages of a list have each key once, whatever else is saved between them"
}

type Broken = readonly [law: keyof typeof title, what: string, make: () => Store]

const broken: ReadonlyArray<Broken> = [
  [
    "none",
    "makes up an end for what it does not know",
    () => ({
      ...texts(),
      load: () =>
        Effect.succeedSome({ generation: 0, authorization: { _tag: "Ended", reason: "Lost", lease: "" } })
    })
  ],
  [
    "none",
    "fails when there is nothing",
    () => ({
      ...texts(),
      load: () => Effect.fail(new TokenStore.TokenStoreError({ operation: "load", code: "NotFound" }))
    })
  ],
  ["first", "counts from 0", () => texts({ generation: (next) => next - 1 })],
  [
    "first",
    "only updates",
    () => deciding((generation, expected) => generation > 0 && generation === expected)
  ],
  ["first", "answers true and stores nothing", () => ({ ...texts(), save: () => Effect.succeed(true) })],
  [
    "first",
    "answers something like true",
    () => {
      const store = texts()
      return { ...store, save: (...all) => Effect.as(store.save(...all), 1 as unknown as boolean) }
    }
  ],
  ["unchanged", "drops expiresIn", () => saving(withTokens(({ expiresIn: _, ...tokens }) => tokens))],
  [
    "unchanged",
    "keeps expiresIn of the tokens before",
    () =>
      texts({
        stored: (text, before) => {
          const next = JSON.parse(text)
          return JSON.stringify({ ...next, tokens: { ...JSON.parse(before ?? "{}").tokens, ...next.tokens } })
        }
      })
  ],
  [
    "unchanged",
    "rounds to seconds",
    () =>
      saving(
        withTokens((tokens) => ({
          ...tokens,
          receivedAt: DateTime.unsafeMake(Math.floor(tokens.receivedAt.epochMillis / 1000) * 1000)
        }))
      )
  ],
  [
    "unchanged",
    "forgets that a refresh is under way",
    () =>
      saving((authorization) =>
        authorization._tag === "Refreshing" ? { _tag: "Active", tokens: authorization.tokens } : authorization
      )
  ],
  [
    "unchanged",
    "keeps one reason of an end",
    () =>
      saving((authorization) =>
        authorization._tag === "Ended" ? { ...authorization, reason: "Lost" } : authorization
      )
  ],
  [
    "unchanged",
    "keeps Latin-1 alone",
    () => saving(withAccessToken((token) => Buffer.from(token, "latin1").toString("latin1")))
  ],
  ["unchanged", "normalises Unicode", () => saving(withAccessToken((token) => token.normalize("NFC")))],
  ["unchanged", "ends a token at NUL", () => saving(withAccessToken((token) => token.split("\0")[0] ?? ""))],
  ["unchanged", "trims tokens", () => saving(withAccessToken((token) => token.trim()))],
  ["unchanged", "cuts tokens at 8000", () => saving(withAccessToken((token) => token.slice(0, 8000)))],
  [
    "unchanged",
    "gives what is no authorization",
    () => {
      const store = texts()
      return {
        ...store,
        load: (key) =>
          Effect.map(
            store.load(key),
            Option.map(({ generation }) => ({ generation, authorization: {} as Authorization }))
          )
      }
    }
  ],
  ["refused", "ignores what is expected", () => deciding(() => true)],
  ["refused", "takes what is too high", () => deciding((generation, expected) => expected >= generation)],
  ["refused", "takes what is too low", () => deciding((generation, expected) => expected <= generation)],
  [
    "refused",
    "takes 0 for anything",
    () => deciding((generation, expected) => expected === 0 || generation === expected)
  ],
  [
    "refused",
    "takes anything where there is nothing",
    () => deciding((generation, expected) => generation === 0 || generation === expected)
  ],
  [
    "refused",
    "answers false and saves",
    () => {
      const store = deciding(() => true)
      return {
        ...store,
        save: (key, expected, authorization) =>
          Effect.gen(function* () {
            const stored = yield* store.load(key)
            yield* store.save(key, expected, authorization)
            return expected === (Option.getOrUndefined(stored)?.generation ?? 0)
          })
      }
    }
  ],
  [
    "next",
    "counts by two from the second on",
    () => texts({ generation: (next) => (next === 1 ? 1 : next + 1) })
  ],
  ["next", "counts to 16", () => texts({ generation: (next) => (next > 16 ? 1 : next) })],
  [
    "one",
    "reads, and then writes",
    () => {
      const store = deciding(() => true)
      return {
        ...store,
        save: (key, expected, authorization) =>
          Effect.gen(function* () {
            const stored = yield* store.load(key)
            if ((Option.getOrUndefined(stored)?.generation ?? 0) !== expected) return false
            yield* Effect.yieldNow()
            return yield* store.save(key, expected, authorization)
          })
      }
    }
  ],
  [
    "one",
    "reads, and then writes, where something is stored",
    () => {
      const map = new Map<string, TokenStore.Stored>()
      return {
        ...unlisted,
        load: (key) => Effect.sync(() => Option.fromNullable(map.get(key))),
        save: (key, expected, authorization) =>
          Effect.gen(function* () {
            if ((map.get(key)?.generation ?? 0) !== expected) return false
            if (expected > 0) yield* Effect.yieldNow()
            map.set(key, { generation: expected + 1, authorization })
            return true
          })
      }
    }
  ],
  [
    "one",
    "answers true to all that it found waiting",
    () => {
      const store = texts()
      return { ...store, save: (...all) => Effect.zipLeft(Effect.succeed(true), store.save(...all)) }
    }
  ],
  ["keys", "does not tell upper case from lower", () => texts({ key: (key) => key.toLowerCase() })],
  ["keys", "trims keys", () => texts({ key: (key) => key.trim() })],
  ["keys", "drops spaces at the end alone", () => texts({ key: (key) => key.trimEnd() })],
  ["keys", "cuts keys at 199", () => texts({ key: (key) => key.slice(0, 199) })],
  ["keys", "cuts keys at 64", () => texts({ key: (key) => key.slice(0, 64) })],
  ["keys", "decodes keys", () => texts({ key: (key) => key.replaceAll(/%2f/gi, "/") })],
  [
    "keys",
    "makes keys safe for a file system",
    () => texts({ key: (key) => key.replaceAll(/[^\w.-]/g, "_") })
  ],
  ["keys", "has back slashes for slashes", () => texts({ key: (key) => key.replaceAll("\\", "/") })],
  ["keys", "resolves keys as paths", () => texts({ key: (key) => new URL(key, "file:///").pathname })],
  ["keys", "normalises keys", () => texts({ key: (key) => key.normalize("NFC") })],
  ["keys", "ignores accents", () => texts({ key: (key) => key.normalize("NFD").replaceAll(/\p{M}/gu, "") })],
  ["keys", "keeps ASCII of keys alone", () => texts({ key: (key) => key.replaceAll(/\P{ASCII}/gu, "?") })],
  [
    "keys",
    "keeps the high surrogates alone",
    () => texts({ key: (key) => key.replaceAll(/[\udc00-\udfff]/g, "") })
  ],
  ["keys", "ends keys at a separator", () => texts({ key: (key) => key.split(":")[0] ?? "" })],
  [
    "whole",
    "stores the generation before the rest",
    () => {
      const map = new Map<string, TokenStore.Stored>()
      return {
        ...unlisted,
        load: (key) => Effect.sync(() => Option.fromNullable(map.get(key))),
        save: (key, expected, authorization) =>
          Effect.gen(function* () {
            const before = map.get(key)
            if ((before?.generation ?? 0) !== expected) return false
            map.set(key, { generation: expected + 1, authorization: before?.authorization ?? authorization })
            yield* Effect.yieldNow()
            map.set(key, { generation: expected + 1, authorization })
            return true
          })
      }
    }
  ],
  [
    "whole",
    "removes before it stores",
    () => {
      const map = new Map<string, TokenStore.Stored>()
      return {
        ...unlisted,
        load: (key) => Effect.sync(() => Option.fromNullable(map.get(key))),
        save: (key, expected, authorization) =>
          Effect.gen(function* () {
            if ((map.get(key)?.generation ?? 0) !== expected) return false
            map.delete(key)
            yield* Effect.yieldNow()
            map.set(key, { generation: expected + 1, authorization })
            return true
          })
      }
    }
  ],
  [
    "whole",
    "shows a reader an older generation now and then",
    () => {
      const map = new Map<string, ReadonlyArray<TokenStore.Stored>>()
      let loads = 0
      return {
        ...unlisted,
        load: (key) =>
          Effect.sync(() => {
            const [newest, older] = map.get(key) ?? []
            return Option.fromNullable(loads++ % 3 === 2 ? (older ?? newest) : newest)
          }),
        save: (key, expected, authorization) =>
          Effect.sync(() => {
            const [newest] = map.get(key) ?? []
            if ((newest?.generation ?? 0) !== expected) return false
            map.set(key, [
              { generation: expected + 1, authorization },
              ...(newest === undefined ? [] : [newest])
            ])
            return true
          })
      }
    }
  ],
  ["listed", "lists nothing", () => ({ ...texts(), ...unlisted })],
  [
    "listed",
    "lists a key for each generation",
    () => {
      const store = texts()
      const saved: Array<Entry> = []
      return {
        ...store,
        save: (key, expected, authorization) =>
          Effect.tap(store.save(key, expected, authorization), (isSaved) => {
            if (isSaved) saved.push({ key, authorization })
          }),
        list: (prefix, cursor) => Effect.sync(() => pageAfter(saved, prefix, cursor))
      }
    }
  ],
  [
    "listed",
    "lists what it has refused",
    () => {
      const store = texts()
      const saved = new Map<string, Authorization>()
      return {
        ...store,
        save: (key, expected, authorization) => {
          saved.set(key, authorization)
          return store.save(key, expected, authorization)
        },
        list: (prefix, cursor) =>
          Effect.sync(() =>
            pageAfter(
              Array.from(saved, ([key, authorization]) => ({ key, authorization })),
              prefix,
              cursor
            )
          )
      }
    }
  ],
  [
    "listed",
    "lists the first authorization of a key",
    () => {
      const first = new Map<string, Authorization | undefined>()
      return listing((entries, prefix, cursor) => {
        for (const { authorization, key } of entries) if (!first.has(key)) first.set(key, authorization)
        return pageAfter(
          Array.from(first, ([key, authorization]) => ({ key, authorization })),
          prefix,
          cursor
        )
      })
    }
  ],
  ["prefix", "lists all keys", () => listing((entries, _, cursor) => pageAfter(entries, "", cursor))],
  [
    "prefix",
    "does not tell upper case from lower",
    () =>
      listing((entries, prefix) => ({
        entries: entries.filter(({ key }) => key.toLowerCase().startsWith(prefix.toLowerCase())),
        cursor: undefined
      }))
  ],
  ...(
    [
      ["%", "%", ".*"],
      ["_", "_", "."],
      ["*", "\\*", ".*"],
      ["?", "\\?", "."]
    ] as const
  ).map(
    ([name, escaped, meaning]): Broken => [
      "prefix",
      `takes ${name} for a wildcard`,
      () =>
        listing((entries, prefix) => {
          const source = prefix.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&").replaceAll(escaped, meaning)
          return {
            entries: entries.filter(({ key }) => new RegExp(`^${source}`, "s").test(key)),
            cursor: undefined
          }
        })
    ]
  ),
  [
    "pages",
    "ends after the first page",
    () => listing((entries, prefix) => ({ ...pageAfter(entries, prefix, undefined), cursor: undefined }))
  ],
  [
    "pages",
    "gives the first page for ever",
    () => listing((entries, prefix) => pageAfter(entries, prefix, undefined))
  ],
  [
    "pages",
    "skips a key between pages",
    () =>
      listing((entries, prefix, cursor) => {
        const page = pageAfter(entries, prefix, cursor)
        return { ...page, cursor: page.cursor && pageAfter(entries, prefix, page.cursor).entries[0]?.key }
      })
  ],
  [
    "pages",
    "counts the keys before a page, which may become more",
    () =>
      listing((entries, prefix, cursor) => {
        const first = Number(cursor ?? 0)
        const sorted = pageAfter(entries, prefix, undefined)
        const all = entries
          .filter(({ key }) => key.startsWith(prefix))
          .sort((a, b) => (a.key < b.key ? -1 : 1))
        return {
          entries: all.slice(first, first + pageSize),
          cursor: sorted.cursor && first + pageSize < all.length ? String(first + pageSize) : undefined
        }
      })
  ]
]

describe("a store", () => {
  it.effect.each(broken)("that breaks '%s' when it %s is found", ([law, , make]) =>
    Effect.gen(function* () {
      const found = TokenStoreConformance.laws.find((one) => one.title === title[law])
      const violation = yield* Effect.flip(found?.check ?? Effect.dieMessage("no such law")).pipe(
        Effect.provideService(TokenStore.TokenStore, make())
      )
      const { message } = violation
      expect(message.startsWith(`${title[law]}: expected `) && message.includes(", got ")).toBe(true)

      expect(
        yield* Effect.flip(TokenStoreConformance.check).pipe(
          Effect.provideService(TokenStore.TokenStore, make())
        )
      ).toMatchObject({ _tag: "Violation" })
    })
  )

  it("is found for each law", () => {
    expect(TokenStoreConformance.laws.map((law) => law.title)).toEqual(Object.values(title))
    expect([...new Set(broken.map(([law]) => title[law]))].sort()).toEqual(Object.values(title).sort())
  })
})

describe("a violation", () => {
  const violationOf = (law: keyof typeof title, store: Store) =>
    Effect.flip(
      TokenStoreConformance.laws.find((one) => one.title === title[law])?.check ??
        Effect.dieMessage("no such law")
    ).pipe(Effect.provideService(TokenStore.TokenStore, store))

  it.effect("names the fields that differ", () =>
    Effect.gen(function* () {
      const store = saving(withTokens(({ expiresIn: _, ...tokens }) => tokens))
      expect((yield* violationOf("unchanged", store)).message).toBe(
        "what is saved is loaded unchanged: expected active tokens, got one that differs in tokens.expiresIn"
      )
    })
  )

  it.effect("says how a store failed", () =>
    Effect.gen(function* () {
      const store: Store = {
        ...texts(),
        save: () => Effect.fail(new TokenStore.TokenStoreError({ operation: "save", code: "ENOSPC" }))
      }
      expect(yield* violationOf("first", store)).toMatchObject({
        expected: "no failure of the store",
        actual: "The token store could not save (ENOSPC)"
      })
    })
  )

  it.effect("quotes nothing of what a store holds", () =>
    Effect.gen(function* () {
      const canary = "canary-6d1f"
      const authorization: Authorization = {
        _tag: "Active",
        tokens: {
          accessToken: Redacted.make(canary),
          refreshToken: Redacted.make(canary),
          receivedAt: DateTime.unsafeMake(0)
        }
      }
      expect(Redacted.value(authorization.tokens.accessToken)).toContain(canary)
      const store: Store = {
        ...unlisted,
        load: () => Effect.succeedSome({ generation: 1, authorization }),
        save: () => Effect.succeed(true)
      }
      const violation = yield* violationOf("first", store)
      expect(violation.message).toContain("tokens.accessToken")
      for (const shown of [inspect(violation, { depth: null }), JSON.stringify(violation), violation.stack])
        expect(shown).not.toContain(canary)
    })
  )
})

// Last, since `layer` changes what `it` is for all that follows.
describe.each([
  ["the store in memory", TokenStore.layerMemory],
  ["a store of texts", Layer.sync(TokenStore.TokenStore, () => texts())]
])("%s", (_, layer) => {
  it.layer(layer)((it) => {
    for (const { check, title } of TokenStoreConformance.laws) it.effect(title, () => check)

    it.effect("keeps all laws, again and though others use it", () =>
      Effect.all([TokenStoreConformance.check, TokenStoreConformance.check], { concurrency: "unbounded" })
    )

    it.effect("keeps all laws again where Random starts anew", () => {
      const seeded = TokenStoreConformance.check.pipe(Effect.withRandom(Random.make("the same")))
      return Effect.zipRight(seeded, seeded)
    })
  })
})
