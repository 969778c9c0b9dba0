/**
 * Where the tokens of OAuth authorisations are kept, between refreshes and between processes. Every change is a
 * compare-and-swap, so of several processes that share a store one refreshes. `TokenStoreConformance` proves a
 * store of your own.
 *
 * @since 0.1.0
 * @module
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { Authorization } from "./Authorization.ts"

/**
 * An authorisation, and how many times something was stored under its key: 1 for the first.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stored {
  readonly generation: number
  readonly authorization: Authorization
}

/**
 * The store could not be read or written. It holds no cause, since what a database says of a failed statement
 * may quote the tokens.
 *
 * @since 0.1.0
 * @category errors
 */
export class TokenStoreError extends Data.TaggedError("TokenStoreError")<{
  readonly operation: "load" | "save"
  /** Such as `ENOSPC`, or an SQLSTATE. Nothing that may be a secret. */
  readonly code?: string | undefined
}> {
  override get message(): string {
    return `The token store could not ${this.operation}${this.code === undefined ? "" : ` (${this.code})`}`
  }
}

/**
 * A store of authorisations, by keys that are made of the token endpoint, the client id and the tenant.
 *
 * @since 0.1.0
 * @category tags
 */
export class TokenStore extends Context.Tag("@effect-pleo/core/TokenStore")<
  TokenStore,
  {
    /** What is stored under a key. */
    readonly load: (key: string) => Effect.Effect<Option.Option<Stored>, TokenStoreError>
    /**
     * Stores an authorisation as the generation after `expected`, if that is what is stored now (0: nothing),
     * in one step: of several that expect the same generation, one succeeds. `false` when it is not.
     */
    readonly save: (
      key: string,
      expected: number,
      authorization: Authorization
    ) => Effect.Effect<boolean, TokenStoreError>
  }
>() {}

/**
 * A store in memory, for one process and for tests. Whatever it holds ends with the process: a refresh token
 * that was kept elsewhere is dead by then.
 *
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
      })
  })
})
