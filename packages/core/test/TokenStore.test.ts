import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Authorization } from "../src/Authorization.ts"
import { fromStrings, layerMemory, TokenStore, TokenStoreError } from "../src/TokenStore.ts"
import { leaks } from "./support/probes.ts"

const ended: Authorization = { _tag: "Ended", reason: "Refused", lease: "4f0c" }

describe("fromStrings", () => {
  it.effect("fails to load a string that is not an authorization, without quoting it", () =>
    Effect.gen(function* () {
      const store = fromStrings({
        load: () => Effect.succeedSome({ generation: 1, value: '{"_tag":"Active","tokens":"canary-7d20' }),
        save: () => Effect.succeed(true),
        list: () => Effect.succeed({ entries: [], cursor: undefined })
      })
      const error = yield* Effect.flip(store.load("key"))
      expect(error).toEqual(new TokenStoreError({ operation: "load", code: "INVALID" }))
      expect(leaks(error, "canary-7d20")).toEqual([])
    })
  )

  it.effect("lists a string that is not an authorization without one, beside the others", () =>
    Effect.gen(function* () {
      const strings = ['{"_tag":"Active","tokens":"canary-7d20', JSON.stringify(ended), "null"]
      const store = fromStrings({
        load: () => Effect.succeedNone,
        save: () => Effect.succeed(true),
        list: (prefix, cursor) =>
          Effect.succeed({
            entries: strings.map((value, index) => ({ key: `${prefix}${index}`, value })),
            cursor: `${cursor}, then more`
          })
      })
      expect(yield* store.list("key", "some")).toEqual({
        entries: [
          { key: "key0", authorization: undefined },
          { key: "key1", authorization: ended },
          { key: "key2", authorization: undefined }
        ],
        cursor: "some, then more"
      })
    })
  )
})

describe("layerMemory", () => {
  it.effect("is empty each time that it is provided", () =>
    Effect.gen(function* () {
      const save = Effect.flatMap(TokenStore, (store) => store.save("key", 0, ended))
      const saved = Effect.provide(save, layerMemory)
      expect([yield* saved, yield* saved]).toEqual([true, true])
    })
  )
})
