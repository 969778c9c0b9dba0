import type { Socket } from "node:net"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { describe, expect, it } from "@effect/vitest"
import * as Credentials from "@effect-pleo/core/Credentials"
import * as InstallationClient from "@effect-pleo/core/InstallationClient"
import { InstallationService } from "@effect-pleo/core/InstallationService"
import * as RetryPolicy from "@effect-pleo/core/RetryPolicy"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as NodeHttpClient from "../src/NodeHttpClient.ts"
import * as NodeInstallationService from "../src/NodeInstallationService.ts"
import * as RawServer from "./support/rawServer.ts"
import { recordSpans } from "./support/recordingTracer.ts"

const credentials = Credentials.bearer(Redacted.make("token"))

/** A service whose updates are of one customer each: those of the same customer would wait for each other. */
const service = (server: string, options: NodeHttpClient.Options = {}) =>
  Effect.map(
    Layer.build(NodeInstallationService.layer({ server, credentials, ...options })),
    (context): Pick<InstallationService["Type"], "update"> => {
      const { update } = Context.get(context, InstallationService)
      let customers = 0
      const nextCustomer = Effect.suspend(() => Credentials.bearer(Redacted.make(`token-${customers++}`)))
      return { update: (request) => Credentials.use(update(request), nextCustomer) }
    }
  )

const ok = RawServer.send(RawServer.updated)

/** The number that an update carries in its metadata. */
const numberOf = ({ body }: RawServer.RawRequest): unknown => JSON.parse(String(body)).metadata?.number

const numbered = (number: number) => ({ status: "ACTIVATED", metadata: { number } }) as const

describe("sockets", () => {
  it.scopedLive(
    "are never more than the configured number when the server resets all of them again and again",
    () =>
      Effect.gen(function* () {
        let resets = 0
        const waiting: Array<Socket> = []
        const server = yield* RawServer.make((_, socket) => {
          if (waiting.push(socket) < 4) return
          for (const each of waiting.splice(0)) {
            if (resets++ < 40) each.resetAndDestroy()
            else each.write(RawServer.updated)
          }
        })
        const { update } = yield* service(server.url, { connections: 4 })
        const insistent = Effect.retry(update({ status: "ACTIVATED" }), { while: RetryPolicy.isRetryable })
        yield* Effect.replicateEffect(insistent, 40, { concurrency: "unbounded" })
        expect(server.sockets.peak).toBe(4)
        expect(server.requests).toHaveLength(40 + 40)
      })
  )

  it.scopedLive("are used again: updates one after the other share one", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(ok)
      const { update } = yield* service(server.url)
      yield* Effect.replicateEffect(update({ status: "ACTIVATED" }), 10)
      expect(server.requests).toHaveLength(10)
      expect(server.sockets.opened).toBe(1)
    })
  )

  it.scopedLive("are closed when they are idle for longer than the keep-alive timeout", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(ok)
      const { update } = yield* service(server.url, { keepAliveTimeout: "200 millis" })
      yield* update({ status: "ACTIVATED" })
      yield* server.until(({ sockets }) => sockets.open === 0)
      yield* update({ status: "ACTIVATED" })
      expect(server.requests).toHaveLength(2)
    })
  )

  it.scopedLive("are closed with the layer", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(ok)
      yield* Effect.scoped(
        Effect.flatMap(service(server.url), ({ update }) =>
          Effect.replicateEffect(update({ status: "ACTIVATED" }), 20, { concurrency: "unbounded" })
        )
      )
      expect(server.sockets.opened).toBeGreaterThan(1)
      yield* server.until(({ sockets }) => sockets.open === 0)
    })
  )
})

describe("a socket that still connects", () => {
  it.scopedLive("is closed when its request is late, and when the layer is closed", () =>
    Effect.gen(function* () {
      // It takes connections, and never begins TLS.
      const server = yield* RawServer.make(() => {})
      const url = server.url.replace("http:", "https:")
      const scope = yield* Scope.make()
      const { update } = yield* Scope.extend(service(url, { connections: 1 }), scope)
      for (const _ of [1, 2, 3]) {
        const late = update({ status: "ACTIVATED" }).pipe(RetryPolicy.timeout(20))
        expect(yield* Effect.flip(late)).toMatchObject({ reason: "Timeout" })
      }
      yield* server.until(({ sockets }) => sockets.opened === 3 && sockets.open === 0)
      expect(server.sockets.peak).toBeLessThanOrEqual(2)
      yield* Effect.fork(update({ status: "ACTIVATED" }))
      yield* server.until(({ sockets }) => sockets.open === 1)
      yield* Scope.close(scope, Exit.void)
      yield* server.until(({ sockets }) => sockets.open === 0)
    })
  )
})

describe("interruption", () => {
  it.scopedLive("closes the socket of a request in flight, and opens none in its place", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(RawServer.inTurn(RawServer.ignore, ok))
      const { update } = yield* service(server.url)
      const fiber = yield* Effect.fork(update(numbered(1)))
      yield* server.until(({ requests }) => requests.length === 1)
      const exit = yield* Fiber.interrupt(fiber)
      expect(Exit.isInterrupted(exit)).toBe(true)
      yield* server.until(({ sockets }) => sockets.open === 0)
      yield* update(numbered(2))
      expect(server.requests.map(numberOf)).toEqual([1, 2])
      expect(server.sockets.opened).toBe(2)
    })
  )

  it.scopedLive("of a request that waits for a socket keeps it from ever being sent", () =>
    Effect.gen(function* () {
      const held: Array<Socket> = []
      const server = yield* RawServer.make((_, socket) => {
        held.push(socket)
      })
      const client = yield* NodeHttpClient.make({ connections: 1 })
      const started = yield* Deferred.make<void>()
      const announcing = HttpClient.tapRequest(client, () => Deferred.succeed(started, undefined))
      const send = (client: HttpClient.HttpClient, path: string) => Effect.fork(client.put(server.url + path))

      const first = yield* send(client, "/first")
      yield* server.until(({ requests }) => requests.length === 1)
      const second = yield* send(announcing, "/second")
      yield* Deferred.await(started)
      const third = yield* send(client, "/third")
      yield* Fiber.interrupt(second)
      held[0]?.write(RawServer.updated)
      yield* Fiber.join(first)
      yield* server.until(({ requests }) => requests.length === 2)
      held[1]?.write(RawServer.updated)
      yield* Fiber.join(third)
      expect(server.requests.map(({ requestLine }) => requestLine)).toEqual([
        "PUT /first HTTP/1.1",
        "PUT /third HTTP/1.1"
      ])
      expect(server.received.join("")).not.toContain("/second")
    })
  )

  it.scopedLive("at any moment around the response leaves the client as good as before", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(ok)
      const { update } = yield* service(server.url, { connections: 1 })
      const turnOfTheEventLoop = Effect.async<void>((resume) => {
        setImmediate(() => resume(Effect.void))
      })
      const interrupted = []
      for (const turns of Array(60).keys()) {
        const fiber = yield* Effect.fork(update({ status: "ACTIVATED" }))
        yield* Effect.repeatN(turnOfTheEventLoop, turns % 30)
        interrupted.push(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
        yield* update({ status: "ACTIVATED" })
      }
      expect(new Set(interrupted)).toEqual(new Set([true, false]))
    })
  )
})

describe("closing the layer", () => {
  const open = (server: string, options?: NodeHttpClient.Options) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { update } = yield* Scope.extend(service(server, options), scope)
      return { update, close: Scope.close(scope, Exit.void) }
    })

  it.scopedLive("lets an update in flight have its response, when that comes soon", () =>
    Effect.gen(function* () {
      const held = yield* Deferred.make<Socket>()
      const server = yield* RawServer.make((_, socket) => {
        Effect.runSync(Deferred.succeed(held, socket))
      })
      const { close, update } = yield* open(server.url)
      const inFlight = yield* Effect.fork(update({ status: "ACTIVATED" }))
      const socket = yield* Deferred.await(held)
      const closing = yield* Effect.fork(close)
      yield* Effect.yieldNow()
      socket.write(RawServer.updated)
      expect((yield* Fiber.join(inFlight)).id).toBe(RawServer.installation.id)
      yield* Fiber.join(closing)
      yield* server.until(({ sockets }) => sockets.open === 0)
    })
  )

  it.scopedLive("makes later updates fail at once, and sends nothing", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(ok)
      const { close, update } = yield* open(server.url)
      yield* close
      const failure = yield* Effect.flip(update({ status: "ACTIVATED" }))
      expect(failure).toMatchObject({ _tag: "Infrastructure", reason: "Transport", isRetryable: false })
      expect(server.sockets.opened).toBe(0)
    })
  )
})

it("a client is made without waiting for anything", () => {
  const scope = Effect.runSync(Scope.make())
  expect(Exit.isSuccess(Effect.runSyncExit(Scope.extend(NodeHttpClient.make(), scope)))).toBe(true)
})

describe("as an HttpClient", () => {
  const answering = (bytes: string | Uint8Array) =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(RawServer.send(bytes))
      const client = yield* NodeHttpClient.make()
      return { server, client, response: yield* client.get(server.url) }
    })

  it.scopedLive("it gives status, headers and cookies", () =>
    Effect.gen(function* () {
      const { response } = yield* answering(
        "HTTP/1.1 206 Partial\r\nX-Mixed-Case: Yes\r\nx-twice: 1\r\nX-Twice: 2\r\n" +
          "Set-Cookie: a=1; Path=/; HttpOnly\r\nset-cookie: b=2\r\ncontent-length: 0\r\n\r\n"
      )
      expect(response.status).toBe(206)
      expect(response.headers).toMatchObject({ "x-mixed-case": "Yes", "x-twice": "1, 2" })
      expect(response.cookies.toJSON()).toMatchObject({
        cookies: { a: { value: "1", options: { path: "/", httpOnly: true } }, b: { value: "2" } }
      })
    })
  )

  it.scopedLive("it gives no cookies when there are none", () =>
    Effect.gen(function* () {
      const { response } = yield* answering(RawServer.respond(200))
      expect(Object.keys(response.cookies.cookies)).toEqual([])
    })
  )

  it.scopedLive("it gives the body as text, JSON, bytes and a stream, as often as one asks", () =>
    Effect.gen(function* () {
      const text = '{"smørrebrød":["€",1,null]}'
      const { response } = yield* answering(RawServer.respond(200, {}, text))
      const bytes = new TextEncoder().encode(text)
      for (const _ of ["first", "second"]) {
        expect(yield* response.text).toBe(text)
        expect(yield* response.json).toEqual({ smørrebrød: ["€", 1, null] })
        expect(new Uint8Array(yield* response.arrayBuffer)).toEqual(bytes)
        const chunks = yield* Stream.runCollect(response.stream)
        expect(Buffer.concat(Chunk.toReadonlyArray(chunks))).toEqual(Buffer.from(bytes))
      }
    })
  )

  it.scopedLive("it puts the chunks of a body together", () =>
    Effect.gen(function* () {
      const chunks = [1, 2, 3, 5_000, 1, 70_000, 300_000, 1].map((size, index) => String(index).repeat(size))
      const { response } = yield* answering(
        RawServer.head(200, { "transfer-encoding": "chunked" }) +
          [...chunks, ""].map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("")
      )
      expect(yield* response.text).toBe(chunks.join(""))
    })
  )

  it.scopedLive("it gives a body as URL parameters and as form data", () =>
    Effect.gen(function* () {
      const contentType = "application/x-www-form-urlencoded"
      const { response } = yield* answering(
        RawServer.respond(200, { "content-type": contentType }, "a=1&b=%C3%B8&a=2")
      )
      expect(yield* response.urlParamsBody).toEqual([
        ["a", "1"],
        ["b", "ø"],
        ["a", "2"]
      ])
      const form = yield* response.formData
      expect([form.getAll("a"), form.getAll("b")]).toEqual([["1", "2"], ["ø"]])
    })
  )

  it.scopedLive("it fails with Decode when the body is not what was asked for", () =>
    Effect.gen(function* () {
      const { response } = yield* answering(RawServer.respond(200, {}, "<html>"))
      for (const decode of [response.json, response.formData])
        expect(yield* Effect.flip(Effect.asVoid(decode))).toMatchObject({
          _tag: "ResponseError",
          reason: "Decode"
        })
    })
  )

  it.scopedLive("it gives a status outside HTTP's five classes as it is", () =>
    Effect.gen(function* () {
      const { response } = yield* answering(RawServer.respond("999 Request denied", {}, "no"))
      expect(response.status).toBe(999)
      expect(yield* response.text).toBe("no")
    })
  )

  it.scopedLive("it keeps 64 KiB of an error's body, and refuses a success above its limit", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make((request, socket) => {
        const [, status = "", size = ""] = /\/(\d+)\/(\d+) /.exec(request.requestLine) ?? []
        socket.write(RawServer.respond(Number(status), {}, "x".repeat(Number(size))))
      })
      const client = yield* NodeHttpClient.make({ maxResponseSize: 1_000 })
      const sizeOf = (path: string) =>
        Effect.flatMap(client.get(server.url + path), (response) =>
          Effect.map(response.arrayBuffer, (body) => body.byteLength)
        )
      expect(yield* sizeOf("/500/1000000")).toBe(64 * 1024)
      expect(yield* sizeOf(`/500/${64 * 1024}`)).toBe(64 * 1024)
      expect(yield* sizeOf("/200/1000")).toBe(1_000)
      expect(yield* Effect.flip(sizeOf("/200/1001"))).toMatchObject({
        cause: { code: "UND_ERR_RES_EXCEEDED_MAX_SIZE" }
      })
    })
  )

  const bodies: ReadonlyArray<
    readonly [
      kind: string,
      set: (request: HttpClientRequest.HttpClientRequest) => HttpClientRequest.HttpClientRequest,
      body: string,
      headers: Readonly<Record<string, string>>
    ]
  > = [
    [
      "text",
      HttpClientRequest.bodyText("smørrebrød", "text/plain"),
      "smørrebrød",
      { "content-type": "text/plain", "content-length": "12" }
    ],
    [
      "JSON",
      HttpClientRequest.bodyUnsafeJson({ a: [1] }),
      '{"a":[1]}',
      { "content-type": "application/json", "content-length": "9" }
    ],
    [
      "bytes",
      HttpClientRequest.bodyUint8Array(new Uint8Array([104, 105])),
      "hi",
      { "content-type": "application/octet-stream", "content-length": "2" }
    ],
    [
      "URL parameters",
      HttpClientRequest.bodyUrlParams({ a: "1", b: "&" }),
      "a=1&b=%26",
      { "content-type": "application/x-www-form-urlencoded" }
    ],
    [
      "a stream",
      HttpClientRequest.bodyStream(Stream.make("strea", "med").pipe(Stream.encodeText)),
      "streamed",
      { "content-type": "application/octet-stream", "transfer-encoding": "chunked" }
    ],
    [
      "a stream of known length",
      HttpClientRequest.bodyStream(Stream.make("strea", "med").pipe(Stream.encodeText), { contentLength: 8 }),
      "streamed",
      { "content-length": "8" }
    ]
  ]

  for (const [kind, set, body, headers] of bodies)
    it.scopedLive(`it sends ${kind}`, () =>
      Effect.gen(function* () {
        const server = yield* RawServer.make(ok)
        const client = yield* NodeHttpClient.make()
        yield* client.execute(set(HttpClientRequest.post(server.url)))
        const [request] = server.requests
        expect(String(request?.body)).toBe(body)
        expect(Object.fromEntries(request?.headers ?? [])).toMatchObject(headers)
      })
    )

  it.scopedLive("it sends form data, files included", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(ok)
      const client = yield* NodeHttpClient.make()
      const form = new FormData()
      form.append("field", "smørrebrød")
      form.append("file", new Blob(["contents"], { type: "text/plain" }), "name.txt")
      yield* client.execute(HttpClientRequest.bodyFormData(HttpClientRequest.post(server.url), form))
      const [request] = server.requests
      const received = yield* Effect.promise(() =>
        new Response(new Uint8Array(request?.body ?? []), {
          headers: request?.headers.map(([name, value]): [string, string] => [name, value]) ?? []
        }).formData()
      )
      expect(received.get("field")).toBe("smørrebrød")
      const file = received.get("file")
      expect(file).toMatchObject({ name: "name.txt", type: "text/plain" })
      expect(yield* Effect.promise(() => (file as File).text())).toBe("contents")
    })
  )

  it.scopedLive("it fails, and does not die, when the stream of a request fails", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(ok)
      const client = yield* NodeHttpClient.make()
      const broken = Stream.concat(Stream.make("begun"), Stream.fail(new Error("broken"))).pipe(
        Stream.encodeText
      )
      const exit = yield* HttpClientRequest.post(server.url).pipe(
        HttpClientRequest.bodyStream(broken),
        client.execute,
        Effect.exit
      )
      expect(Exit.isFailure(exit) && Cause.isFailType(exit.cause) && exit.cause.error).toMatchObject({
        _tag: "RequestError",
        reason: "Transport"
      })
      expect((yield* client.get(server.url)).status).toBe(200)
    })
  )

  it.scopedLive("it does not die of headers or addresses that cannot be sent", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(ok)
      const client = yield* NodeHttpClient.make()
      for (const request of [
        HttpClientRequest.get(server.url, { headers: { "x-broken": "a\r\nx-injected: 1" } }),
        HttpClientRequest.get(server.url, { headers: { "not a name": "" } }),
        HttpClientRequest.get("data:text/plain,hello"),
        HttpClientRequest.get("not a URL")
      ])
        expect(yield* Effect.flip(client.execute(request))).toMatchObject({ _tag: "RequestError" })
      expect(server.received.join("")).toBe("")
    })
  )

  it.scopedLive("it takes the platform's middleware, under InstallationClient too", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(ok)
      const client = HttpClient.mapRequest(
        yield* NodeHttpClient.make(),
        HttpClientRequest.setHeader("x-app", "mine")
      )
      yield* client.get(server.url)
      const { update } = yield* InstallationClient.make({ server: server.url, credentials }).pipe(
        Effect.provideService(HttpClient.HttpClient, client)
      )
      yield* update({ status: "ACTIVATED" })
      for (const { headers } of server.requests) expect(headers).toContainEqual(["x-app", "mine"])
      expect(server.requests).toHaveLength(2)
    })
  )

  it.scopedLive("it is traced, and hands on its trace, unless told otherwise", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(ok)
      const client = yield* NodeHttpClient.make()
      const silent = HttpClient.withTracerDisabledWhen(client, () => true)
      const [, spans] = yield* recordSpans(
        Effect.all([client.put(server.url), silent.put(server.url)]).pipe(Effect.withSpan("caller"))
      )
      expect(spans.map(({ name }) => name)).toEqual(["caller", "http.client PUT"])
      expect(spans[1]?.attributes.get("http.response.status_code")).toBe(200)
      const headerNames = server.requests.map(({ headers }) => headers.map(([name]) => name))
      expect(headerNames[0]).toContain("traceparent")
      expect(headerNames[1]).not.toContain("traceparent")
    })
  )
})

describe("an option that cannot be used", () => {
  const proxy = new URL("socks5://127.0.0.1:1")
  const cases: ReadonlyArray<readonly [option: string, options: NodeHttpClient.Options]> = [
    ...[0, -1, 1.5, Number.NaN].map((connections) => ["connections", { connections }] as const),
    ...[0, Number.POSITIVE_INFINITY].flatMap((millis) => [
      ["connectTimeout", { connectTimeout: millis }] as const,
      ["keepAliveTimeout", { keepAliveTimeout: millis }] as const
    ]),
    ...[0, Number.NaN].map((maxResponseSize) => ["maxResponseSize", { maxResponseSize }] as const),
    ["proxy", { proxy }]
  ]

  for (const [option, options] of cases)
    it.scoped(`is named when the layer is built: ${option} ${JSON.stringify(Object.values(options))}`, () =>
      Effect.gen(function* () {
        const layer = NodeInstallationService.layer({ server: "staging", credentials, ...options })
        expect(yield* Effect.flip(Layer.build(layer))).toMatchObject({
          _tag: "BadRequest",
          issues: [{ path: [option] }]
        })
      })
    )
})
