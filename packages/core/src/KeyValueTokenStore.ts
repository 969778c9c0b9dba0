/**
 * `TokenStore` on a `KeyValueStore`, such as a directory of files, for one process at a time: a `KeyValueStore`
 * cannot compare and swap, so only the saves of one layer exclude each other. Several processes, or several
 * layers, share a database instead: `SqlTokenStore` of @effect-pleo/sql.
 *
 * The texts hold the tokens as they are. `KeyValueStore.layerFileSystem` writes files that others may read: give
 * it a directory that only this user can enter.
 *
 * @since 0.1.0
 * @module
 */
import type { PlatformError } from "@effect/platform/Error"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Semaphore, withPermit } from "./internal/semaphore.ts"
import * as TextTokenStore from "./TextTokenStore.ts"
import { TokenStore, TokenStoreError } from "./TokenStore.ts"

// Two slots for each key, written in turn: a process that is killed while it writes tears the one it was writing,
// and leaves the generation before in the other.
const slots = [0, 1]

/** `key` is for people who look for one, since the name of the slot does not tell. */
const Slot = Schema.parseJson(
  Schema.Struct({
    key: Schema.String,
    generation: Schema.Int.pipe(Schema.positive()),
    text: Schema.String
  })
)

const encode = Schema.encodeSync(Slot)
const decode = Schema.decodeOption(Slot)

/**
 * What a slot is called. A file system limits a name to 255 bytes, and may not tell upper case from lower: a hash
 * is short, and written without capitals. As JSON, since UTF-8 makes all lone surrogates one.
 */
const nameOf = (key: string): Effect.Effect<string> =>
  Effect.map(
    Effect.promise(() => crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(key)))),
    (hash) =>
      `effect-pleo-${Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("")}`
  )

const failure = (operation: "load" | "save") => (error: PlatformError) =>
  // Its message and its cause may quote paths and values.
  new TokenStoreError({ operation, code: error._tag === "SystemError" ? error.reason : error._tag })

/**
 * A `TokenStore` on the `KeyValueStore` of the environment, with two slots for each key, written in turn. A slot that
 * is not whole counts as not written. `TokenStoreError.code` is the reason of the `KeyValueStore`'s error, such as
 * `PermissionDenied`.
 *
 * Two slots save what a killed process was writing over. They do not save what the operating system had not yet
 * written to disk when the power went.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import * as KeyValueStore from "@effect/platform/KeyValueStore"
 * import { Authorization, KeyValueTokenStore } from "@effect-pleo/core"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function* () {
 *   const store = yield* KeyValueTokenStore.make
 *   yield* store.save("key", 0, Authorization.Ended.make({ reason: "Refused", lease: "4f0c" }))
 *   return yield* Effect.flatten(store.load("key"))
 * })
 *
 * const { generation } = await Effect.runPromise(Effect.provide(program, KeyValueStore.layerMemory))
 * assert.equal(generation, 1)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<TokenStore["Type"], never, KeyValueStore.KeyValueStore> = Effect.gen(
  function* () {
    const store = yield* KeyValueStore.KeyValueStore
    const mutex = new Semaphore(1)

    const newest = (name: string): Effect.Effect<Option.Option<TextTokenStore.Text>, PlatformError> =>
      Effect.map(
        Effect.forEach(slots, (slot) =>
          Effect.map(store.get(`${name}.${slot}`), (text) => Option.toArray(Option.flatMap(text, decode)))
        ),
        (found) => Option.fromNullable(found.flat().sort((a, b) => b.generation - a.generation)[0])
      )

    return TextTokenStore.make({
      // In turn with the saves too: between two of them, a load could find either slot half written.
      load: (key) =>
        Effect.flatMap(nameOf(key), (name) =>
          withPermit(mutex, Effect.mapError(newest(name), failure("load")))
        ),
      save: (key, expected, text) =>
        Effect.flatMap(nameOf(key), (name) =>
          withPermit(
            mutex,
            Effect.gen(function* () {
              const stored = yield* newest(name)
              if (Option.match(stored, { onNone: () => 0, onSome: (slot) => slot.generation }) !== expected)
                return false
              const generation = expected + 1
              // A write that is interrupted may still go on, into the next one to the same slot.
              yield* Effect.uninterruptible(
                store.set(`${name}.${generation % slots.length}`, encode({ key, generation, text }))
              )
              return true
            }).pipe(Effect.mapError(failure("save")))
          )
        )
    })
  }
)

/**
 * `make` as a layer.
 *
 * @example
 * ```ts
 * import { mkdtempSync, rmSync } from "node:fs"
 * import { tmpdir } from "node:os"
 * import { join } from "node:path"
 * import * as NodeKeyValueStore from "@effect/platform-node/NodeKeyValueStore"
 * import { KeyValueTokenStore, OAuth } from "@effect-pleo/core"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Redacted from "effect/Redacted"
 *
 * // Only its owner can enter what mkdtemp makes.
 * const directory = mkdtempSync(join(tmpdir(), "tokens-"))
 * const store = Layer.provide(KeyValueTokenStore.layer, NodeKeyValueStore.layerFileSystem(directory))
 *
 * const tokens = { accessToken: Redacted.make("access"), refreshToken: Redacted.make("refresh") }
 * await OAuth.storeTokens({ clientId: "my-app" }, tokens).pipe(
 *   Effect.provide(store),
 *   Effect.runPromise
 * )
 * rmSync(directory, { recursive: true })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<TokenStore, never, KeyValueStore.KeyValueStore> = Layer.effect(
  TokenStore,
  make
)
