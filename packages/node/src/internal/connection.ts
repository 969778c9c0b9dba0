import type { Client as ClientType, Dispatcher } from "undici"
import { ConnectionError } from "./connectionError.ts"
import type { Abandon, Dial } from "./dial.ts"
import { Client } from "./undici.ts"

/** One socket to an origin at most, which is opened when a request needs it, and once for each at most. */
export class Connection {
  readonly #client: ClientType
  #abandon: Abandon | undefined
  #hasDialed = false

  constructor(origin: string, limits: ClientType.Options, dial: Dial) {
    this.#client = new Client(origin, {
      ...limits,
      connect: (target, callback) => {
        // undici dials again, without end, as long as sockets close before it has written the request.
        if (this.#hasDialed) {
          const message = "the connection was closed before the request was written"
          return callback(new ConnectionError(message, { code: "ECONNRESET" }), null)
        }
        this.#hasDialed = true
        this.#abandon = dial(target, (...result) => {
          this.#abandon = undefined
          callback(...result)
        })
      }
    })
  }

  dispatch(request: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.#hasDialed = false
    this.#client.dispatch(request, handler)
  }

  /** Waits for what is under way. */
  close(): Promise<void> {
    return this.#client.close()
  }

  /** Ends what is under way. undici itself leaves a socket alone that still connects. */
  destroy(onClosed: () => void): void {
    const abandon = this.#abandon
    if (abandon === undefined) {
      this.#client.destroy(onClosed)
    } else {
      void this.#client.destroy()
      abandon(onClosed)
    }
  }
}
