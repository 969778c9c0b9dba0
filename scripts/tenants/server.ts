// An API and its token endpoint, as small as can be, so that 10 000 customers keep the client busy and not the server.
// A process of its own, so that its memory is not the client's. It counts its sockets, and who uses a token twice.
import { once } from "node:events"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

const installation = JSON.stringify({
  id: "123e4567-e89b-12d3-a456-426614174000",
  applicationId: "123e4567-e89b-12d3-a456-426614174000",
  resource: "urn:pleo:company:123e4567-e89b-12d3-a456-426614174000",
  status: "ACTIVATED",
  metadata: { externalApplicationId: "123456789" },
  createdAt: "2021-01-01T00:00:00Z",
  updatedAt: "2021-01-01T00:00:00Z"
})

// As long as that of Pleo may be: a JWT with a few claims.
const padding = "x".repeat(600)

const used = new Set<string>()
const counts = { updates: 0, refused: 0, refreshes: 0, reuses: 0, sockets: 0, mostSockets: 0 }

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

const update = (request: IncomingMessage, response: ServerResponse) => {
  // Only what was refreshed is accepted.
  const isAccepted = /^Bearer access-\d+-2-/.test(request.headers.authorization ?? "")
  counts[isAccepted ? "updates" : "refused"] += 1
  if (isAccepted) response.end(installation)
  else response.writeHead(401).end()
}

const listen = async (answer: (body: string, request: IncomingMessage, response: ServerResponse) => void) => {
  const server = createServer((request, response) => {
    let body = ""
    request.setEncoding("utf8")
    request.on("data", (chunk: string) => {
      body += chunk
    })
    request.on("end", () => answer(body, request, response))
  })
  await once(server.listen(0, "127.0.0.1"), "listening")
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

// As Pleo has them, on two origins.
const api = await listen((_, request, response) => update(request, response))
const auth = await listen((body, _, response) => {
  response.end(refresh(new URLSearchParams(body).get("refresh_token") ?? ""))
})

api.server.on("connection", (socket) => {
  counts.sockets += 1
  counts.mostSockets = Math.max(counts.mostSockets, counts.sockets)
  socket.on("close", () => {
    counts.sockets -= 1
  })
})

process.on("message", () => process.send?.(counts))
process.on("disconnect", () => process.exit())
process.send?.({ url: api.url, tokenEndpoint: `${auth.url}/oauth/token` })
