// Core's store over real files: here, since core has nothing of Node and this package has @effect/platform-node.
import { readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as NodeKeyValueStore from "@effect/platform-node/NodeKeyValueStore"
import { expect, it } from "@effect/vitest"
import type { Authorization } from "@effect-pleo/core/Authorization"
import * as KeyValueTokenStore from "@effect-pleo/core/KeyValueTokenStore"
import { TokenStore } from "@effect-pleo/core/TokenStore"
import * as TokenStoreConformance from "@effect-pleo/testing/TokenStoreConformance"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { temporaryDirectory } from "../../node/test/support/temporaryDirectory.ts"

const layerIn = (directory: string) =>
  Layer.provide(KeyValueTokenStore.layer, NodeKeyValueStore.layerFileSystem(directory))

const active = (n: number): Authorization => ({
  _tag: "Active",
  tokens: {
    accessToken: Redacted.make(`access-${n}-中`),
    refreshToken: Redacted.make(`refresh-${n}`),
    receivedAt: DateTime.unsafeMake(n)
  }
})

it.scoped("a file that is torn at any byte leaves the generation before, whose save comes again", () =>
  Effect.gen(function* () {
    const directory = yield* temporaryDirectory
    yield* Effect.gen(function* () {
      const store = yield* TokenStore
      for (const generation of [1, 2, 3]) yield* store.save("key", generation - 1, active(generation))

      const slots = readdirSync(directory).filter((name) => !name.includes("index"))
      expect(slots).toHaveLength(2)
      const newest = join(directory, slots.find((name) => name.endsWith(".1")) ?? "")
      const whole = readFileSync(newest)
      for (let length = whole.length - 1; length >= 0; length--) {
        truncateSync(newest, length)
        expect(yield* store.load("key")).toEqual(Option.some({ generation: 2, authorization: active(2) }))
      }
      writeFileSync(newest, Buffer.alloc(whole.length))
      expect(yield* store.load("key")).toMatchObject({ value: { generation: 2 } })

      expect(yield* store.save("key", 3, active(4))).toBe(false)
      expect(yield* store.save("key", 2, active(3))).toBe(true)
      expect(readFileSync(newest)).toEqual(whole)
    }).pipe(Effect.provide(layerIn(directory)))

    // As a process that starts again finds it.
    yield* Effect.gen(function* () {
      expect(yield* Effect.flatMap(TokenStore, (store) => store.load("key"))).toEqual(
        Option.some({ generation: 3, authorization: active(3) })
      )
    }).pipe(Effect.provide(layerIn(directory)))
  })
)

// Last, since `layer` changes what `it` is for all that follows.
it.layer(Layer.unwrapScoped(Effect.map(temporaryDirectory, layerIn)))("over files", (it) => {
  for (const { check, title } of TokenStoreConformance.laws) it.effect(title, () => check)
})
