// undici's index loads all that it can do, and replaces the dispatcher of Node's own fetch. These are the modules
// of which it makes its index.
import type { Socket } from "node:net"
import type * as Undici from "undici"
import buildConnectorModule from "undici/lib/core/connect.js"
import errorsModule from "undici/lib/core/errors.js"
import ClientModule from "undici/lib/dispatcher/client.js"

export const Client: typeof Undici.Client = ClientModule

// The types leave out what a connector returns.
type BuildConnector = (
  options: Undici.buildConnector.BuildOptions
) => (...parameters: Parameters<Undici.buildConnector.connector>) => Socket

export const buildConnector = buildConnectorModule as BuildConnector

export const errors: typeof Undici.errors = errorsModule
