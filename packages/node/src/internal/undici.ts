// Modules behind undici's index, which itself loads everything, and replaces the dispatcher of Node's own fetch.
import type { Socket } from "node:net"
import type * as Undici from "undici"
import buildConnectorModule from "undici/lib/core/connect.js"
import errorsModule from "undici/lib/core/errors.js"
import ClientModule from "undici/lib/dispatcher/client.js"

export const Client: typeof Undici.Client = ClientModule

// The types omit the result of a connector.
type BuildConnector = (
  options: Undici.buildConnector.BuildOptions
) => (...parameters: Parameters<Undici.buildConnector.connector>) => Socket

export const buildConnector = buildConnectorModule as BuildConnector

export const errors: typeof Undici.errors = errorsModule
