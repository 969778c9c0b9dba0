import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Authorization } from "../../Authorization.ts"
import type { Infrastructure } from "../../InstallationError.ts"
import type { TokenStore } from "../../TokenStore.ts"
import { soon } from "./refresh.ts"

/**
 * A customer, by your name for it, and the state of its stored tokens. `Invalid`: the stored value cannot be read.
 *
 * @since 0.1.0
 * @category models
 */
export type Tenant = { readonly tenant: string } & (
  | { readonly _tag: "Active" | "Refreshing" | "Invalid" }
  | { readonly _tag: "Ended"; readonly reason: "Refused" | "Lost" | "Deleted" }
)

const stateOf = (tenant: string, authorization: Authorization | undefined): Tenant => {
  if (authorization === undefined) return { tenant, _tag: "Invalid" }
  return authorization._tag === "Ended"
    ? { tenant, _tag: "Ended", reason: authorization.reason }
    : { tenant, _tag: authorization._tag }
}

/** The tenant in the rest of a key, or `undefined` if it is not this library's. */
const decode = (encoded: string): string | undefined => {
  try {
    const tenant = decodeURIComponent(encoded)
    return encodeURIComponent(tenant) === encoded ? tenant : undefined
  } catch {
    return undefined
  }
}

/** The customers whose keys begin with `prefix`, page by page. */
export const list = (store: TokenStore["Type"], prefix: string): Stream.Stream<Tenant, Infrastructure> =>
  Stream.paginateChunkEffect(undefined as string | undefined, (cursor) =>
    Effect.map(
      soon(() => store.list(prefix, cursor), Number.POSITIVE_INFINITY),
      (page) => [
        Chunk.fromIterable(
          page.entries.flatMap(({ authorization, key }) => {
            const tenant = decode(key.slice(prefix.length))
            return tenant === undefined ? [] : [stateOf(tenant, authorization)]
          })
        ),
        Option.fromNullable(page.cursor)
      ]
    )
  )
