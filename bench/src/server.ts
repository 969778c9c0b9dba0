// Answers every correct update with the same installation. A process of its own, so that its work is not
// counted; it refuses what is not the update that everybody has to make.
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { path, response, update } from "./support/installation.ts"

const answer = Buffer.from(JSON.stringify(response))
const expected = Buffer.from(JSON.stringify(update))
const headers = { "content-type": "application/json;charset=UTF-8", "content-length": answer.length }

let requests = 0
let isHolding = false
const held: Array<() => void> = []

const isUpdate = ({ headers, method, url }: Http.IncomingMessage, body: Buffer): boolean =>
  method === "PUT" &&
  url === path &&
  headers["content-type"]?.startsWith("application/json") === true &&
  headers.authorization?.startsWith("Bearer token-") === true &&
  body.equals(expected)

const server = Http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  let body: Buffer = Buffer.alloc(0)
  request.on("data", (chunk: Buffer) => {
    body = body.length === 0 ? chunk : Buffer.concat([body, chunk])
  })
  request.on("end", () => {
    requests++
    const reply = () =>
      isUpdate(request, body)
        ? response.writeHead(200, headers).end(answer)
        : response.writeHead(400).end("not the update that was expected")
    if (isHolding) held.push(reply)
    else reply()
  })
})

export type Command = "count" | "hold" | "release"

export interface State {
  readonly port: number
  readonly requests: number
  readonly held: number
}

const commands: Record<Command, () => void> = {
  count: () => {},
  hold: () => {
    isHolding = true
  },
  release: () => {
    isHolding = false
    for (const reply of held.splice(0)) reply()
  }
}

const state = (): State => ({ port: (server.address() as AddressInfo).port, requests, held: held.length })

server.listen(0, "127.0.0.1", () => {
  process.on("message", (command: Command) => {
    commands[command]()
    process.send?.(state())
  })
  process.send?.(state())
})
process.on("disconnect", () => process.exit())
