/**
 * Stores OAuth tokens between refreshes, and shares them between processes. Saving is a compare-and-swap, so only one of
 * several processes refreshes a token.
 *
 * @since 0.1.0
 * @module
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Authorization } from "./Authorization.ts"

/**
 * A stored authorization, and how many times its key has been written: 1 after the first.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stored {
  readonly generation: number
  readonly authorization: Authorization
}

/**
 * A page of `list`, and the cursor of the next one: `undefined` after the last. A page may be empty.
 *
 * @since 0.1.0
 * @category models
 */
export interface Page<Entry> {
  readonly entries: ReadonlyArray<Entry>
  readonly cursor: string | undefined
}

/**
 * A failed read or write of the store. It has no cause, since a database error may quote the tokens.
 *
 * @example
 * ```ts
 * new TokenStore.TokenStoreError({ operation: "save", code: "ENOSPC" })
 * ```
 * @since 0.1.0
 * @category errors
 */
export class TokenStoreError extends Data.TaggedError("TokenStoreError")<{
  readonly operation: "load" | "save" | "list"
  /** Such as `ENOSPC` or an SQLSTATE, never a secret. */
  readonly code?: string | undefined
}> {
  override get message(): string {
    return `The token store could not ${this.operation}${this.code === undefined ? "" : ` (${this.code})`}`
  }
}

/**
 * Stores the tokens of `OAuth.credentials`.
 *
 * @example
 * ```ts
 * const isStored = (key: string) =>
 *   Effect.flatMap(TokenStore.TokenStore, (store) => Effect.map(store.load(key), Option.isSome))
 * ```
 * @since 0.1.0
 * @category tags
 */
export class TokenStore extends Context.Tag("@effect-pleo/core/TokenStore")<
  TokenStore,
  {
    readonly load: (key: string) => Effect.Effect<Option.Option<Stored>, TokenStoreError>
    /** Saves generation `expected + 1` atomically if `expected` is stored now (0: nothing), or returns `false`. */
    readonly save: (
      key: string,
      expected: number,
      authorization: Authorization
    ) => Effect.Effect<boolean, TokenStoreError>
    /**
     * A page of the keys that begin with `prefix`, each once unless it is written meanwhile. The cursor is the store's
     * own; the first page has none. An entry that `load` fails to decode has no authorization.
     */
    readonly list: (
      prefix: string,
      cursor: string | undefined
    ) => Effect.Effect<
      Page<{ readonly key: string; readonly authorization: Authorization | undefined }>,
      TokenStoreError
    >
  }
>() {}

/**
 * A store in memory, for tests and demos: its refresh tokens are lost with the process.
 *
 * @example
 * ```ts
 * const live = (options: OAuth.Options) =>
 *   NodeInstallationService.layer({ credentials: OAuth.credentials(options) }).pipe(
 *     Layer.provide(TokenStore.layerMemory)
 *   )
 * ```
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<TokenStore> = Layer.sync(TokenStore, () => {
  const stored = new Map<string, Stored>()
  return TokenStore.of({
    load: (key) => Effect.sync(() => Option.fromNullable(stored.get(key))),
    save: (key, expected, authorization) =>
      Effect.sync(() => {
        if ((stored.get(key)?.generation ?? 0) !== expected) return false
        stored.set(key, { generation: expected + 1, authorization })
        return true
      }),
    list: (prefix) =>
      Effect.sync(() => ({
        entries: Array.from(stored, ([key, { authorization }]) => ({ key, authorization })).filter(
          ({ key }) => key.startsWith(prefix)
        ),
        cursor: undefined
      }))
  })
})

/**
 * A string under a key, and how many times that key has been written: 1 after the first.
 *
 * @since 0.1.0
 * @category models
 */
export interface StoredString {
  readonly generation: number
  /** JSON that contains the tokens in plain text. */
  readonly value: string
}

const json = Schema.parseJson(Authorization)
const encode = Schema.encodeSync(json)
const decode = Schema.decodeEither(json)

/**
 * Builds a `TokenStore` from any string store. A string that is not an authorization fails `load` with the code
 * `INVALID`, and is listed without an authorization.
 *
 * @example
 * ```ts
 * const strings = new Map<string, TokenStore.StoredString>()
 * const readOnly = TokenStore.fromStrings({
 *   load: (key) => Effect.sync(() => Option.fromNullable(strings.get(key))),
 *   save: () => Effect.fail(new TokenStore.TokenStoreError({ operation: "save", code: "READONLY" })),
 *   list: () => Effect.succeed({ entries: [], cursor: undefined })
 * })
 * ```
 * @since 0.1.0
 * @category constructors
 */
export const fromStrings = (strings: {
  readonly load: (key: string) => Effect.Effect<Option.Option<StoredString>, TokenStoreError>
  readonly save: (key: string, expected: number, value: string) => Effect.Effect<boolean, TokenStoreError>
  readonly list: (
    prefix: string,
    cursor: string | undefined
  ) => Effect.Effect<Page<{ readonly key: string; readonly value: string }>, TokenStoreError>
}): TokenStore["Type"] =>
  TokenStore.of({
    load: (key) =>
      Effect.flatMap(
        strings.load(key),
        Option.match({
          onNone: () => Effect.succeedNone,
          onSome: ({ generation, value }) =>
            Either.match(decode(value), {
              // The decoder's error quotes the string.
              onLeft: () => Effect.fail(new TokenStoreError({ operation: "load", code: "INVALID" })),
              onRight: (authorization) => Effect.succeedSome({ generation, authorization })
            })
        })
      ),
    save: (key, expected, authorization) =>
      Effect.suspend(() => strings.save(key, expected, encode(authorization))),
    list: (prefix, cursor) =>
      Effect.map(strings.list(prefix, cursor), (page) => ({
        entries: page.entries.map(({ key, value }) => ({
          key,
          // One damaged string hides no other.
          authorization: Either.getOrUndefined(decode(value))
        })),
        cursor: page.cursor
      }))
  })
