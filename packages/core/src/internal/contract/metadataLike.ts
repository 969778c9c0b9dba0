import type { Json, Metadata } from "../../Metadata.ts"

type Listed = ReadonlyArray<unknown> | ((...args: never) => unknown)

// `Required` keeps an optional field from counting as undefined, which JSON has not.
type ObjectLike<T> = {
  readonly [K in keyof T]: undefined extends Required<T>[K] ? never : JsonLike<Required<T>[K]>
}

type JsonLike<T> = T extends Json
  ? T
  : T extends ReadonlyArray<infer Item>
    ? ReadonlyArray<JsonLike<Item>>
    : MetadataLike<T>

/** Metadata whose type may be an interface, which TypeScript assigns to no index signature. */
export type MetadataLike<T> = T extends Metadata
  ? T
  : T extends Listed
    ? never
    : T extends object
      ? ObjectLike<T>
      : never
