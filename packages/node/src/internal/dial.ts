import type { Socket } from "node:net"
import type { buildConnector as BuildConnector } from "undici"
import { nextTurn } from "./nextTurn.ts"
import { buildConnector, errors } from "./undici.ts"

/** Cancels connecting. `onClosed` is called when the socket is closed. */
export type Abandon = (onClosed: () => void) => void

/** Begins connecting to a target. A failure is reported once its sockets are closed. */
export type Dial = (target: BuildConnector.Options, onEnd: BuildConnector.Callback) => Abandon

/** `timeout` is in milliseconds; 0 means none. */
export const makeConnector = (timeout: number) =>
  // Explicit, so that NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment has no effect.
  buildConnector({ rejectUnauthorized: true, allowH2: false, timeout })

/** Runs a turn of the event loop later, so that the peer sees the close before the next connection. */
export const whenClosed = (socket: Socket, onClosed: () => void): void => {
  if (socket.closed) onClosed()
  else socket.once("close", () => nextTurn(onClosed))
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
