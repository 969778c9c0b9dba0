import type { Transport } from "@effect-pleo/core/Transport"
import type { Origins } from "./sockets.ts"

/** The sockets as a transport: what `NodeHttpClient` is, without what every `HttpClient` can do besides. */
export const make =
  (origins: Origins): Transport =>
  (method, { origin, pathname, search }) => {
    const sockets = origins.to(origin)
    const path = pathname + search
    const isAlone = method === "POST"
    return ({ body, headers }, onEnd) =>
      sockets.request({ origin, path, method, headers, body }, onEnd, isAlone)
  }
