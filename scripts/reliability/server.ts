// The API and its token endpoint, on two origins as at Pleo. The first segment of a path chooses a hostile body. It is
// small, so that 10 000 customers keep the client busy, and a process of its own, so that its memory is not the client's.
import { once } from "node:events"
import { createServer, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"
import { brotliCompressSync, gzipSync } from "node:zlib"
import { response as installation } from "../../bench/src/support/installation.ts"

export const counts = { updates: 0, refused: 0, refreshes: 0, reuses: 0, sockets: 0, mostSockets: 0 }

export type Counts = typeof counts

export interface Origins {
  readonly api: string
  readonly tokenEndpoint: string
  /** Servers that send a large but valid body, and hostile ones. */
  readonly honest: string
  readonly hostile: ReadonlyArray<string>
}

type Answer = (response: ServerResponse, request: IncomingMessage) => void

const size = 100 * 1024 * 1024
const chunk = Buffer.alloc(64 * 1024, " ")

const flood =
  (status: number): Answer =>
  (response) => {
    response.writeHead(status, { "content-length": size })
    let sent = 0
    const more = () => {
      while (sent < size && !response.destroyed) {
        sent += chunk.length
        if (!response.write(chunk)) return
      }
      response.end()
    }
    response.on("drain", more)
    more()
  }

const send = (body: string | Buffer, headers: OutgoingHttpHeaders = {}): Answer => {
  const bytes = Buffer.from(body)
  return (response) => response.writeHead(200, headers).end(bytes)
}

const zeros = Buffer.alloc(size)
const metadata = { long: "x".repeat(900_000), many: Array.from({ length: 20_000 }, (_, index) => index) }

const hostile: Record<string, Answer> = {
  flood: flood(200),
  "flood-error": flood(500),
  gzip: send(gzipSync(zeros), { "content-encoding": "gzip", "content-type": "application/json" }),
  brotli: send(brotliCompressSync(zeros), { "content-encoding": "br", "content-type": "application/json" }),
  nested: send("[".repeat(500_000) + "]".repeat(500_000)),
  wide: send(`[${"{},".repeat(340_000)}0]`),
  "nested-metadata": send(`{"metadata":${'{"a":'.repeat(150_000)}1${"}".repeat(150_000)}}`)
}

const updated = send(JSON.stringify(installation))

/** Accepts refreshed tokens only. */
const update: Answer = (response, request) => {
  const isAccepted = /^Bearer access-\d+-2-/.test(request.headers.authorization ?? "")
  counts[isAccepted ? "updates" : "refused"] += 1
  if (isAccepted) updated(response, request)
  else response.writeHead(401).end()
}

const answers: Record<string, Answer> = {
  ...hostile,
  honest: send(JSON.stringify({ ...installation, metadata })),
  v1: update
}

const used = new Set<string>()

// An access token is as long as a JWT with a few claims.
const padding = "x".repeat(600)

/** `refresh-<customer>-<generation>` becomes the pair of the next generation. */
const refresh = (token: string): string => {
  counts.refreshes += 1
  if (used.has(token)) counts.reuses += 1
  used.add(token)
  const [, customer, generation] = token.split("-")
  const next = `${customer}-${Number(generation) + 1}`
  return JSON.stringify({
    access_token: `access-${next}-${padding}`,
    refresh_token: `refresh-${next}`,
    token_type: "Bearer",
    expires_in: 3600
  })
}

const listen = async (answer: (...args: [...Parameters<Answer>, body: string]) => void) => {
  const server = createServer(async (request, response) => answer(response, request, await text(request)))
  await once(server.listen(0, "127.0.0.1"), "listening")
  return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

const api = await listen((response, request) =>
  (answers[request.url?.split("/")[1] ?? ""] ?? ((response) => response.writeHead(404).end()))(
    response,
    request
  )
)
const auth = await listen((response, _, body) =>
  response.end(refresh(new URLSearchParams(body).get("refresh_token") ?? ""))
)

api.server.on("connection", (socket) => {
  counts.sockets += 1
  counts.mostSockets = Math.max(counts.mostSockets, counts.sockets)
  socket.on("close", () => {
    counts.sockets -= 1
  })
})

process.on("message", () => process.send?.(counts))
process.on("disconnect", () => process.exit())
process.send?.({
  api: api.origin,
  tokenEndpoint: `${auth.origin}/oauth/token`,
  honest: `${api.origin}/honest`,
  hostile: Object.keys(hostile).map((path) => `${api.origin}/${path}`)
} satisfies Origins)
