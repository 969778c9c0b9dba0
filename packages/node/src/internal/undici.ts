// undici's index loads all that it can do, and replaces the dispatcher of Node's own fetch. These are the modules
// of which it makes its index.
import type * as Undici from "undici"
import buildConnectorModule from "undici/lib/core/connect.js"
import errorsModule from "undici/lib/core/errors.js"
import ClientModule from "undici/lib/dispatcher/client.js"

export const Client: typeof Undici.Client = ClientModule

export const buildConnector: typeof Undici.buildConnector = buildConnectorModule

export const errors: typeof Undici.errors = errorsModule

/** Loaded when it is needed: it brings what speaks to other proxies too. */
export const importProxyAgent = async (): Promise<
  (options: Undici.ProxyAgent.Options) => Undici.ProxyAgent
> => {
  const [{ default: ProxyAgent }, { default: connect }] = await Promise.all([
    import("undici/lib/dispatcher/proxy-agent.js"),
    import("undici/lib/api/api-connect.js")
  ])
  // The index gives every dispatcher the method by which a ProxyAgent asks its proxy for a tunnel.
  const clientFactory = (origin: URL, options: object) =>
    Object.assign(new Client(origin, options), { connect })
  return (options) => new ProxyAgent({ ...options, clientFactory })
}
