// A TCP server that answers with whatever bytes a test wants, and keeps what it received, byte by byte.
import * as Net from "node:net"
import * as Tls from "node:tls"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export interface RawRequest {
  /** The request as it came over the socket, to its last byte. */
  readonly bytes: Buffer
  readonly requestLine: string
  /** In the order of the wire, their names as they were written. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  /** As it was framed: of a chunked body, the chunks put together. */
  readonly body: Buffer
  /** The socket it came over, counted from 0. */
  readonly connection: number
}

/** Called with each complete request, and with the socket to write to. */
export type Handler = (request: RawRequest, socket: Net.Socket) => void

export interface Options {
  /** Called with each new socket, before anything is read from it. */
  readonly onConnection?: (socket: Net.Socket, connection: number) => void
  /** Default: any free port. */
  readonly port?: number
  /** Speaks TLS with this certificate. */
  readonly tls?: Tls.TlsOptions
}

export interface RawServer {
  readonly url: string
  readonly port: number
  /** The complete requests, oldest first. */
  readonly requests: ReadonlyArray<RawRequest>
  /** All that came over each socket, whether or not it made a request. */
  readonly received: ReadonlyArray<Buffer>
  /** How many sockets were ever opened, are open now, and were open at the same time at most. */
  readonly sockets: { readonly opened: number; readonly open: number; readonly peak: number }
  /** Waits for something that the server sees: a socket that opens or closes, or bytes that arrive. */
  readonly until: (isSo: (server: RawServer) => boolean) => Effect.Effect<void>
}

const endOfHead = "\r\n\r\n"

/** The chunks put together and the size that they take on the wire, or `undefined` when some are missing. */
const readChunked = (bytes: Buffer): { readonly body: Buffer; readonly size: number } | undefined => {
  const chunks: Array<Buffer> = []
  let at = 0
  while (true) {
    const endOfSize = bytes.indexOf("\r\n", at)
    if (endOfSize === -1) return undefined
    const start = endOfSize + 2
    const end = start + Number.parseInt(bytes.toString("latin1", at, endOfSize), 16)
    if (bytes.length < end + 2) return undefined
    if (start === end) return { body: Buffer.concat(chunks), size: end + 2 }
    chunks.push(bytes.subarray(start, end))
    at = end + 2
  }
}

/** The first request in these bytes, or `undefined` when it is not complete. */
const readRequest = (bytes: Buffer, connection: number): RawRequest | undefined => {
  const headSize = bytes.indexOf(endOfHead)
  if (headSize === -1) return undefined
  const [requestLine = "", ...lines] = bytes.toString("latin1", 0, headSize).split("\r\n")
  const headers = lines.map((line) => {
    const colon = line.indexOf(":")
    return [line.slice(0, colon), line.slice(colon + 1).trim()] as const
  })
  const find = (name: string) => headers.find(([it]) => it.toLowerCase() === name)?.[1]
  const rest = bytes.subarray(headSize + endOfHead.length)
  const length = Number(find("content-length") ?? 0)
  const framed =
    find("transfer-encoding") === "chunked"
      ? readChunked(rest)
      : { body: rest.subarray(0, length), size: length }
  if (framed === undefined || rest.length < framed.size) return undefined
  return {
    bytes: bytes.subarray(0, headSize + endOfHead.length + framed.size),
    requestLine,
    headers,
    body: framed.body,
    connection
  }
}

const listen = (handler: Handler, options: Options) =>
  Effect.async<{ readonly server: RawServer; readonly close: Effect.Effect<void> }, Error>((resume) => {
    const requests: Array<RawRequest> = []
    const received: Array<Buffer> = []
    const open = new Set<Net.Socket>()
    let peak = 0
    const watchers = new Set<() => void>()
    const notify = () => {
      for (const watch of watchers) watch()
    }

    const accept = (socket: Net.Socket) => {
      const connection = received.push(Buffer.alloc(0)) - 1
      open.add(socket)
      peak = Math.max(peak, open.size)
      let pending = Buffer.alloc(0)
      socket.setNoDelay(true)
      // The other side may reset it at any time: that it is closed says enough.
      socket.on("error", () => {})
      socket.on("close", () => {
        open.delete(socket)
        notify()
      })
      socket.on("data", (chunk) => {
        received[connection] = Buffer.concat([received[connection] ?? Buffer.alloc(0), chunk])
        pending = Buffer.concat([pending, chunk])
        let request = readRequest(pending, connection)
        while (request !== undefined) {
          pending = pending.subarray(request.bytes.length)
          requests.push(request)
          handler(request, socket)
          request = readRequest(pending, connection)
        }
        notify()
      })
      options.onConnection?.(socket, connection)
      notify()
    }

    const listener =
      options.tls === undefined ? Net.createServer(accept) : Tls.createServer(options.tls, accept)
    // A handshake that the client breaks off.
    listener.on("tlsClientError", () => {})
    listener.once("error", (error) => resume(Effect.fail(error)))
    listener.listen(options.port ?? 0, "127.0.0.1", () => {
      const { port } = listener.address() as Net.AddressInfo
      const server: RawServer = {
        url: `${options.tls === undefined ? "http" : "https"}://127.0.0.1:${port}`,
        port,
        get requests() {
          return [...requests]
        },
        get received() {
          return [...received]
        },
        get sockets() {
          return { opened: received.length, open: open.size, peak }
        },
        until: (isSo) =>
          Effect.async((resume) => {
            const watch = () => {
              if (!isSo(server)) return
              watchers.delete(watch)
              resume(Effect.void)
            }
            watchers.add(watch)
            watch()
            return Effect.sync(() => watchers.delete(watch))
          })
      }
      const close = Effect.async<void>((resume) => {
        listener.close(() => resume(Effect.void))
        for (const socket of open) socket.destroy()
      })
      resume(Effect.succeed({ server, close }))
    })
  })

/** Listens on 127.0.0.1 until the scope is closed, and then closes every socket. */
export const make = (handler: Handler, options: Options = {}): Effect.Effect<RawServer, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.orDie(listen(handler, options)), ({ close }) => close).pipe(
    Effect.map(({ server }) => server)
  )

/** A port of this machine on which nobody listens. */
export const freePort: Effect.Effect<number> = Effect.scoped(
  Effect.map(
    make(() => {}),
    ({ port }) => port
  )
)

/** A status line and these headers, and nothing that the test did not ask for. */
export const head = (status: number | string, headers: Readonly<Record<string, string>> = {}): string =>
  [`HTTP/1.1 ${status}`, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)].join(
    "\r\n"
  ) + endOfHead

/** A whole answer, with the length of its body. */
export const respond = (
  status: number | string,
  headers: Readonly<Record<string, string>> = {},
  body: string | Uint8Array = ""
): Buffer => {
  const bytes = Buffer.from(body as Uint8Array)
  return Buffer.concat([
    Buffer.from(head(status, { "content-length": String(bytes.length), ...headers }), "latin1"),
    bytes
  ])
}

/** An installation as the API shows it. */
export const installation = {
  id: "3fa85f64-5717-4562-b3fc-2c963f66afa6",
  applicationId: "9b2f1c52-6f0a-4c52-8d7e-0a4f9f6c1d2e",
  resource: "urn:pleo:company:123e4567-e89b-12d3-a456-426614174000",
  status: "ACTIVATED",
  metadata: { externalApplicationId: "123456789" },
  createdAt: "2024-01-02T03:04:05.678Z",
  updatedAt: "2024-01-02T03:04:06.789Z"
}

/** The response to an update that went well. */
export const updated: Buffer = respond(
  200,
  { "content-type": "application/json;charset=UTF-8" },
  JSON.stringify(installation)
)

/** Answers each request with the same bytes. */
export const send =
  (bytes: string | Uint8Array): Handler =>
  (_, socket) => {
    socket.write(bytes)
  }

/** Sends the bytes, then closes the server's side of the socket in good order. */
export const sendAndEnd =
  (bytes: string | Uint8Array): Handler =>
  (_, socket) => {
    socket.end(bytes)
  }

/** Sends the bytes, then resets the connection. */
export const sendAndReset =
  (bytes: string | Uint8Array): Handler =>
  (_, socket) => {
    socket.write(bytes, () => socket.resetAndDestroy())
  }

/** Resets the connection. */
export const reset: Handler = (_, socket) => {
  socket.resetAndDestroy()
}

/** Never answers. */
export const ignore: Handler = () => {}

/** Gives the first request to the first handler and so on, and all that follow to the last. */
export const inTurn = (...handlers: readonly [Handler, ...ReadonlyArray<Handler>]): Handler => {
  let turn = 0
  return (request, socket) => handlers[Math.min(turn++, handlers.length - 1)]?.(request, socket)
}

/** The `authorization` headers of a request, of which there should be one. */
export const authorizationsOf = ({ headers }: RawRequest): ReadonlyArray<string> =>
  headers.filter(([name]) => name.toLowerCase() === "authorization").map(([, value]) => value)
