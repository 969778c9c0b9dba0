import type { Transport } from "@effect-pleo/core/Transport"
import type { ConnectionPools } from "./connectionPools.ts"

/** The connections as a transport. */
export const make =
  (pools: ConnectionPools): Transport =>
  (method, { origin, pathname, search }) => {
    const pool = pools.to(origin)
    const path = pathname + search
    return ({ body, freshConnection, headers }, onEnd) =>
      pool.request({ origin, path, method, headers, body: body ?? null }, onEnd, freshConnection)
  }
