// undici's index loads all that it can do. These are the modules of which it makes its index.
import type * as Undici from "undici"
import errorsModule from "undici/lib/core/errors.js"
import ClientModule from "undici/lib/dispatcher/client.js"

export const Client: typeof Undici.Client = ClientModule

export const errors: typeof Undici.errors = errorsModule

/** Loaded when it is needed: it brings what speaks to other proxies too. */
export const importProxyAgent = async (): Promise<typeof Undici.ProxyAgent> =>
  (await import("undici/lib/dispatcher/proxy-agent.js")).default
