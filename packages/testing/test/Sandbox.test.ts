import * as Net from "node:net"
import { networkInterfaces } from "node:os"
import { describe, expect, it } from "@effect/vitest"
import * as Credentials from "@effect-pleo/core/Credentials"
import { InstallationService } from "@effect-pleo/core/InstallationService"
import * as RetryPolicy from "@effect-pleo/core/RetryPolicy"
import * as NodeInstallationService from "@effect-pleo/node/NodeInstallationService"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Fault from "../src/Fault.ts"
import type * as Sandbox from "../src/Sandbox.ts"
import { type Answer, makeSandbox, put, request, type SandboxService } from "./support.ts"

const token = "canary-token-0f9d8c7b"
const key = "canary-key-6a5e4d3c"
const encodedKey = Buffer.from(`${key}:`).toString("base64")
const secrets = [token, key, encodedKey]

const bearer = (value: string) => Credentials.bearer(Redacted.make(value))
const apiKey = (value: string) => Credentials.apiKey(Redacted.make(value))

const client = ({ url }: { readonly url: string }, credentials = bearer(token)) =>
  Effect.map(
    Layer.build(NodeInstallationService.layer({ server: url, credentials })),
    Context.get(InstallationService)
  )

const started = (options?: Sandbox.Options) =>
  Effect.gen(function* () {
    const sandbox = yield* makeSandbox(options)
    const { update } = yield* client(sandbox)
    return { sandbox, update }
  })

const authorization = `Bearer ${token}`

describe("updates", () => {
  it.scopedLive("the contract's example ends ACTIVATED, with its metadata and error code", () =>
    Effect.gen(function* () {
      const { update } = yield* started()
      const installation = yield* update({
        errorCode: "NOT_ENTITLED",
        metadata: { externalApplicationId: "123456789" },
        status: "ACTIVATED"
      })
      expect(installation).toMatchObject({
        status: "ACTIVATED",
        errorCode: "NOT_ENTITLED",
        metadata: { externalApplicationId: "123456789" }
      })
      expect(installation.resource).toMatch(/^urn:pleo:company:[0-9a-f-]{36}$/)
      expect(DateTime.toEpochMillis(installation.updatedAt)).toBeGreaterThanOrEqual(
        DateTime.toEpochMillis(installation.createdAt)
      )
    })
  )

  it.scopedLive(
    "are remembered: metadata left out is kept, metadata sent replaces, an error code passes",
    () =>
      Effect.gen(function* () {
        const { update } = yield* started()
        const first = yield* update({ status: "ERROR", errorCode: "AUTH_ERROR", metadata: { a: 1, b: 2 } })
        const second = yield* update({ status: "ACTIVATED" })
        const third = yield* update({ status: "INACTIVE", metadata: { c: [3] } })
        expect(first).toMatchObject({ status: "ERROR", errorCode: "AUTH_ERROR" })
        expect(second).toMatchObject({ status: "ACTIVATED", metadata: { a: 1, b: 2 } })
        expect(second).not.toHaveProperty("errorCode")
        expect(third.metadata).toEqual({ c: [3] })
        expect([second.id, third.id]).toEqual([first.id, first.id])
        expect(third.createdAt).toEqual(first.createdAt)
      })
  )

  it.scopedLive("of each credential go to an installation of its own", () =>
    Effect.gen(function* () {
      const { sandbox, update } = yield* started()
      const send = update({ status: "ACTIVATED" })
      const first = yield* update({ status: "ACTIVATED", metadata: { of: "first" } })
      const others = yield* Effect.all([
        Credentials.use(send, bearer("another")),
        Credentials.use(send, apiKey(key)),
        // The same secret in the other scheme is another credential.
        Credentials.use(send, apiKey(token))
      ])
      const ids = [first.id, ...others.map(({ id }) => id)]
      expect(new Set(ids).size).toBe(4)
      expect(others.map(({ metadata }) => metadata)).toEqual([{}, {}, {}])
      const again = yield* client(sandbox)
      expect(yield* again.update({ status: "INACTIVE" })).toMatchObject({
        id: first.id,
        metadata: { of: "first" }
      })
    })
  )

  it.scopedLive("after a deletion go to a new installation of the same resource", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const { create, delete: remove, update } = yield* client(sandbox, apiKey(key))
      const first = yield* update({ status: "ACTIVATED", metadata: { of: "first" } })
      yield* remove()
      const second = yield* create()
      expect(second).toMatchObject({ resource: first.resource, metadata: {} })
      expect(second.id).not.toBe(first.id)
      expect((yield* update({ status: "ACTIVATED" })).id).toBe(second.id)
    })
  )

  it.scopedLive("at the same time, with a credential not seen before, go to one installation", () =>
    Effect.gen(function* () {
      const { update } = yield* started()
      const installations = yield* Effect.replicateEffect(update({ status: "ACTIVATED" }), 20, {
        concurrency: "unbounded"
      })
      expect(new Set(installations.map(({ id }) => id)).size).toBe(1)
    })
  )

  it.scopedLive("begin from the installation that the sandbox was given", () =>
    Effect.gen(function* () {
      const { update } = yield* started({
        installation: { id: "3fa85f64-5717-4562-b3fc-2c963f66afa6", metadata: { seeded: true } }
      })
      expect(yield* update({ status: "ACTIVATED" })).toMatchObject({
        id: "3fa85f64-5717-4562-b3fc-2c963f66afa6",
        metadata: { seeded: true }
      })
    })
  )

  it.scopedLive("carry any metadata there and back unchanged", () =>
    Effect.gen(function* () {
      const { update } = yield* started()
      const metadata = JSON.parse(
        '{"__proto__":{"a":1},"constructor":[null,true,-0.5],"ø€😀":{"":"\\u0000"}}'
      )
      const installation = yield* update({ status: "ACTIVATED", metadata })
      expect(JSON.stringify(installation.metadata)).toBe(JSON.stringify(metadata))
    })
  )
})

describe("refusals", () => {
  const basic = (userInfo: string) => `Basic ${Buffer.from(userInfo).toString("base64")}`

  const strangers: Record<string, Readonly<Record<string, string>>> = {
    "no credential": {},
    "an empty credential": { authorization: "" },
    "a bearer without a token": { authorization: "Bearer" },
    "a bearer with an empty token": { authorization: "Bearer  " },
    "a scheme that is not in the contract": { authorization: `Token ${token}` },
    "a token without a scheme": { authorization: token },
    "an API key with a password": { authorization: basic(`${key}:${token}`) },
    "an empty API key": { authorization: basic(":") },
    "Basic credentials that are not Base64": { authorization: "Basic !!!" }
  }

  for (const [title, headers] of Object.entries(strangers))
    it.scopedLive(`${title} is a 401`, () =>
      Effect.gen(function* () {
        const sandbox = yield* makeSandbox()
        const answer = yield* put(sandbox, headers)
        expect(answer.status).toBe(401)
        for (const secret of secrets) expect(answer.text).not.toContain(secret)
        expect((yield* sandbox.requests).map(({ status }) => status)).toEqual([401])
      })
    )

  it.scopedLive("both schemes of the contract are let in, in any case of letters", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      for (const it of [authorization, `bearer ${token}`, basic(`${key}:`), `BASIC ${encodedKey}`])
        expect((yield* put(sandbox, { authorization: it })).status).toBe(200)
    })
  )

  const bodies: Record<string, string | null> = {
    "a body that lacks the status": '{"metadata":{"kept":false}}',
    "a status that is not in the contract": '{"status":"ENABLED","metadata":{"kept":false}}',
    "an error code that is not in the contract":
      '{"status":"ERROR","errorCode":"OTHER","metadata":{"kept":false}}',
    "metadata that is not an object": '{"status":"ACTIVATED","metadata":[1]}',
    "JSON that is not an object": '"ACTIVATED"',
    "JSON that is cut off": '{"status":"ACTIVATED","metadata":{"kept":false}',
    "no body": null
  }

  for (const [title, body] of Object.entries(bodies))
    it.scopedLive(`${title} is a 400, and changes nothing`, () =>
      Effect.gen(function* () {
        const { sandbox, update } = yield* started()
        yield* update({ status: "ACTIVATED", metadata: { kept: true } })
        const answer = yield* put(sandbox, { authorization }, body)
        expect(answer.status).toBe(400)
        expect(answer.text).not.toContain(token)
        expect((yield* update({ status: "ACTIVATED" })).metadata).toEqual({ kept: true })
      })
    )

  it.scopedLive("a request is refused for its credential before its body is looked at", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      expect((yield* put(sandbox, {}, "not JSON")).status).toBe(401)
    })
  )

  it.scopedLive("paths and methods that are not in the contract are a 404", () =>
    Effect.gen(function* () {
      const { url } = yield* makeSandbox()
      const headers = { authorization }
      const answers = yield* Effect.all([
        request(`${url}/v1`, { headers }),
        request(`${url}/v2/installations/me`, { method: "PUT", headers, body: "{}" }),
        request(`${url}/v1/installations/me/more`, { method: "PUT", headers, body: "{}" }),
        request(`${url}/v1/installations/me`, { method: "PATCH", headers, body: "{}" })
      ])
      expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404])
      for (const { text } of answers) expect(text).not.toContain(token)
    })
  )
})

describe("faults", () => {
  it.scopedLive("a status responds with its headers and body, and nothing is applied", () =>
    Effect.gen(function* () {
      const { sandbox, update } = yield* started()
      yield* update({ status: "ACTIVATED", metadata: { kept: true } })
      yield* sandbox.inject(
        Fault.status(429, {
          headers: {
            "Retry-After": "7",
            "X-Request-Id": "request-1",
            "Content-Type": "application/problem+json"
          },
          body: '{"title":"slow down"}'
        })
      )
      const failure = yield* Effect.flip(update({ status: "ERROR", metadata: { kept: false } }))
      expect(failure).toMatchObject({
        _tag: "Infrastructure",
        reason: "RateLimited",
        status: 429,
        body: '{"title":"slow down"}',
        requestId: "request-1",
        isRetryable: true
      })
      expect(failure).toHaveProperty("retryAfter", Duration.seconds(7))
      expect((yield* update({ status: "ACTIVATED" })).metadata).toEqual({ kept: true })
    })
  )

  const statuses: ReadonlyArray<readonly [status: number, expected: Record<string, unknown>]> = [
    [204, { _tag: "Infrastructure", reason: "InvalidResponse" }],
    [302, { _tag: "Infrastructure", reason: "Redirect" }],
    [400, { _tag: "BadRequest" }],
    [401, { _tag: "Unauthorized", reason: "Unauthenticated" }],
    [403, { _tag: "Unauthorized", reason: "Forbidden" }],
    [404, { _tag: "BadRequest" }],
    [408, { _tag: "Infrastructure", reason: "Timeout" }],
    [500, { _tag: "Infrastructure", reason: "ServerError", isRetryable: true }],
    [503, { _tag: "Infrastructure", reason: "ServerError", isRetryable: true }],
    [999, { _tag: "Infrastructure", reason: "ServerError", isRetryable: true }]
  ]

  for (const [status, expected] of statuses)
    it.scopedLive(`a ${status} is seen by the client as what it means`, () =>
      Effect.gen(function* () {
        const { sandbox, update } = yield* started()
        yield* sandbox.inject(Fault.status(status))
        const failure = yield* Effect.flip(update({ status: "ACTIVATED" }))
        expect(failure).toMatchObject({ ...expected, status })
        expect(failure).not.toHaveProperty("body")
        expect((yield* sandbox.requests).map((it) => it.status)).toEqual([status])
        yield* update({ status: "ACTIVATED" })
      })
    )

  it.scopedLive("a content type is that of the fault, whatever the case of its name", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      for (const name of ["content-type", "Content-Type", "CONTENT-TYPE"]) {
        yield* sandbox.inject(Fault.status(500, { headers: { [name]: "text/html" }, body: "<p>" }))
        const { text } = yield* put(sandbox, { authorization })
        expect(text.match(/^content-type: .*/gm)).toEqual(["content-type: text/html"])
      }
    })
  )

  it.scopedLive("a malformed response is a success that the client cannot understand", () =>
    Effect.gen(function* () {
      const { sandbox, update } = yield* started()
      yield* sandbox.inject(Fault.malformedResponse())
      expect(yield* Effect.flip(update({ status: "ACTIVATED" }))).toMatchObject({
        _tag: "Infrastructure",
        reason: "InvalidResponse",
        status: 200,
        body: expect.stringContaining("<html>"),
        isRetryable: false,
        mayHaveBeenApplied: true
      })
    })
  )

  it.scopedLive("a reset is a lost connection, and nothing is applied", () =>
    Effect.gen(function* () {
      const { sandbox, update } = yield* started()
      yield* update({ status: "ACTIVATED", metadata: { kept: true } })
      yield* sandbox.inject(Fault.resetConnection())
      expect(yield* Effect.flip(update({ status: "ERROR", metadata: {} }))).toMatchObject({
        _tag: "Infrastructure",
        reason: "Transport",
        code: "ECONNRESET",
        isRetryable: true,
        mayHaveBeenApplied: true
      })
      expect((yield* update({ status: "ACTIVATED" })).metadata).toEqual({ kept: true })
      expect((yield* sandbox.requests).map(({ status }) => status)).toEqual([200, null, 200])
    })
  )

  it.scopedLive("a delayed response comes that much later", () =>
    Effect.gen(function* () {
      const { sandbox, update } = yield* started()
      yield* sandbox.inject(Fault.delay("200 millis"))
      const [elapsed, installation] = yield* Effect.timed(update({ status: "ACTIVATED" }))
      expect(installation.status).toBe("ACTIVATED")
      // Timers may fire a little early by the clock.
      expect(Duration.toMillis(elapsed)).toBeGreaterThanOrEqual(195)
    })
  )

  it.scopedLive("an update whose delayed response nobody waited for was applied all the same", () =>
    Effect.gen(function* () {
      const { sandbox, update } = yield* started()
      yield* sandbox.inject(Fault.delay("1 hour"))
      const failure = yield* update({ status: "ACTIVATED", metadata: { applied: true } }).pipe(
        RetryPolicy.timeout("200 millis"),
        Effect.flip
      )
      expect(failure).toMatchObject({ reason: "Timeout", isRetryable: true, mayHaveBeenApplied: true })
      expect((yield* update({ status: "ACTIVATED" })).metadata).toEqual({ applied: true })
    })
  )

  it.scopedLive(
    "are met in the order of their injection, each as many times as it says, and then no more",
    () =>
      Effect.gen(function* () {
        const { sandbox, update } = yield* started()
        yield* sandbox.inject(Fault.status(503, { times: 2 }))
        yield* sandbox.inject(Fault.malformedResponse({ times: 0 }))
        yield* sandbox.inject(Fault.resetConnection())
        yield* sandbox.inject(Fault.status(401))
        const outcomes = yield* Effect.replicateEffect(Effect.either(update({ status: "ACTIVATED" })), 5)
        expect(outcomes).toMatchObject([
          { left: { status: 503 } },
          { left: { status: 503 } },
          { left: { reason: "Transport" } },
          { left: { _tag: "Unauthorized" } },
          { right: { status: "ACTIVATED" } }
        ])
      })
  )

  it.scopedLive("are got over by the retry policy", () =>
    Effect.gen(function* () {
      const { sandbox, update } = yield* started()
      yield* sandbox.inject(Fault.status(503))
      yield* sandbox.inject(Fault.resetConnection())
      const retried = RetryPolicy.retry({ baseDelay: "1 millis" })(update({ status: "ACTIVATED" }))
      expect((yield* retried).status).toBe("ACTIVATED")
      expect((yield* sandbox.requests).map(({ status }) => status)).toEqual([503, null, 200])
    })
  )
})

describe("the record", () => {
  it.scopedLive("holds each request and the status of its response, and no credential", () =>
    Effect.gen(function* () {
      const { sandbox, update } = yield* started()
      yield* update({ status: "ACTIVATED", metadata: { a: 1 } })
      yield* Credentials.use(update({ status: "INACTIVE" }), apiKey(key))
      yield* put(sandbox, {}, "nonsense")
      yield* put(sandbox, { authorization: `Token ${token}` })
      yield* request(`${sandbox.url}/elsewhere?a=b`)
      const requests = yield* sandbox.requests
      expect(requests).toMatchObject([
        {
          method: "PUT",
          path: "/v1/installations/me",
          scheme: "Bearer",
          headers: { "content-type": "application/json;charset=UTF-8" },
          body: '{"status":"ACTIVATED","metadata":{"a":1}}',
          status: 200
        },
        { scheme: "Basic", body: '{"status":"INACTIVE"}', status: 200 },
        { scheme: "none", body: "nonsense", status: 401 },
        { scheme: "unknown", status: 401 },
        { method: "GET", path: "/elsewhere?a=b", scheme: "none", status: 404 }
      ])
      for (const { headers } of requests) expect(headers).not.toHaveProperty("authorization")
      for (const secret of secrets) expect(JSON.stringify(requests)).not.toContain(secret)
    })
  )

  it.scopedLive("shows a request that still waits for its response, without a status", () =>
    Effect.gen(function* () {
      const { sandbox, update } = yield* started()
      yield* sandbox.inject(Fault.delay("1 hour"))
      const fiber = yield* Effect.fork(update({ status: "ACTIVATED" }))
      const [waiting] = yield* sandbox.awaitRequests(1)
      expect(waiting?.status).toBeNull()
      yield* Fiber.interrupt(fiber)
    })
  )
})

describe("over HTTP", () => {
  const post = ({ url }: SandboxService, body: unknown) =>
    request(`${url}/sandbox/faults`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body)
    })

  it.scopedLive("another process injects the same faults, and reads the same record", () =>
    Effect.gen(function* () {
      const { sandbox, update } = yield* started()
      const orders = [
        {
          fault: { _tag: "status", status: 503, headers: { "x-request-id": "r" }, body: "later" },
          times: 2
        },
        { fault: { _tag: "resetConnection" } },
        { fault: { _tag: "delay", duration: 1 } },
        { fault: { _tag: "status", status: 401 } }
      ]
      for (const order of orders) expect((yield* post(sandbox, order)).status).toBe(204)
      const outcomes = yield* Effect.replicateEffect(Effect.either(update({ status: "ACTIVATED" })), 6)
      expect(outcomes).toMatchObject([
        { left: { status: 503, body: "later", requestId: "r" } },
        { left: { status: 503, body: "later", requestId: "r" } },
        { left: { reason: "Transport" } },
        { right: { status: "ACTIVATED" } },
        { left: { _tag: "Unauthorized" } },
        { right: { status: "ACTIVATED" } }
      ])
      const { body, status, text } = yield* request(`${sandbox.url}/sandbox/requests`)
      expect(status).toBe(200)
      expect(JSON.parse(body)).toEqual(JSON.parse(JSON.stringify(yield* sandbox.requests)))
      expect(JSON.parse(body).map((it: Sandbox.Request) => it.status)).toEqual([
        503,
        503,
        null,
        200,
        401,
        200
      ])
      expect(text).not.toContain(token)
    })
  )

  it.scopedLive("a body that is no fault is a 400, and injects nothing", () =>
    Effect.gen(function* () {
      const { sandbox, update } = yield* started()
      const orders = [
        {},
        { fault: { _tag: "Explode" } },
        { fault: { _tag: "status", status: 20 } },
        { fault: { _tag: "fail", error: {} } },
        { fault: { _tag: "resetConnection" }, times: 0 }
      ]
      for (const order of orders) expect((yield* post(sandbox, order)).status).toBe(400)
      yield* update({ status: "ACTIVATED" })
    })
  )

  it.scopedLive("the sandbox's own routes neither meet faults nor are recorded", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      yield* sandbox.inject(Fault.status(500))
      expect((yield* request(`${sandbox.url}/sandbox/requests`)).body).toBe("[]")
      expect((yield* put(sandbox, { authorization })).status).toBe(500)
    })
  )
})

describe("the server", () => {
  const isOpen = (host: string, port: number) =>
    Effect.async<boolean>((resume) => {
      const socket = Net.connect({ host, port })
      socket.on("connect", () => {
        socket.destroy()
        resume(Effect.succeed(true))
      })
      socket.on("error", () => resume(Effect.succeed(false)))
    })

  it.scopedLive("listens on 127.0.0.1 and on no other address of the machine", () =>
    Effect.gen(function* () {
      const { url } = yield* makeSandbox()
      expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
      const port = Number(new URL(url).port)
      const others = Object.values(networkInterfaces())
        .flatMap((addresses) => addresses ?? [])
        .map(({ address }) => address)
        .filter((address) => address !== "127.0.0.1")
      const open = yield* Effect.filter(["127.0.0.1", "::1", "127.0.0.2", ...others], (address) =>
        isOpen(address, port)
      )
      expect(open).toEqual(["127.0.0.1"])
    })
  )

  it.scopedLive("never says a credential back, whatever it answers", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const answers: Array<Answer> = []
      for (const authorization of [`Bearer ${token}`, `Basic ${encodedKey}`, `Digest ${token}`, `${key}`]) {
        for (const fault of [undefined, Fault.status(500), Fault.malformedResponse(), Fault.delay(1)]) {
          if (fault !== undefined) yield* sandbox.inject(fault)
          answers.push(yield* put(sandbox, { authorization }))
          answers.push(yield* put(sandbox, { authorization }, "{"))
        }
        for (const path of [
          "/",
          "/nowhere",
          "/sandbox/requests",
          "/sandbox/installations",
          "/v1/installations/me"
        ])
          answers.push(yield* request(sandbox.url + path, { headers: { authorization } }))
      }
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 400, 401, 404, 500]))
      for (const { text } of answers) for (const secret of secrets) expect(text).not.toContain(secret)
    })
  )

  it.scopedLive("shares nothing with another sandbox beside it", () =>
    Effect.gen(function* () {
      const left = yield* started()
      const right = yield* started()
      expect(left.sandbox.url).not.toBe(right.sandbox.url)
      yield* left.sandbox.inject(Fault.status(503))
      const inRight = yield* right.update({ status: "ACTIVATED", metadata: { of: "right" } })
      expect(yield* Effect.flip(left.update({ status: "ACTIVATED" }))).toMatchObject({ status: 503 })
      const inLeft = yield* left.update({ status: "INACTIVE" })
      expect(inLeft.id).not.toBe(inRight.id)
      expect(inLeft.metadata).toEqual({})
      expect(yield* left.sandbox.requests).toHaveLength(2)
      expect(yield* right.sandbox.requests).toHaveLength(1)
    })
  )

  it.scopedLive("takes the port that it is given, and fails when that is taken", () =>
    Effect.gen(function* () {
      const { url } = yield* makeSandbox()
      const port = Number(new URL(url).port)
      expect(yield* Effect.flip(makeSandbox({ port }))).toMatchObject({ _tag: "ServeError" })
      const other = yield* Effect.scoped(
        Effect.map(makeSandbox(), (sandbox) => Number(new URL(sandbox.url).port))
      )
      expect((yield* makeSandbox({ port: other })).url).toBe(`http://127.0.0.1:${other}`)
    })
  )

  it.scopedLive("ends at once with its layer, delayed responses and idle connections included", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const sandbox = yield* Scope.extend(makeSandbox(), scope)
      const { update } = yield* client(sandbox)
      const idle = Net.connect(Number(new URL(sandbox.url).port), "127.0.0.1")
      yield* Effect.addFinalizer(() => Effect.sync(() => idle.destroy()))
      yield* Effect.async<void>((resume) => {
        idle.on("connect", () => resume(Effect.void))
      })
      yield* update({ status: "ACTIVATED" })
      yield* sandbox.inject(Fault.delay("1 hour", { times: 3 }))
      const waiting = yield* Effect.forEach(["a", "b", "c"], (customer) =>
        update({ status: "ACTIVATED" }).pipe(
          Credentials.use(Credentials.bearer(Redacted.make(customer))),
          Effect.flip,
          Effect.fork
        )
      )
      yield* sandbox.awaitRequests(4)
      const [elapsed] = yield* Effect.timed(Scope.close(scope, Exit.void))
      expect(Duration.toMillis(elapsed)).toBeLessThan(3_000)
      for (const failure of yield* Fiber.joinAll(waiting))
        expect(failure).toMatchObject({ _tag: "Infrastructure", reason: "Transport" })
      expect(yield* Effect.flip(update({ status: "ACTIVATED" }))).toMatchObject({ code: "ECONNREFUSED" })
    })
  )
})
