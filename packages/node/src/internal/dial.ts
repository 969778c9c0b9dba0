import type { Socket } from "node:net"
import type { buildConnector as BuildConnector } from "undici"
import { buildConnector, errors } from "./undici.ts"

/** Ends an attempt to connect. `onClosed` is called when its socket is closed. */
export type Abandon = (onClosed: () => void) => void

/** Begins to connect to a target. A failure is reported when no socket is left of it. */
export type Dial = (target: BuildConnector.Options, onEnd: BuildConnector.Callback) => Abandon

/** `timeout` is in milliseconds; 0 is none. */
export const makeConnector = (timeout: number) =>
  // An explicit value, so that NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment changes nothing.
  buildConnector({ rejectUnauthorized: true, allowH2: false, timeout })

/** A turn of the event loop later, so that the other side sees the end before it sees another connection. */
export const whenClosed = (socket: Socket, onClosed: () => void): void => {
  if (socket.closed) onClosed()
  else socket.once("close", () => setImmediate(onClosed))
}

/** Dials without a proxy. */
export const makeDirect = (timeout: number): Dial => {
  return (target, onEnd) => {
    const socket = makeConnector(timeout)(target, (...result) => {
      if (result[0] === null) onEnd(...result)
      else whenClosed(socket, () => onEnd(...result))
    })
    return (onClosed) => {
      whenClosed(socket, onClosed)
      socket.destroy(new errors.ClientDestroyedError())
    }
  }
}
