/**
 * A `TokenStore` on whatever keeps texts: what a store of your own is easiest made of.
 *
 * @since 0.1.0
 * @module
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Authorization } from "./Authorization.ts"
import { TokenStore, TokenStoreError } from "./TokenStore.ts"

/**
 * A text, and how many times something was stored under its key: 1 for the first.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { TextTokenStore } from "@effect-pleo/core"
 * import * as Effect from "effect/Effect"
 * import * as Option from "effect/Option"
 *
 * const text: TextTokenStore.Text = {
 *   generation: 3,
 *   text: '{"_tag":"Ended","reason":"Refused","lease":"4f0c"}'
 * }
 *
 * const store = TextTokenStore.make({
 *   load: () => Effect.succeed(Option.some(text)),
 *   save: () => Effect.succeed(false)
 * })
 * const { authorization } = Effect.runSync(Effect.flatten(store.load("key")))
 * assert.equal(authorization._tag, "Ended")
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Text {
  readonly generation: number
  /** JSON with the tokens as they are: who can read it can act for the customer. */
  readonly text: string
}

/**
 * `load` and `save` of a `TokenStore`, with a text in place of the authorisation.
 *
 * @example
 * ```ts
 * import { TextTokenStore, TokenStore } from "@effect-pleo/core"
 * import { TokenStoreConformance } from "@effect-pleo/testing"
 * import * as Effect from "effect/Effect"
 * import * as Option from "effect/Option"
 *
 * const kept = new Map<string, TextTokenStore.Text>()
 *
 * const texts: TextTokenStore.Texts = {
 *   load: (key) => Effect.sync(() => Option.fromNullable(kept.get(key))),
 *   save: (key, expected, text) =>
 *     Effect.sync(() => {
 *       if ((kept.get(key)?.generation ?? 0) !== expected) return false
 *       kept.set(key, { generation: expected + 1, text })
 *       return true
 *     })
 * }
 *
 * const store = TextTokenStore.make(texts)
 * await TokenStoreConformance.check.pipe(
 *   Effect.provideService(TokenStore.TokenStore, store),
 *   Effect.runPromise
 * )
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Texts {
  readonly load: (key: string) => Effect.Effect<Option.Option<Text>, TokenStoreError>
  readonly save: (key: string, expected: number, text: string) => Effect.Effect<boolean, TokenStoreError>
}

const json = Schema.parseJson(Authorization)
const encode = Schema.encodeSync(json)
const decode = Schema.decodeEither(json)

/**
 * A `TokenStore` that keeps each authorisation as a text. One that is no authorisation fails `load` with the
 * code `INVALID`.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { TextTokenStore } from "@effect-pleo/core"
 * import * as Effect from "effect/Effect"
 * import * as Option from "effect/Option"
 *
 * const damaged = TextTokenStore.make({
 *   load: () => Effect.succeed(Option.some({ generation: 1, text: '{"_tag":"Act' })),
 *   save: () => Effect.succeed(true)
 * })
 *
 * const error = Effect.runSync(Effect.flip(damaged.load("key")))
 * assert.deepEqual({ ...error }, { _tag: "TokenStoreError", operation: "load", code: "INVALID" })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (texts: Texts): TokenStore["Type"] =>
  TokenStore.of({
    load: (key) =>
      Effect.flatMap(
        texts.load(key),
        Option.match({
          onNone: () => Effect.succeedNone,
          onSome: ({ generation, text }) =>
            Either.match(decode(text), {
              // What the decoder says of the text quotes it.
              onLeft: () => Effect.fail(new TokenStoreError({ operation: "load", code: "INVALID" })),
              onRight: (authorization) => Effect.succeedSome({ generation, authorization })
            })
        })
      ),
    save: (key, expected, authorization) =>
      Effect.suspend(() => texts.save(key, expected, encode(authorization)))
  })
