import type { Transport } from "@effect-pleo/core/Transport"
import type { ConnectionPools } from "./connectionPools.ts"

/** The connections as a transport: what `NodeHttpClient` is, without what every `HttpClient` can do besides. */
export const make =
  (pools: ConnectionPools): Transport =>
  (method, { origin, pathname, search }) => {
    const pool = pools.to(origin)
    const path = pathname + search
    return ({ body, freshConnection, headers }, onEnd) =>
      pool.request({ origin, path, method, headers, body }, onEnd, freshConnection)
  }
