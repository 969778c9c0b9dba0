import type { Socket } from "node:net"
import type { Client as ClientType, Dispatcher } from "undici"
import { ConnectionError } from "./connectionError.ts"
import { type Abandon, type Dial, whenClosed } from "./dial.ts"
import { Client } from "./undici.ts"

/** At most one socket to an origin, opened on demand, and at most once per request. */
export class Connection {
  readonly #client: ClientType
  #abandon: Abandon | undefined
  #socket: Socket | undefined
  #hasDialed = false

  constructor(origin: string, limits: ClientType.Options, dial: Dial) {
    this.#client = new Client(origin, {
      ...limits,
      connect: (target, callback) => {
        // undici redials endlessly while sockets close before it has written the request.
        if (this.#hasDialed) {
          const message = "the connection was closed before the request was written"
          return callback(new ConnectionError(message, { code: "ECONNRESET" }), null)
        }
        this.#hasDialed = true
        this.#abandon = dial(target, (...result) => {
          this.#abandon = undefined
          this.#socket = result[1] ?? undefined
          callback(...result)
        })
      }
    })
  }

  dispatch(request: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.#hasDialed = false
    this.#client.dispatch(request, handler)
  }

  /** Aborts requests in flight. undici itself does not close a socket that is still connecting. */
  destroy(onClosed: () => void): void {
    void this.#client.destroy()
    if (this.#abandon !== undefined) this.#abandon(onClosed)
    else if (this.#socket !== undefined) whenClosed(this.#socket, onClosed)
    else onClosed()
  }
}
