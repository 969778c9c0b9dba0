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
import { fromStrings, TokenStore, TokenStoreError } from "./TokenStore.ts"

// Two slots for each key, written in turn: a process killed while writing damages only the slot it was writing, and the
// other still has the previous generation.
const slots = [0, 1]

/** `key` is for people, since the name of a slot is a hash. */
const Slot = Schema.parseJson(
  Schema.Struct({
    key: Schema.String,
    generation: Schema.Int.pipe(Schema.positive()),
    // Of the key in the index.
    position: Schema.Int,
    text: Schema.String
  })
)
type Slot = typeof Slot.Type

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

// A `KeyValueStore` cannot list its keys, so each gets an entry in an index before it is first saved: its position. The
// slots of the index count the entries, as their generation. A first save that fails leaves an entry without slots, or
// with slots of another position: it is not listed.
const index = "effect-pleo-index"
const entryOf = (position: number) => `${index}-${position}`

const Key = Schema.parseJson(Schema.String)
const encodeKey = Schema.encodeSync(Key)
const decodeKey = Schema.decodeOption(Key)

/** Entries of the index that make a page of `list`. */
const pageSize = 100

const failure = (operation: TokenStoreError["operation"]) => (error: PlatformError) =>
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

    const newest = (name: string): Effect.Effect<Slot | undefined, PlatformError> =>
      Effect.map(
        Effect.forEach(slots, (slot) =>
          Effect.map(store.get(`${name}.${slot}`), (text) => Option.toArray(Option.flatMap(text, decode)))
        ),
        (found) => found.flat().sort((a, b) => b.generation - a.generation)[0]
      )

    // An interrupted write may continue, into the next write under the same name.
    const set = (name: string, text: string) => Effect.uninterruptible(store.set(name, text))

    const write = (name: string, slot: Slot) => set(`${name}.${slot.generation % slots.length}`, encode(slot))

    const count = Effect.map(newest(index), (slot) => slot?.generation ?? 0)

    /** Adds a key to the index, and returns its position. */
    const append = (key: string): Effect.Effect<number, PlatformError> =>
      locked(
        index,
        Effect.gen(function* () {
          const position = yield* count
          yield* set(entryOf(position), encodeKey(key))
          yield* write(index, { key: index, generation: position + 1, position, text: "" })
          return position
        })
      )

    /** The newest slot of a key. Excludes saves too: between two of them, a load could find either slot half written. */
    const read = (key: string) => Effect.flatMap(nameOf(key), (name) => locked(name, newest(name)))

    /** The key at a position of the index, unless it has another position. */
    const listed = (position: number, prefix: string) =>
      Effect.gen(function* () {
        const key = Option.flatMap(yield* store.get(entryOf(position)), decodeKey)
        if (Option.isNone(key) || !key.value.startsWith(prefix)) return []
        const slot = yield* read(key.value)
        return slot?.position === position ? [{ key: key.value, value: slot.text }] : []
      })

    return fromStrings({
      load: (key) =>
        Effect.mapBoth(read(key), {
          onFailure: failure("load"),
          onSuccess: (slot) =>
            Option.map(Option.fromNullable(slot), ({ generation, text }) => ({ generation, value: text }))
        }),
      save: (key, expected, value) =>
        Effect.flatMap(nameOf(key), (name) =>
          locked(
            name,
            Effect.gen(function* () {
              const stored = yield* newest(name)
              if ((stored?.generation ?? 0) !== expected) return false
              const position = stored?.position ?? (yield* append(key))
              yield* write(name, { key, generation: expected + 1, position, text: value })
              return true
            }).pipe(Effect.mapError(failure("save")))
          )
        ),
      list: (prefix, cursor) =>
        Effect.gen(function* () {
          const first = Number(cursor ?? 0)
          const end = yield* locked(index, count)
          const next = Math.min(first + pageSize, end)
          const positions = Array.from({ length: next - first }, (_, index) => first + index)
          const found = yield* Effect.forEach(positions, (position) => listed(position, prefix), {
            concurrency: 16
          })
          return { entries: found.flat(), cursor: next < end ? String(next) : undefined }
        }).pipe(Effect.mapError(failure("list")))
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
