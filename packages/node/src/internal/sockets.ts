import * as Effect from "effect/Effect"
import type { Dispatcher } from "undici"
import { Turnstile } from "./turnstile.ts"

/** Makes what has one socket to an origin, and connects it when it is needed. */
export type Connect = (origin: string) => Dispatcher

/**
 * The sockets to one origin.
 *
 * undici's Agent and Pool are not used: they open a second socket for a request that follows at once upon
 * another, connect again for a request that was aborted, give a pool up with requests still waiting in it (so
 * that the next one opens as many sockets again), and cannot end what is under way once they are being closed.
 */
export class Sockets {
  /** A permit for each socket that may be open. */
  readonly permits: Turnstile
  readonly #connect: () => Dispatcher
  readonly #all = new Set<Dispatcher>()
  readonly #idle: Array<Dispatcher> = []

  constructor(connections: number, connect: () => Dispatcher) {
    this.permits = new Turnstile(connections)
    this.#connect = connect
  }

  take(): Dispatcher {
    const idle = this.#idle.pop()
    if (idle !== undefined) return idle
    const socket = this.#connect()
    this.#all.add(socket)
    return socket
  }

  giveBack(socket: Dispatcher): void {
    this.#idle.push(socket)
  }

  /** Closes a socket, whatever is under way over it. */
  discard(socket: Dispatcher): void {
    this.#all.delete(socket)
    socket.destroy(() => {})
  }

  /** Waits for what is under way. */
  close(): Promise<unknown> {
    return Promise.all(Array.from(this.#all, (socket) => socket.close()))
  }

  destroy(): Promise<unknown> {
    return Promise.all(Array.from(this.#all, (socket) => socket.destroy()))
  }
}

/** The sockets to every origin. */
export class Origins {
  readonly #origins = new Map<string, Sockets>()
  readonly #connections: number
  readonly #connect: Connect
  #isClosed = false

  constructor(connections: number, connect: Connect) {
    this.#connections = connections
    this.#connect = connect
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  to(origin: string): Sockets {
    const known = this.#origins.get(origin)
    if (known !== undefined) return known
    const sockets = new Sockets(this.#connections, () => this.#connect(origin))
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
