import { TokenStore } from "@effect-pleo/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"

/**
 * The operations of your database, each in one step. Here, those of a
 * key-value server with transactions.
 */
export interface Database {
  readonly get: (
    key: string
  ) => Promise<TokenStore.StoredString | undefined>
  /**
   * Stores a string if the stored one has the previous generation; returns
   * whether it did.
   */
  readonly compareAndSet: (
    key: string,
    next: TokenStore.StoredString
  ) => Promise<boolean>
  /** Some of the strings under a prefix, and a cursor for more. */
  readonly scan: (
    prefix: string,
    cursor: string | undefined
  ) => Promise<
    TokenStore.Page<{ readonly key: string; readonly value: string }>
  >
}

export const layer = (
  database: Database
): Layer.Layer<TokenStore.TokenStore> =>
  Layer.succeed(
    TokenStore.TokenStore,
    TokenStore.fromStrings({
      load: (key) =>
        Effect.tryPromise({
          try: () => database.get(key),
          // Not its cause: what a database says of a failure may quote the
          // tokens.
          catch: () => new TokenStore.TokenStoreError({ operation: "load" })
        }).pipe(Effect.map(Option.fromNullable)),
      save: (key, expected, value) =>
        Effect.tryPromise({
          try: () =>
            database.compareAndSet(key, {
              generation: expected + 1,
              value
            }),
          catch: () => new TokenStore.TokenStoreError({ operation: "save" })
        }),
      list: (prefix, cursor) =>
        Effect.tryPromise({
          try: () => database.scan(prefix, cursor),
          catch: () => new TokenStore.TokenStoreError({ operation: "list" })
        })
    })
  )
