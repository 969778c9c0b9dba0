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
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Authorization, type TokenStore } from "@effect-pleo/core"
 *
 * const stored: TokenStore.Stored = {
 *   generation: 2,
 *   authorization: Authorization.Ended.make({ reason: "Lost", lease: "4f0c" })
 * }
 *
 * // What has to be expected of the store by whoever replaces it.
 * const { authorization, generation } = stored
 * assert.equal(`${authorization._tag} since generation ${generation}`, "Ended since generation 2")
 * ```
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
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { TokenStore } from "@effect-pleo/core"
 * import * as Effect from "effect/Effect"
 *
 * const save = Effect.fail(new TokenStore.TokenStoreError({ operation: "save", code: "ENOSPC" }))
 *
 * const program = save.pipe(
 *   Effect.catchTag("TokenStoreError", ({ code, message }) =>
 *     Effect.succeed(code === "ENOSPC" ? `${message}: the disk is full` : message)
 *   )
 * )
 * assert.equal(Effect.runSync(program), "The token store could not save (ENOSPC): the disk is full")
 * ```
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
 * Where `OAuth.credentials` keeps its tokens.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Authorization, TokenStore } from "@effect-pleo/core"
 * import * as Effect from "effect/Effect"
 * import * as Option from "effect/Option"
 *
 * const program = Effect.gen(function* () {
 *   const store = yield* TokenStore.TokenStore
 *   const save = store.save("key", 0, Authorization.Ended.make({ reason: "Refused", lease: "4f0c" }))
 *   // Both expect that nothing is stored: the second comes too late.
 *   const saved = yield* Effect.all([save, save])
 *   return { saved, generation: Option.map(yield* store.load("key"), ({ generation }) => generation) }
 * })
 *
 * assert.deepEqual(Effect.runSync(Effect.provide(program, TokenStore.layerMemory)), {
 *   saved: [true, false],
 *   generation: Option.some(1)
 * })
 * ```
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
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Authorization, TokenStore } from "@effect-pleo/core"
 * import * as Effect from "effect/Effect"
 *
 * const save = Effect.flatMap(TokenStore.TokenStore, (store) =>
 *   store.save("key", 0, Authorization.Ended.make({ reason: "Refused", lease: "4f0c" }))
 * )
 *
 * // Each test that provides it begins with an empty store.
 * const test = Effect.provide(save, TokenStore.layerMemory)
 * assert.deepEqual(Effect.runSync(Effect.all([test, test])), [true, true])
 * ```
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
