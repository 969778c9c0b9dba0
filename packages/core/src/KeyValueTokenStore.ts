/**
 * `TokenStore` on a `KeyValueStore`, such as a directory of files, for one process: a `KeyValueStore` cannot compare and
 * swap. Several processes share `SqlTokenStore` of @effect-pleo/sql. The tokens are in plain text, and files that
 * `KeyValueStore.layerFileSystem` writes are readable by others: restrict access to the directory.
 *
 * @since 0.1.0
 * @module
 */
import type { PlatformError } from "@effect/platform/Error"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as Effect from "effect/Effect"
import { globalValue } from "effect/GlobalValue"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Semaphore, withPermit } from "./internal/semaphore.ts"
import { fromStrings, type StoredString, TokenStore, TokenStoreError } from "./TokenStore.ts"

// Two slots for each key, written in turn: a process killed while writing damages only the slot it was writing, and the
// other still has the previous generation.
const slots = [0, 1]

/** `key` is for people, since the name of a slot is a hash. */
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
 * The name of a key's slots. A file system limits names to 255 bytes and may ignore case; a hash in hexadecimal is short
 * and lowercase. It is the hash of JSON, since UTF-8 encodes all lone surrogates alike.
 */
const nameOf = (key: string): Effect.Effect<string> =>
  Effect.map(
    Effect.promise(() => crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(key)))),
    (hash) =>
      `effect-pleo-${Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("")}`
  )

interface Lock {
  readonly semaphore: Semaphore
  users: number
}

// Of the process, and of each copy of this module in it: two layers may be over the same files.
const locks = globalValue(Symbol.for("@effect-pleo/core/KeyValueTokenStore"), () => new Map<string, Lock>())

/** Runs the operations on a key one at a time. */
const locked = <A, E>(name: string, self: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const lock = locks.get(name) ?? { semaphore: new Semaphore(1), users: 0 }
      lock.users += 1
      locks.set(name, lock)
      return lock
    }),
    ({ semaphore }) => withPermit(semaphore, self),
    (lock) =>
      Effect.sync(() => {
        lock.users -= 1
        if (lock.users === 0) locks.delete(name)
      })
  )

const failure = (operation: "load" | "save") => (error: PlatformError) =>
  // The error's message and cause may quote paths and values.
  new TokenStoreError({ operation, code: error._tag === "SystemError" ? error.reason : error._tag })

/**
 * A `TokenStore` on the `KeyValueStore` in the context. It writes two slots for each key in turn, so a process killed
 * while writing loses nothing; a power failure may. The `code` of an error is the `KeyValueStore`'s reason.
 *
 * @example
 * ```ts
 * const store = Effect.provide(KeyValueTokenStore.make, KeyValueStore.layerMemory)
 * ```
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<TokenStore["Type"], never, KeyValueStore.KeyValueStore> = Effect.gen(
  function* () {
    const store = yield* KeyValueStore.KeyValueStore

    const newest = (name: string): Effect.Effect<Option.Option<StoredString>, PlatformError> =>
      Effect.map(
        Effect.forEach(slots, (slot) =>
          Effect.map(store.get(`${name}.${slot}`), (text) => Option.toArray(Option.flatMap(text, decode)))
        ),
        (found) =>
          Option.map(
            Option.fromNullable(found.flat().sort((a, b) => b.generation - a.generation)[0]),
            ({ generation, text }) => ({ generation, value: text })
          )
      )

    return fromStrings({
      // Excludes saves too: between two of them, a load could find either slot half written.
      load: (key) =>
        Effect.flatMap(nameOf(key), (name) => locked(name, Effect.mapError(newest(name), failure("load")))),
      save: (key, expected, value) =>
        Effect.flatMap(nameOf(key), (name) =>
          locked(
            name,
            Effect.gen(function* () {
              const stored = yield* newest(name)
              if (Option.match(stored, { onNone: () => 0, onSome: (slot) => slot.generation }) !== expected)
                return false
              const generation = expected + 1
              // An interrupted write may continue, into the next write to the same slot.
              yield* Effect.uninterruptible(
                store.set(`${name}.${generation % slots.length}`, encode({ key, generation, text: value }))
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
 * const live = KeyValueTokenStore.layer.pipe(Layer.provide(NodeKeyValueStore.layerFileSystem("tokens")))
 * ```
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<TokenStore, never, KeyValueStore.KeyValueStore> = Layer.effect(
  TokenStore,
  make
)
