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
 * @since 0.1.0
 * @category models
 */
export interface Text {
  readonly generation: number
  /** JSON with the tokens as they are: who can read it can act for the customer. */
  readonly text: string
}

/**
 * `load` and `save` of a `TokenStore`, of texts.
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
 * A text that is no authorisation fails `load` with the code `INVALID`.
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
