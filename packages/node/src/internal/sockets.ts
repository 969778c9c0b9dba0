import * as Effect from "effect/Effect"
import type { Dispatcher } from "undici"
import type { Connection } from "./connection.ts"
import { broken, Exchange, type Outcome } from "./exchange.ts"
import { Turnstile } from "./turnstile.ts"
import { errors } from "./undici.ts"

/**
 * The sockets to one origin.
 *
 * undici's Agent and Pool are not used: they open a second socket for a request that follows at once upon
 * another, connect again for a request that was aborted, give a pool up with requests still waiting in it (so
 * that the next one opens as many sockets again), and cannot end what is under way once they are being closed.
 */
export class Sockets {
  readonly #turnstile: Turnstile
  readonly #maxResponseSize: number
  readonly #connect: () => Connection
  readonly #all = new Set<Connection>()
  readonly #idle: Array<Connection> = []
  #isClosed = false

  constructor(connections: number, maxResponseSize: number, connect: () => Connection) {
    this.#maxResponseSize = maxResponseSize
    this.#turnstile = new Turnstile(connections)
    this.#connect = connect
  }

  /**
   * Sends a request as soon as a socket is free; `isAlone`, over one that no other request has used or will use.
   * Calling what this gives takes the request back: then there is no outcome, and else there is one.
   */
  request(
    request: Dispatcher.DispatchOptions,
    onOutcome: (outcome: Outcome) => void,
    isAlone = false
  ): () => void {
    let exchange: Exchange | undefined
    let isTakenBack = false
    const start = () => {
      if (isTakenBack) return this.#turnstile.leave()
      let connection: Connection
      try {
        if (this.#isClosed) throw new errors.ClientClosedError()
        connection = isAlone ? this.#open() : this.#take()
      } catch (error) {
        this.#turnstile.leave()
        return onOutcome(broken(error as Error))
      }
      exchange = new Exchange(this.#maxResponseSize, (outcome, isReusable) => {
        if (isReusable && !isAlone) this.#keep(connection)
        else this.#discard(connection)
        if (outcome !== undefined) onOutcome(outcome)
      })
      try {
        connection.dispatcher.dispatch(request, exchange)
      } catch (cause) {
        // A ProxyAgent throws what other dispatchers report.
        exchange.onResponseError(undefined, cause as Error)
      }
    }
    const enter = isAlone ? () => this.#closeIdle(start) : start
    this.#turnstile.enter(enter)
    return () => {
      if (this.#turnstile.giveUp(enter)) return
      isTakenBack = true
      exchange?.cancel()
    }
  }

  /** Makes room for another socket. */
  #closeIdle(onClosed: () => void): void {
    const idle = this.#idle.pop()
    if (idle === undefined) {
      onClosed()
    } else {
      this.#all.delete(idle)
      idle.dispatcher.destroy(onClosed)
    }
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
    this.#turnstile.leave()
  }

  /** Closes a socket, whatever is under way over it. Another may be opened once it is closed. */
  #discard(connection: Connection): void {
    this.#all.delete(connection)
    connection.abandon()
    connection.dispatcher.destroy(() => this.#turnstile.leave())
  }

  /** Waits for what is under way. What waits for a socket fails. */
  close(): Promise<unknown> {
    this.#isClosed = true
    return Promise.all(Array.from(this.#all, ({ dispatcher }) => dispatcher.close()))
  }

  destroy(): Promise<unknown> {
    return Promise.all(
      Array.from(this.#all, ({ abandon, dispatcher }) => {
        abandon()
        return dispatcher.destroy()
      })
    )
  }
}

/** The sockets to every origin. */
export class Origins {
  readonly #origins = new Map<string, Sockets>()
  readonly #make: (origin: string) => Sockets
  #isClosed = false

  constructor(make: (origin: string) => Sockets) {
    this.#make = make
  }

  to(origin: string): Sockets {
    const known = this.#origins.get(origin)
    if (known !== undefined) return known
    const sockets = this.#make(origin)
    if (this.#isClosed) void sockets.close()
    this.#origins.set(origin, sockets)
    return sockets
  }

  readonly close = Effect.promise(() => {
    this.#isClosed = true
    return Promise.all(Array.from(this.#origins.values(), (sockets) => sockets.close()))
  })

  readonly destroy = Effect.promise(() =>
    Promise.all(Array.from(this.#origins.values(), (sockets) => sockets.destroy()))
  )
}
