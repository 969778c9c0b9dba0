import type { Socket } from "node:net"
import type { buildConnector as BuildConnector, Client as ClientType, Dispatcher } from "undici"
import { buildConnector, Client, errors } from "./undici.ts"

/** One socket to an origin, which connects when it is needed. */
export interface Connection {
  readonly dispatcher: Dispatcher
  /** Stops connecting, if it is under way. */
  readonly abandon: () => void
}

export type Connect = (origin: string) => Connection

// The types leave out what connecting returns.
type Dial = (...parameters: Parameters<BuildConnector.connector>) => Socket

/**
 * A connection that can be abandoned: undici leaves a socket alone that still connects, also when its client is
 * destroyed, until it has connected or is late.
 */
export const connect = (
  origin: string,
  limits: ClientType.Options,
  tls: BuildConnector.BuildOptions
): Connection => {
  const dial = buildConnector({ ...tls, allowH2: false }) as Dial
  let connecting: Socket | undefined
  const dispatcher = new Client(origin, {
    ...limits,
    connect: (options, callback) => {
      connecting = dial(options, (...result) => {
        connecting = undefined
        callback(...result)
      })
    }
  })
  return { dispatcher, abandon: () => connecting?.destroy(new errors.ClientDestroyedError()) }
}
