// An HTTP proxy that only tunnels, and keeps the head of each request that it gets.
import * as Net from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export interface ConnectProxy {
  readonly port: number
  /** The heads of the CONNECT requests, oldest first. */
  readonly heads: ReadonlyArray<string>
  /** How many sockets were ever opened to it. */
  readonly opened: number
}

const listen = (refusal: string | undefined) =>
  Effect.async<{ readonly proxy: ConnectProxy; readonly close: Effect.Effect<void> }>((resume) => {
    const heads: Array<string> = []
    const sockets = new Set<Net.Socket>()
    let opened = 0
    const keep = (socket: Net.Socket) => {
      sockets.add(socket)
      socket.on("error", () => {})
      socket.on("close", () => sockets.delete(socket))
    }
    const listener = Net.createServer((socket) => {
      opened++
      keep(socket)
      socket.once("data", (chunk) => {
        const head = String(chunk)
        heads.push(head)
        if (refusal !== undefined) return socket.end(refusal)
        const port = Number(/^CONNECT [^ ]*:(\d+) /.exec(head)?.[1])
        const target = Net.connect(port, "127.0.0.1", () => {
          socket.write("HTTP/1.1 200 Connection established\r\n\r\n")
          socket.pipe(target).pipe(socket)
        })
        keep(target)
        return undefined
      })
    })
    listener.listen(0, "127.0.0.1", () => {
      const proxy: ConnectProxy = {
        port: (listener.address() as Net.AddressInfo).port,
        get heads() {
          return [...heads]
        },
        get opened() {
          return opened
        }
      }
      const close = Effect.async<void>((resume) => {
        listener.close(() => resume(Effect.void))
        for (const socket of sockets) socket.destroy()
      })
      resume(Effect.succeed({ proxy, close }))
    })
  })

/** Listens on 127.0.0.1 until the scope is closed. With a `refusal`, that is its answer to each request. */
export const make = (refusal?: string): Effect.Effect<ConnectProxy, never, Scope.Scope> =>
  Effect.acquireRelease(listen(refusal), ({ close }) => close).pipe(Effect.map(({ proxy }) => proxy))
