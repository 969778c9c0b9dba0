import type { Socket } from "node:net"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { describe, expect, it } from "@effect/vitest"
import * as Credentials from "@effect-pleo/core/Credentials"
import * as InstallationClient from "@effect-pleo/core/InstallationClient"
import { type InstallationError, isInstallationError } from "@effect-pleo/core/InstallationError"
import { InstallationService } from "@effect-pleo/core/InstallationService"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as NodeHttpClient from "../src/NodeHttpClient.ts"
import * as NodeInstallationService from "../src/NodeInstallationService.ts"
import * as RawServer from "./support/rawServer.ts"
import { probes, probesThatFind } from "./support/secrets.ts"

const secret = "canary-0f9d8c7b6a5e4d3c"

const bearer = {
  scheme: "Bearer",
  authorization: `Bearer ${secret}`,
  credentials: Credentials.bearer(Redacted.make(secret)),
  secrets: [secret]
} as const

const encodedKey = Buffer.from(`${secret}:`).toString("base64")

const apiKey = {
  scheme: "Basic",
  authorization: `Basic ${encodedKey}`,
  credentials: Credentials.apiKey(Redacted.make(secret)),
  secrets: [secret, encodedKey, encodedKey.replaceAll("=", "")]
} as const

type Credential = typeof bearer | typeof apiKey

const transports = {
  node: NodeHttpClient.layer(),
  fetch: FetchHttpClient.layer
}

type Transport = keyof typeof transports

const sides: ReadonlyArray<readonly [Transport, Credential]> = [
  ["node", bearer],
  ["node", apiKey],
  ["fetch", bearer],
  ["fetch", apiKey]
]

const service = (transport: Transport, server: string, { credentials }: Credential) =>
  Effect.map(
    Layer.build(
      transport === "node"
        ? NodeInstallationService.layer({ server, credentials })
        : Layer.provide(InstallationClient.layer({ server, credentials }), FetchHttpClient.layer)
    ),
    Context.get(InstallationService)
  )

/** The typed failure of an effect. A success or a defect fails the test. */
const failureOf = <A>(self: Effect.Effect<A, InstallationError>): Effect.Effect<InstallationError> =>
  Effect.map(Effect.exit(self), (exit) => {
    const failure = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined
    if (failure === undefined || !isInstallationError(failure)) throw new Error(`not a failure: ${exit}`)
    return failure
  })

const factsOf = (error: InstallationError) => ({
  ...error,
  _tag: error._tag,
  isRetryable: error.isRetryable,
  mayHaveBeenApplied: error.mayHaveBeenApplied
})

const codeOf = (error: InstallationError) => ("code" in error ? error.code : undefined)

interface Expected {
  readonly _tag: InstallationError["_tag"]
  readonly reason?: string
  readonly status?: number
  readonly isRetryable: boolean
  readonly mayHaveBeenApplied: boolean
  readonly code?: unknown
  readonly retryAfter?: Duration.Duration
  readonly issues?: unknown
  readonly body?: unknown
  readonly requestId?: string
}

interface Fault {
  readonly title: string
  readonly handler: RawServer.Handler
  readonly expected: Expected
  /** Default: both. */
  readonly only?: Transport
}

const refused = { isRetryable: false, mayHaveBeenApplied: false }
const lost = {
  _tag: "Infrastructure",
  reason: "Transport",
  isRetryable: true,
  mayHaveBeenApplied: true
} as const
const serverError = { _tag: "Infrastructure", reason: "ServerError", mayHaveBeenApplied: true } as const
const incomprehensible = {
  _tag: "Infrastructure",
  reason: "InvalidResponse",
  isRetryable: false,
  mayHaveBeenApplied: true
} as const

/** Quotes the credential in the body, as a proxy's page for developers might. */
const quoting =
  (status: number | string, headers?: Record<string, string>): RawServer.Handler =>
  (request, socket) => {
    socket.write(RawServer.respond(status, headers, `You sent ${RawServer.authorizationsOf(request)}.`))
  }

const quoted = expect.stringMatching(/^You sent (Bearer|Basic) <redacted>\.$/)

const page = "<html><body><h1>502 Bad Gateway</h1></body></html>"

const chunked = RawServer.head(200, { "transfer-encoding": "chunked" })

const faults: ReadonlyArray<Fault> = [
  {
    title: "a 400",
    handler: quoting(400, { "x-request-id": "request-1" }),
    expected: { _tag: "BadRequest", status: 400, ...refused, body: quoted, requestId: "request-1" }
  },
  {
    title: "a 400 without a body",
    handler: RawServer.send(RawServer.respond(400)),
    expected: { _tag: "BadRequest", status: 400, ...refused }
  },
  {
    title: "a 401",
    handler: quoting(401),
    expected: { _tag: "Unauthorized", reason: "Unauthenticated", status: 401, ...refused, body: quoted }
  },
  {
    title: "a 403",
    handler: quoting(403),
    expected: { _tag: "Unauthorized", reason: "Forbidden", status: 403, ...refused, body: quoted }
  },
  {
    title: "a 404",
    handler: quoting(404),
    expected: { _tag: "BadRequest", status: 404, ...refused, body: quoted }
  },
  {
    title: "a 418",
    handler: quoting(418),
    expected: { _tag: "BadRequest", status: 418, ...refused, body: quoted }
  },
  {
    title: "a 408",
    handler: quoting(408),
    expected: {
      _tag: "Infrastructure",
      reason: "Timeout",
      status: 408,
      isRetryable: true,
      mayHaveBeenApplied: false,
      body: quoted
    }
  },
  {
    title: "a 429 with Retry-After",
    handler: quoting(429, { "retry-after": "7" }),
    expected: {
      _tag: "Infrastructure",
      reason: "RateLimited",
      status: 429,
      isRetryable: true,
      mayHaveBeenApplied: false,
      retryAfter: Duration.seconds(7),
      body: quoted
    }
  },
  ...[500, 503].map(
    (status): Fault => ({
      title: `a ${status}`,
      handler: quoting(status),
      expected: { ...serverError, status, isRetryable: true, body: quoted }
    })
  ),
  ...[501, 505, 999].map(
    (status): Fault => ({
      title: `a ${status}`,
      handler: quoting(status),
      expected: { ...serverError, status, isRetryable: false, body: quoted }
    })
  ),
  {
    title: "a proxy's page with a 502",
    handler: RawServer.send(RawServer.respond("502 Bad Gateway", { "content-type": "text/html" }, page)),
    expected: { ...serverError, status: 502, isRetryable: true, body: page }
  },
  {
    title: "a proxy's page with a 200",
    handler: quoting(200, { "content-type": "text/html" }),
    expected: {
      ...incomprehensible,
      status: 200,
      issues: [{ path: [], message: "expected JSON" }],
      body: quoted
    }
  },
  {
    title: "a 200 without a body",
    handler: RawServer.send(RawServer.respond(200)),
    expected: { ...incomprehensible, status: 200, issues: [{ path: [], message: "expected a body" }] }
  },
  {
    title: "a 204",
    handler: RawServer.send(RawServer.head(204)),
    expected: { ...incomprehensible, status: 204, issues: [{ path: [], message: "expected a body" }] }
  },
  { title: "a reset before the headers", handler: RawServer.reset, expected: lost },
  {
    title: "a reset in the middle of the headers",
    handler: RawServer.sendAndReset("HTTP/1.1 200 OK\r\ncontent-type: appl"),
    expected: lost
  },
  {
    title: "an end in the middle of the headers",
    handler: RawServer.sendAndEnd("HTTP/1.1 200 OK\r\ncontent-type: appl"),
    expected: lost
  },
  { title: "a half-close without a response", handler: RawServer.sendAndEnd(""), expected: lost },
  {
    title: "a body shorter than its Content-Length",
    handler: RawServer.sendAndEnd(RawServer.updated.subarray(0, -1)),
    expected: lost
  },
  {
    title: "a body shorter than its Content-Length on a connection that is to be closed",
    handler: RawServer.sendAndEnd(
      RawServer.respond(200, { "content-length": "10", connection: "close" }, "{}")
    ),
    expected: lost
  },
  {
    title: "a body that is reset before its Content-Length",
    handler: RawServer.sendAndReset(RawServer.updated.subarray(0, -1)),
    expected: lost
  },
  {
    title: "a chunked body that is cut off",
    handler: RawServer.sendAndEnd(`${chunked}2\r\n{}\r\n`),
    expected: lost
  },
  {
    title: "a chunked body that is cut off on a connection that is to be closed",
    handler: RawServer.sendAndEnd(
      `${RawServer.head(200, { "transfer-encoding": "chunked", connection: "close" })}2\r\n{}\r\n`
    ),
    expected: lost
  },
  {
    title: "a chunk without a size",
    handler: RawServer.send(`${chunked}what?\r\n`),
    expected: incomprehensible
  },
  {
    title: "bytes that are not HTTP",
    handler: RawServer.send("SSH-2.0-OpenSSH_9.6\r\n"),
    expected: incomprehensible
  },
  {
    title: "bytes that are not HTTP, and an end",
    handler: RawServer.sendAndEnd("-ERR unknown command\r\n"),
    expected: incomprehensible
  },
  {
    title: "two different Content-Length headers",
    handler: RawServer.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}"),
    expected: incomprehensible
  },
  {
    title: "Content-Length and Transfer-Encoding together",
    handler: RawServer.send(
      `${RawServer.head(200, { "content-length": "2", "transfer-encoding": "chunked" })}2\r\n{}\r\n0\r\n\r\n`
    ),
    expected: incomprehensible
  },
  {
    title: "a header of 20 KB",
    handler: RawServer.send(RawServer.respond(200, { "x-large": "x".repeat(20_000) }, "{}")),
    expected: { ...incomprehensible, code: "UND_ERR_HEADERS_OVERFLOW" }
  },
  {
    title: "a success larger than the client takes",
    handler: RawServer.send(RawServer.respond(200, {}, `"${"x".repeat(1024 * 1024)}"`)),
    expected: { ...incomprehensible, code: "UND_ERR_RES_EXCEEDED_MAX_SIZE" },
    only: "node"
  },
  {
    title: "a 500 with a body of 1 MB",
    handler: RawServer.send(RawServer.respond(500, {}, "x".repeat(1_000_000))),
    expected: { ...serverError, status: 500, isRetryable: true, body: "x".repeat(2048) }
  },
  {
    title: "a 500 whose body of 1 MB never ends",
    handler: RawServer.send(RawServer.respond(500, { "content-length": "2000000" }, "x".repeat(1_000_000))),
    expected: { ...serverError, status: 500, isRetryable: true, body: "x".repeat(2048) },
    only: "node"
  }
]

const ok = RawServer.send(RawServer.updated)

for (const [transport, credential] of sides)
  describe(`over ${transport}, with ${credential.scheme} credentials`, () => {
    for (const { expected, handler, only, title } of faults)
      if (only === undefined || only === transport)
        it.scopedLive(`${title} is a typed failure without the credential, and the next update works`, () =>
          Effect.gen(function* () {
            const server = yield* RawServer.make(RawServer.inTurn(handler, ok))
            const { update } = yield* service(transport, server.url, credential)
            const failure = yield* failureOf(update({ status: "ACTIVATED" }))
            expect(factsOf(failure)).toEqual({ code: codeOf(failure), ...expected })
            expect(probesThatFind(credential.secrets, failure)).toEqual([])
            expect(server.requests).toHaveLength(1)
            const installation = yield* update({ status: "ACTIVATED" })
            expect(installation.id).toBe(RawServer.installation.id)
            expect(server.requests).toHaveLength(2)
          })
        )

    for (const status of [301, 302, 303, 307, 308])
      it.scopedLive(`a ${status} to another server is a typed failure, and nothing reaches that server`, () =>
        Effect.gen(function* () {
          const target = yield* RawServer.make(ok)
          const location = `${target.url}/v1/installations/me`
          const server = yield* RawServer.make(RawServer.inTurn(quoting(status, { location }), ok))
          const { update } = yield* service(transport, server.url, credential)
          const failure = yield* failureOf(update({ status: "ACTIVATED" }))
          expect(factsOf(failure)).toEqual({
            _tag: "Infrastructure",
            reason: "Redirect",
            status,
            isRetryable: false,
            mayHaveBeenApplied: status === 303,
            body: quoted
          })
          expect(probesThatFind(credential.secrets, failure)).toEqual([])
          yield* update({ status: "ACTIVATED" })
          expect(server.requests).toHaveLength(2)
          expect(target.sockets.opened).toBe(0)
        })
      )

    it.scopedLive("a refused connection is a typed failure, and the next update works once it is not", () =>
      Effect.gen(function* () {
        const port = yield* RawServer.freePort
        const { update } = yield* service(transport, `http://127.0.0.1:${port}`, credential)
        const failure = yield* failureOf(update({ status: "ACTIVATED" }))
        expect(factsOf(failure)).toEqual({
          _tag: "Infrastructure",
          reason: "Transport",
          code: "ECONNREFUSED",
          isRetryable: true,
          mayHaveBeenApplied: false
        })
        expect(probesThatFind(credential.secrets, failure)).toEqual([])
        const server = yield* RawServer.make(ok, { port })
        yield* update({ status: "ACTIVATED" })
        expect(server.requests).toHaveLength(1)
      })
    )

    it.scopedLive("103 Early Hints come before the answer, and do not replace it", () =>
      Effect.gen(function* () {
        const hints = RawServer.head("103 Early Hints", { link: "</style.css>; rel=preload" })
        const server = yield* RawServer.make(
          RawServer.inTurn(
            RawServer.send(Buffer.concat([Buffer.from(hints), RawServer.updated])),
            (_, socket) => {
              socket.write(hints, () => socket.write(hints + RawServer.respond(503)))
            }
          )
        )
        const { update } = yield* service(transport, server.url, credential)
        expect((yield* update({ status: "ACTIVATED" })).id).toBe(RawServer.installation.id)
        expect(yield* failureOf(update({ status: "ACTIVATED" }))).toMatchObject({ status: 503 })
      })
    )

    it.scopedLive("a request id that quotes the credential does not bring it into the error", () =>
      Effect.gen(function* () {
        const server = yield* RawServer.make(
          quoting(500, { "x-request-id": `id ${credential.authorization}` })
        )
        const { update } = yield* service(transport, server.url, credential)
        const failure = yield* failureOf(update({ status: "ACTIVATED" }))
        expect(failure.requestId).toMatch(/^id /)
        expect(probesThatFind(credential.secrets, failure)).toEqual([])
      })
    )

    it.scopedLive("an error of the transport itself shows the credential to the same probes", () =>
      Effect.gen(function* () {
        const server = yield* RawServer.make(RawServer.reset)
        const client = yield* HttpClient.HttpClient
        const failure = yield* HttpClientRequest.put(server.url).pipe(
          HttpClientRequest.setHeader("authorization", credential.authorization),
          client.execute,
          Effect.flip
        )
        expect(failure._tag).toBe("RequestError")
        const found = probesThatFind(credential.secrets, failure)
        expect(found).toContain("JSON.stringify")
        expect(found).toContain("util.inspect")
      }).pipe(Effect.provide(transports[transport]))
    )
  })

describe("over node", () => {
  const numbered = (number: number) =>
    RawServer.respond(200, {}, JSON.stringify({ ...RawServer.installation, metadata: { number } }))

  it.scopedLive("a second response sent along with the first never answers the next update", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(
        RawServer.inTurn(
          RawServer.send(Buffer.concat([numbered(1), numbered(666)])),
          RawServer.send(numbered(2))
        )
      )
      const { update } = yield* service("node", server.url, bearer)
      expect((yield* update({ status: "ACTIVATED" })).metadata).toEqual({ number: 1 })
      expect((yield* update({ status: "ACTIVATED" })).metadata).toEqual({ number: 2 })
    })
  )

  it.scopedLive("a response sent over an idle socket never answers the next update", () =>
    Effect.gen(function* () {
      let idle: Socket | undefined
      const server = yield* RawServer.make((request, socket) => {
        idle = socket
        socket.write(numbered(server.requests.indexOf(request) + 1))
      })
      const { update } = yield* service("node", server.url, bearer)
      expect((yield* update({ status: "ACTIVATED" })).metadata).toEqual({ number: 1 })
      // Neither side has had a turn to notice it when the next update starts.
      idle?.write(numbered(666))
      expect((yield* update({ status: "ACTIVATED" })).metadata).toEqual({ number: 2 })
      idle?.write(numbered(666))
      yield* server.until(({ sockets }) => sockets.open === 0)
      expect((yield* update({ status: "ACTIVATED" })).metadata).toEqual({ number: 3 })
    })
  )

  it.scopedLive("an idle socket that the server resets fails at most one update, and retryably", () =>
    Effect.gen(function* () {
      let idle: Socket | undefined
      const server = yield* RawServer.make((_, socket) => {
        idle = socket
        socket.write(RawServer.updated)
      })
      const { update } = yield* service("node", server.url, bearer)
      yield* update({ status: "ACTIVATED" })
      idle?.resetAndDestroy()
      const outcome = yield* Effect.either(update({ status: "ACTIVATED" }))
      if (outcome._tag === "Left")
        expect(outcome.left).toMatchObject({ reason: "Transport", isRetryable: true })
      yield* update({ status: "ACTIVATED" })
      expect(server.requests.at(-1)?.connection).not.toBe(0)
    })
  )

  it.scopedLive("the socket of an error body that is too large to read is not kept", () =>
    Effect.gen(function* () {
      const large = RawServer.respond(400, {}, "x".repeat(1_000_000))
      const server = yield* RawServer.make(RawServer.inTurn(RawServer.send(large), ok))
      const { update } = yield* service("node", server.url, bearer)
      yield* failureOf(update({ status: "ACTIVATED" }))
      yield* server.until(({ sockets }) => sockets.open === 0)
      yield* update({ status: "ACTIVATED" })
      expect(server.sockets.opened).toBe(2)
    })
  )

  it.scopedLive("an error body cut off in the middle of the credential shows no part of it", () =>
    Effect.gen(function* () {
      const token = "canary".repeat(150)
      const server = yield* RawServer.make(RawServer.send(RawServer.respond(400, {}, token.repeat(1_000))))
      const { update } = yield* service("node", server.url, {
        ...bearer,
        credentials: Credentials.bearer(Redacted.make(token))
      })
      const failure = yield* failureOf(update({ status: "ACTIVATED" }))
      expect(failure.body).toMatch(/^(<redacted>)+/)
      expect(probesThatFind(["canary"], failure)).toEqual([])
    })
  )

  it.scopedLive("no fault leaves a socket open once the layer is closed", () =>
    Effect.gen(function* () {
      const handlers = faults.map(({ handler }) => handler)
      const server = yield* RawServer.make(RawServer.inTurn(RawServer.ignore, ...handlers))
      yield* Effect.gen(function* () {
        const { update } = yield* service("node", server.url, bearer)
        const of = (customer: number) =>
          Credentials.use(
            update({ status: "ACTIVATED" }),
            Credentials.bearer(Redacted.make(`customer-${customer}`))
          )
        const fiber = yield* Effect.fork(of(faults.length))
        yield* server.until(({ requests }) => requests.length === 1)
        yield* Effect.forEach(faults, (_, customer) => failureOf(of(customer)), { concurrency: 16 })
        yield* Fiber.interrupt(fiber)
      }).pipe(Effect.scoped)
      yield* server.until(({ sockets }) => sockets.open === 0)
      expect(server.requests).toHaveLength(1 + faults.length)
    })
  )
})

it("every probe for secrets finds one where there is one", () => {
  for (const text of [...bearer.secrets, ...apiKey.secrets]) {
    const failure = Object.assign(new Error(`refused ${text}`), { text })
    expect(probesThatFind([text], failure)).toEqual(probes)
  }
})
