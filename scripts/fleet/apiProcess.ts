// An API on 127.0.0.1, in a process of its own, that notes for each installation what it was told, and in which order.
// An update tells the number of its flip in its metadata.
import * as Http from "node:http"
import type { AddressInfo } from "node:net"

/** Orders of the parent. */
export type Order =
  | { readonly _tag: "Reset"; readonly latency?: number | undefined }
  | { readonly _tag: "Report"; readonly newest: number }

export interface Report {
  /** Installations that were told the newest state last. */
  readonly newest: number
  readonly updates: number
  /** Updates that came after a newer one. */
  readonly outOfOrder: number
  /** Updates that had been applied before. */
  readonly duplicates: number
  /** Updates in each second. */
  readonly seconds: ReadonlyArray<number>
}

let latency = 0
let installations = new Map<string, { last: number; newest: number }>()
let updates = 0
let outOfOrder = 0
let duplicates = 0
let first = 0
let seconds: Array<number> = []

const note = (name: string, flip: number) => {
  const now = performance.now()
  if (updates === 0) first = now
  updates += 1
  const second = Math.floor((now - first) / 1000)
  seconds[second] = (seconds[second] ?? 0) + 1
  const installation = installations.get(name) ?? { last: 0, newest: 0 }
  if (flip < installation.newest) outOfOrder += 1
  if (flip === installation.last) duplicates += 1
  installation.last = flip
  installation.newest = Math.max(installation.newest, flip)
  installations.set(name, installation)
}

const server = Http.createServer((request, response) => {
  let body = ""
  request.setEncoding("utf8")
  request.on("data", (chunk: string) => {
    body += chunk
  })
  request.on("end", () => {
    const name = request.headers.authorization ?? ""
    const update = JSON.parse(body) as { status: string; metadata: { flip: number } }
    note(name, update.metadata.flip)
    const time = "2026-01-01T00:00:00Z"
    const installation = {
      id: "9a2f6c4e-54a4-4f7e-8f0a-2f0a6f5f3c11",
      applicationId: "d4d0b2a8-5c46-4d8c-9b0d-4a3c0b0f7e22",
      resource: "urn:pleo:company:1",
      status: update.status,
      metadata: update.metadata,
      createdAt: time,
      updatedAt: time
    }
    const respond = () => {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(installation))
    }
    if (latency > 0) setTimeout(respond, latency)
    else respond()
  })
})

process.on("message", (order: Order) => {
  if (order._tag === "Reset") {
    latency = order.latency ?? 0
    installations = new Map()
    updates = outOfOrder = duplicates = first = 0
    seconds = []
    process.send?.({})
    return
  }
  let newest = 0
  for (const { last } of installations.values()) if (last === order.newest) newest += 1
  const report: Report = {
    newest,
    updates,
    outOfOrder,
    duplicates,
    seconds: Array.from(seconds, (count) => count ?? 0)
  }
  process.send?.(report)
})

process.on("disconnect", () => process.exit())
server.listen(0, "127.0.0.1", () =>
  process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
)
