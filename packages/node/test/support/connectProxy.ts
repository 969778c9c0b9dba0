// An HTTP proxy that only tunnels, and keeps the head of each request that it gets.
import * as Net from "node:net"
import * as Tls from "node:tls"
import { vi } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export interface ConnectProxy {
  readonly port: number
  /** The heads of the CONNECT requests, oldest first. */
  readonly heads: ReadonlyArray<string>
  /** How many sockets were ever opened to it. */
  readonly opened: number
  /** How many were open at the same time at most. */
  readonly peak: number
  /** Waits until there are so many open sockets. */
  readonly untilOpen: (count: number) => Effect.Effect<void>
}

/** Called with the socket of each CONNECT request; `tunnel` does what was asked for. */
export type Handler = (socket: Net.Socket, tunnel: () => void) => void

export interface Options {
  /** Default: 127.0.0.1. */
  readonly host?: string
  /** Speaks TLS with this certificate. */
  readonly tls?: Tls.TlsOptions
}

const listen = (handler: Handler, { host = "127.0.0.1", tls }: Options) =>
  Effect.async<{ readonly proxy: ConnectProxy; readonly close: Effect.Effect<void> }>((resume) => {
    const heads: Array<string> = []
    const sockets = new Set<Net.Socket>()
    const open = new Set<Net.Socket>()
    let opened = 0
    let peak = 0
    const keep = (socket: Net.Socket) => {
      sockets.add(socket)
      socket.on("error", () => {})
      socket.on("close", () => sockets.delete(socket))
    }
    const count = (socket: Net.Socket) => {
      opened += 1
      open.add(socket)
      peak = Math.max(peak, open.size)
      keep(socket)
      // The other side has closed it with the end already.
      for (const event of ["end", "close"]) socket.on(event, () => open.delete(socket))
    }
    const accept = (socket: Net.Socket) => {
      keep(socket)
      socket.once("data", (chunk) => {
        const head = String(chunk)
        heads.push(head)
        const port = Number(/^CONNECT [^ ]*:(\d+) /.exec(head)?.[1])
        handler(socket, () => {
          const target = Net.connect(port, "127.0.0.1", () => {
            socket.write("HTTP/1.1 200 Connection established\r\n\r\n")
            socket.pipe(target).pipe(socket)
          })
          keep(target)
          // Also where it closes before the target is reached, and so before anything is piped.
          if (socket.destroyed) target.destroy()
          else socket.once("close", () => target.destroy())
        })
      })
    }
    const listener = tls === undefined ? Net.createServer(accept) : Tls.createServer(tls, accept)
    listener.on("connection", count)
    // A handshake that the client breaks off.
    listener.on("tlsClientError", () => {})
    listener.listen(0, host, () => {
      const proxy: ConnectProxy = {
        port: (listener.address() as Net.AddressInfo).port,
        get heads() {
          return [...heads]
        },
        get opened() {
          return opened
        },
        get peak() {
          return peak
        },
        untilOpen: (count) =>
          Effect.promise(() =>
            vi.waitUntil(() => open.size === count, { interval: 1, timeout: 5_000 }).then(() => {})
          )
      }
      const close = Effect.async<void>((resume) => {
        listener.close(() => resume(Effect.void))
        for (const socket of sockets) socket.destroy()
      })
      resume(Effect.succeed({ proxy, close }))
    })
  })

/** Answers each request with these bytes, and closes the socket. */
export const refuse =
  (answer: string): Handler =>
  (socket) => {
    socket.end(answer)
  }

/** Gives the first request to the first handler and so on, and all that follow to the last. */
export const inTurn = (...handlers: readonly [Handler, ...ReadonlyArray<Handler>]): Handler => {
  let turn = 0
  return (socket, tunnel) => handlers[Math.min(turn++, handlers.length - 1)]?.(socket, tunnel)
}

export const tunnel: Handler = (_, tunnel) => tunnel()

/** Listens until the scope is closed. Without a handler, it tunnels. */
export const make = (
  handler: Handler = tunnel,
  options: Options = {}
): Effect.Effect<ConnectProxy, never, Scope.Scope> =>
  Effect.acquireRelease(listen(handler, options), ({ close }) => close).pipe(Effect.map(({ proxy }) => proxy))
