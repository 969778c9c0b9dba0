import { describe, expect, it } from "@effect/vitest"
import * as Credentials from "@effect-pleo/core/Credentials"
import type { UpdateInstallation } from "@effect-pleo/core/Installation"
import { InstallationService, update } from "@effect-pleo/core/InstallationService"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as NodeInstallationService from "../src/NodeInstallationService.ts"
import * as RawServer from "./support/rawServer.ts"
import { recordSpans } from "./support/recordingTracer.ts"

const token = Credentials.bearer(Redacted.make("token-of-the-layer"))

const service = (server: string | URL, credentials = token) =>
  Effect.map(
    Layer.build(NodeInstallationService.layer({ server, credentials })),
    Context.get(InstallationService)
  )

/** What a server that is pleased with everything receives when these updates are sent one by one. */
const receivedOf = (...requests: ReadonlyArray<UpdateInstallation>) =>
  Effect.gen(function* () {
    const server = yield* RawServer.make(RawServer.send(RawServer.updated))
    const { update } = yield* service(server.url)
    yield* Effect.forEach(requests, update)
    return server.requests
  })

const requestLine = "PUT /v1/installations/me HTTP/1.1"

describe("the request on the wire", () => {
  it.scopedLive("is one request line, seven headers and the JSON, and not a byte besides", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(RawServer.send(RawServer.updated))
      const { update } = yield* service(server.url)
      yield* update({
        status: "ACTIVATED",
        errorCode: "AUTH_ERROR",
        metadata: { externalApplicationId: "123456789" }
      })
      const body =
        '{"status":"ACTIVATED","errorCode":"AUTH_ERROR","metadata":{"externalApplicationId":"123456789"}}'
      const [head = "", ...rest] = server.received.map(String).join("").split("\r\n\r\n")
      const [firstLine, ...headers] = head.split("\r\n")
      expect(firstLine).toBe(requestLine)
      expect(headers.toSorted()).toEqual([
        "accept-encoding: identity",
        "accept: application/json",
        "authorization: Bearer token-of-the-layer",
        "connection: keep-alive",
        `content-length: ${body.length}`,
        "content-type: application/json;charset=UTF-8",
        `host: 127.0.0.1:${server.port}`
      ])
      expect(rest).toEqual([body])
    })
  )

  it.scopedLive("has a body and its type only where the operation has one", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make((request, socket) =>
        socket.write(
          request.requestLine.startsWith("DELETE")
            ? "HTTP/1.1 204 No Content\r\n\r\n"
            : request.requestLine.startsWith("GET /v1/introspect")
              ? RawServer.respond(200, {}, '{"data":{"authMethod":"NONE","clientId":"app","scope":""}}')
              : RawServer.updated
        )
      )
      const { activate, create, delete: remove, get, introspect } = yield* service(server.url)
      yield* Effect.all([get(), create(), activate(), remove(), introspect()])
      const namesOf = ({ headers }: RawServer.RawRequest) =>
        headers.map(([name, value]) => (name === "content-length" ? `${name} ${value}` : name)).toSorted()
      const plain = ["accept", "accept-encoding", "authorization", "connection", "host"]
      expect(server.requests.map((request) => [request.requestLine, namesOf(request)])).toEqual([
        ["GET /v1/installations/me HTTP/1.1", plain],
        [
          "POST /v1/installations/me HTTP/1.1",
          [...plain.slice(0, -1), "content-length 2", "content-type", "host"]
        ],
        ["POST /v1/installations/me:activate HTTP/1.1", [...plain.slice(0, -1), "content-length 0", "host"]],
        ["DELETE /v1/installations/me HTTP/1.1", plain],
        ["GET /v1/introspect HTTP/1.1", plain]
      ])
    })
  )

  it.scopedLive("carries no trace header and no name of the client from inside a recorded span", () =>
    Effect.gen(function* () {
      const [[request], spans] = yield* receivedOf({ status: "INACTIVE" }).pipe(
        Effect.withSpan("caller"),
        recordSpans
      )
      expect(spans.map(({ name }) => name)).toEqual([
        "caller",
        "InstallationService.update",
        "PUT /v1/installations/me"
      ])
      expect(request?.headers.map(([name]) => name.toLowerCase()).toSorted()).toEqual([
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "host"
      ])
    })
  )

  it.scopedLive("is sent once for each update, even when it fails", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(
        RawServer.inTurn(
          RawServer.send(RawServer.updated),
          RawServer.send(RawServer.respond(503)),
          RawServer.send(RawServer.respond(429, { "retry-after": "0" })),
          RawServer.reset,
          RawServer.send(RawServer.respond(401)),
          RawServer.send(RawServer.updated)
        )
      )
      const { update } = yield* service(server.url)
      const outcomes = yield* Effect.replicateEffect(Effect.either(update({ status: "ACTIVATED" })), 6)
      expect(outcomes.map(({ _tag }) => _tag)).toEqual(["Right", "Left", "Left", "Left", "Left", "Right"])
      const bytes = Buffer.concat(server.received).toString()
      expect(bytes.split(requestLine)).toHaveLength(6 + 1)
      expect(bytes.match(/ HTTP\/1\.1\r\n/g)).toHaveLength(6)
    })
  )

  it.scopedLive("leaves out what is absent or undefined", () =>
    Effect.gen(function* () {
      const requests = yield* receivedOf(
        { status: "PENDING_INTEGRATION" },
        { status: "AUTHORIZED", errorCode: undefined, metadata: undefined },
        { status: "ERROR", errorCode: "NOT_ENTITLED" },
        { status: "ACTIVATED", metadata: {} }
      )
      expect(requests.map(({ body }) => String(body))).toEqual([
        '{"status":"PENDING_INTEGRATION"}',
        '{"status":"AUTHORIZED"}',
        '{"status":"ERROR","errorCode":"NOT_ENTITLED"}',
        '{"status":"ACTIVATED","metadata":{}}'
      ])
    })
  )

  it.scopedLive("is sent below the path of the server, with or without a slash at its end", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(RawServer.send(RawServer.updated))
      for (const base of [`${server.url}/proxy/pleo`, `${server.url}/proxy/pleo/`, new URL("/", server.url)])
        yield* Effect.scoped(Effect.flatMap(service(base), ({ update }) => update({ status: "ACTIVATED" })))
      expect(server.requests.map(({ requestLine }) => requestLine)).toEqual([
        "PUT /proxy/pleo/v1/installations/me HTTP/1.1",
        "PUT /proxy/pleo/v1/installations/me HTTP/1.1",
        requestLine
      ])
    })
  )
})

describe("the credential on the wire", () => {
  it.scopedLive("is an API key as the user name of HTTP Basic, with an empty password", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(RawServer.send(RawServer.updated))
      const { update } = yield* service(server.url, Credentials.apiKey(Redacted.make("key~of/the+app?")))
      yield* update({ status: "ACTIVATED" })
      const expected = `Basic ${Buffer.from("key~of/the+app?:").toString("base64")}`
      expect(server.requests.map(RawServer.authorizationsOf)).toEqual([[expected]])
    })
  )

  it.scopedLive("is replaced by Credentials.use for its region only, the innermost first", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(RawServer.send(RawServer.updated))
      const send = update({ status: "ACTIVATED" })
      const tenant = Credentials.use(Credentials.bearer(Redacted.make("token-of-the-tenant")))
      const key = Credentials.use(Credentials.apiKey(Redacted.make("key")))
      yield* Effect.all([send, tenant(send), send, tenant(Effect.all([send, key(send), send])), send]).pipe(
        Effect.provide(NodeInstallationService.layer({ server: server.url, credentials: token }))
      )
      expect(server.requests.map(RawServer.authorizationsOf)).toEqual([
        ["Bearer token-of-the-layer"],
        ["Bearer token-of-the-tenant"],
        ["Bearer token-of-the-layer"],
        ["Bearer token-of-the-tenant"],
        ["Basic a2V5Og=="],
        ["Bearer token-of-the-tenant"],
        ["Bearer token-of-the-layer"]
      ])
    })
  )

  it.scopedLive("stays with its own update among others at the same time", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make((request, socket) => {
        const [authorization = ""] = RawServer.authorizationsOf(request)
        const metadata = { authorization: authorization.replace("Bearer ", "") }
        socket.write(RawServer.respond(200, {}, JSON.stringify({ ...RawServer.installation, metadata })))
      })
      const { update } = yield* service(server.url)
      const tenants = Array.from({ length: 50 }, (_, index) => `tenant-${index}`)
      const seen = yield* Effect.forEach(
        tenants,
        (tenant) =>
          Credentials.use(update({ status: "ACTIVATED" }), Credentials.bearer(Redacted.make(tenant))),
        { concurrency: "unbounded" }
      )
      expect(seen.map(({ metadata }) => metadata["authorization"])).toEqual(tenants)
    })
  )
})
