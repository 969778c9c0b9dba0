import { Semaphore } from "@effect-pleo/core/internal/semaphore"
import type { Dispatcher } from "undici"
import type { Connection } from "./connection.ts"
import { isFaked } from "./nextTurn.ts"
import { ResponseHandler, type Result, unsent } from "./responseHandler.ts"
import { errors } from "./undici.ts"

/**
 * The connections to one origin.
 *
 * Replaces undici's Agent and Pool, which open a second socket for a request that immediately follows another, reconnect
 * for an aborted request, drop a pool while requests wait in it (so the next pool opens as many sockets again), and cannot
 * abort requests once they are closing.
 */
export class ConnectionPool {
  readonly #semaphore: Semaphore
  readonly #maxResponseSize: number
  readonly #connect: () => Connection
  readonly #all = new Set<Connection>()
  readonly #idle: Array<Connection> = []
  #isClosed = false
  #onDestroyed = () => {}

  constructor(connections: number, maxResponseSize: number, connect: () => Connection) {
    this.#maxResponseSize = maxResponseSize
    this.#semaphore = new Semaphore(connections)
    this.#connect = connect
  }

  /**
   * Sends a request as soon as a connection is free or, if `isFresh`, over a connection of its own. The returned function
   * cancels the request, and returns whether it may have been sent.
   */
  request(
    request: Dispatcher.DispatchOptions,
    onResult: (result: Result) => void,
    isFresh = false
  ): () => boolean {
    let handler: ResponseHandler | undefined
    let isCanceled = false
    const start = () => {
      if (isCanceled) return this.#semaphore.release()
      let connection: Connection
      const wasIdle = !isFresh && this.#idle.length > 0
      try {
        if (this.#isClosed) throw new errors.ClientClosedError()
        connection = isFresh ? this.#open() : this.#take()
      } catch (error) {
        this.#semaphore.release()
        return onResult(unsent(error as Error))
      }
      handler = new ResponseHandler(this.#maxResponseSize, (result, isReusable) => {
        if (isReusable && !isFresh && !this.#isClosed && !isFaked()) this.#keep(connection)
        else this.#discard(connection)
        // The other idle connections may have ended for the same cause: a retry opens a new one.
        if (wasIdle && handler?.hasResponse === false) this.#discardIdle()
        if (result !== undefined) onResult(result)
      })
      connection.dispatch(request, handler)
    }
    const waiter = this.#semaphore.acquire(isFresh ? () => this.#closeIdle(start) : start)
    return () => {
      if (waiter !== undefined && this.#semaphore.cancel(waiter)) return false
      isCanceled = true
      return handler?.cancel() ?? false
    }
  }

  /** Makes room for another connection. */
  #closeIdle(onClosed: () => void): void {
    const idle = this.#idle.pop()
    if (idle === undefined) onClosed()
    else this.#destroy(idle, onClosed)
  }

  #discardIdle(): void {
    for (const connection of this.#idle.splice(0)) this.#destroy(connection)
  }

  #take(): Connection {
    return this.#idle.pop() ?? this.#open()
  }

  #open(): Connection {
    const connection = this.#connect()
    this.#all.add(connection)
    return connection
  }

  #keep(connection: Connection): void {
    this.#idle.push(connection)
    this.#semaphore.release()
  }

  /** Closes a connection, with its requests in flight. Another may be opened once it is closed. */
  #discard(connection: Connection): void {
    this.#destroy(connection, () => this.#semaphore.release())
  }

  #destroy(connection: Connection, onClosed?: () => void): void {
    connection.destroy(() => {
      this.#all.delete(connection)
      onClosed?.()
      this.#onDestroyed()
    })
  }

  /** Waits for requests in flight. Requests that wait for a connection fail. */
  close(): Promise<void> {
    this.#isClosed = true
    this.#discardIdle()
    return new Promise((resolve) => {
      this.#onDestroyed = () => {
        if (this.#all.size === 0) resolve()
      }
      this.#onDestroyed()
    })
  }

  destroy(): Promise<unknown> {
    return Promise.all(
      Array.from(this.#all, (connection) => new Promise<void>((resolve) => connection.destroy(resolve)))
    )
  }
}
