// Answers each path with another kind of hostile body, and one with as large a body as is allowed. A process of its own, so that its memory is not ours.
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { brotliCompressSync, gzipSync } from "node:zlib"

const size = 100 * 1024 * 1024
const chunk = Buffer.alloc(64 * 1024, " ")

const flood = (status: number) => (response: Http.ServerResponse) => {
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

const send = (body: Buffer, headers: Http.OutgoingHttpHeaders) => (response: Http.ServerResponse) => {
  response.writeHead(200, headers).end(body)
}

const zeros = Buffer.alloc(size)

const installation = {
  id: "123e4567-e89b-12d3-a456-426614174000",
  applicationId: "123e4567-e89b-12d3-a456-426614174000",
  resource: "urn:pleo:company:123e4567-e89b-12d3-a456-426614174000",
  status: "ACTIVATED",
  metadata: { long: "x".repeat(900_000), many: Array.from({ length: 20_000 }, (_, index) => index) },
  createdAt: "2021-01-01T00:00:00Z",
  updatedAt: "2021-01-01T00:00:00Z"
}

const answers: Record<string, (response: Http.ServerResponse) => void> = {
  "/honest": send(Buffer.from(JSON.stringify(installation)), {}),
  "/flood": flood(200),
  "/flood-error": flood(500),
  "/gzip": send(gzipSync(zeros), { "content-encoding": "gzip", "content-type": "application/json" }),
  "/brotli": send(brotliCompressSync(zeros), {
    "content-encoding": "br",
    "content-type": "application/json"
  }),
  "/nested": send(Buffer.from("[".repeat(500_000) + "]".repeat(500_000)), {}),
  "/wide": send(Buffer.from(`[${"{},".repeat(340_000)}0]`), {}),
  "/nested-metadata": send(Buffer.from(`{"metadata":${'{"a":'.repeat(150_000)}1${"}".repeat(150_000)}}`), {})
}

const server = Http.createServer((request, response) => {
  request.resume()
  const path = Object.keys(answers).find((path) => request.url?.startsWith(`${path}/`))
  request.on("end", () => (path === undefined ? response.writeHead(404).end() : answers[path]?.(response)))
})

server.listen(0, "127.0.0.1", () =>
  process.send?.({ port: (server.address() as AddressInfo).port, paths: Object.keys(answers) })
)
process.on("disconnect", () => process.exit())
