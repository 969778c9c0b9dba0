import * as Http from "node:http"
import * as HttpServer from "@effect/platform/HttpServer"
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as Fault from "../src/Fault.ts"
import * as server from "../src/internal/sandbox/server.ts"
import * as State from "../src/internal/sandbox/state.ts"
import { makeSandbox, put, request, type SandboxService } from "./support.ts"

const token = "canary-token-0f9d8c7b"
const key = "canary-key-6a5e4d3c"
const encodedKey = Buffer.from(`${key}:`).toString("base64")

const json = ({ url }: SandboxService, path: string, init?: RequestInit) =>
  Effect.map(request(`${url}/sandbox/${path}`, init), ({ body, status }) => ({
    status,
    body: body === "" ? undefined : JSON.parse(body)
  }))

const post = (sandbox: SandboxService, path: string, body: unknown) =>
  json(sandbox, path, { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body) })

/** `fetch` cannot send another `Host`. */
const statusOf = (url: string, options: Http.RequestOptions) =>
  Effect.async<number>((resume) => {
    const sent = Http.request(url, options, (response) => {
      response.resume()
      response.on("end", () => resume(Effect.succeed(response.statusCode ?? 0)))
    })
    sent.on("error", (error) => resume(Effect.die(error)))
    sent.end()
  })

interface News {
  readonly sections: Record<string, string>
  readonly requests: ReadonlyArray<string>
}

/** The events of a sandbox, until the scope ends. */
const events = (url: string) =>
  Effect.gen(function* () {
    const abort = new AbortController()
    yield* Effect.addFinalizer(() => Effect.sync(() => abort.abort()))
    const response = yield* Effect.promise(() => fetch(`${url}/sandbox/events`, { signal: abort.signal }))
    expect(response.headers.get("content-type")).toBe("text/event-stream")
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
    let text = ""
    const next = Effect.promise(async (): Promise<News> => {
      while (!text.includes("\n\n")) text += (await reader?.read())?.value ?? ""
      const [event = "", ...others] = text.split("\n\n")
      text = others.join("\n\n")
      return JSON.parse(event.replace(/^data: /, ""))
    })
    return { next, until: (test: (news: News) => boolean) => Effect.repeat(next, { until: test }) }
  })

describe("the control API", () => {
  it.scopedLive("lists pending faults, and takes one back by its id", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      yield* post(sandbox, "faults", {
        fault: { _tag: "status", status: 503 },
        times: 2,
        path: "/oauth/token"
      })
      yield* sandbox.inject(
        Fault.delay("1 minute", { times: Number.POSITIVE_INFINITY }),
        Fault.loseResponse()
      )
      const { body, status } = yield* json(sandbox, "faults")
      expect(status).toBe(200)
      expect(body).toEqual([
        { id: expect.any(String), fault: "status 503", left: 2, path: "/oauth/token" },
        { id: expect.any(String), fault: "delay 1m", left: null },
        { id: expect.any(String), fault: "loseResponse", left: 1 }
      ])
      for (const { id } of body.slice(1))
        expect((yield* json(sandbox, `faults/${id}`, { method: "DELETE" })).status).toBe(204)
      expect((yield* json(sandbox, "faults")).body).toEqual(body.slice(0, 1))
      expect((yield* put(sandbox, { authorization: `Bearer ${token}` })).status).toBe(200)
    })
  )

  it.scoped("lists grants with their state, and without their tokens", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const grants = [
        yield* sandbox.authorize({ clientId: "my-app", expiresIn: "2 minutes" }),
        yield* sandbox.authorize({ expiresIn: "1 minute" }),
        yield* sandbox.authorize()
      ]
      yield* sandbox.revoke(grants[2]?.id ?? "")
      yield* TestClock.adjust("1 minute")
      const { body } = yield* json(sandbox, "grants")
      expect(body).toMatchObject([
        {
          id: grants[0]?.id,
          clientId: "my-app",
          generation: 1,
          state: "live",
          expiresAt: "1970-01-01T00:02:00.000Z"
        },
        { id: grants[1]?.id, owner: `grant ${grants[1]?.id}`, state: "expired" },
        { id: grants[2]?.id, state: "revoked" }
      ])
      for (const { accessToken, refreshToken } of grants)
        for (const secret of [accessToken, refreshToken])
          expect(JSON.stringify(body)).not.toContain(Redacted.value(secret))
    })
  )

  it.scopedLive("lists installations by a name of their owner, and never by a credential", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const grant = yield* sandbox.authorize()
      for (const authorization of [
        `Bearer ${token}`,
        `Basic ${encodedKey}`,
        `Bearer ${Redacted.value(grant.accessToken)}`
      ])
        yield* put(
          sandbox,
          { authorization },
          '{"status":"ERROR","errorCode":"AUTH_ERROR","metadata":{"a":1}}'
        )
      const { body } = yield* json(sandbox, "installations")
      expect(body).toMatchObject([
        { owner: "Bearer token 1", status: "ERROR", errorCode: "AUTH_ERROR", metadata: { a: 1 } },
        { owner: "API key 2" },
        { owner: `grant ${grant.id}` }
      ])
      yield* request(`${sandbox.url}/v1/installations/me`, {
        method: "DELETE",
        headers: { authorization: `Bearer ${token}` }
      })
      expect((yield* json(sandbox, "installations")).body).toHaveLength(2)
    })
  )

  const refusals: Record<string, readonly [path: string, body: unknown, issue: object]> = {
    "an unknown fault": ["faults", { fault: { _tag: "explode" } }, { path: "fault._tag" }],
    "no fault": ["faults", {}, { path: "fault", message: "is missing" }],
    "a status that is none": [
      "faults",
      { fault: { _tag: "status", status: 20 } },
      { path: "fault.status", message: "Expected a number between 200 and 999" }
    ],
    "a relative path": [
      "faults",
      { fault: { _tag: "resetConnection" }, path: "v1" },
      { path: "path", message: 'Expected a string starting with "/"' }
    ],
    "an unknown field": [
      "faults",
      { fault: { _tag: "resetConnection" }, time: 2 },
      { path: "time", message: expect.stringContaining('"times"') }
    ],
    "JSON that is cut off": ["faults", "{", { path: "", message: "Expected JSON" }],
    "a life that is no number": [
      "grants",
      { expiresIn: "1 hour" },
      { path: "expiresIn", message: "Expected number" }
    ]
  }

  for (const [title, [path, body, issue]] of Object.entries(refusals))
    it.scopedLive(`refuses ${title} with what it expected, and where`, () =>
      Effect.gen(function* () {
        const sandbox = yield* makeSandbox()
        expect(yield* post(sandbox, path, body)).toMatchObject({ status: 400, body: { issues: [issue] } })
        expect((yield* json(sandbox, path)).body).toEqual([])
      })
    )

  it.scopedLive("does not repeat a secret that it refuses", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const { body, status } = yield* post(sandbox, "grants", { clientSecret: [token] })
      expect(status).toBe(400)
      expect(JSON.stringify(body)).toContain("clientSecret")
      expect(JSON.stringify(body)).not.toContain(token)
    })
  )

  it.scopedLive("refuses an id or a path that it does not have", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      for (const path of ["grants/unknown", "faults/unknown", "nothing"])
        expect(yield* json(sandbox, path, { method: "DELETE" })).toMatchObject({
          status: 404,
          body: { issues: [{ message: expect.stringMatching(/^Expected /) }] }
        })
    })
  )
})

describe("a recorded request", () => {
  it.scoped("has its time, its installation and the fault that it met", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      yield* TestClock.adjust("1 second")
      const authorization = `Basic ${encodedKey}`
      yield* put(sandbox, { authorization })
      yield* sandbox.inject(Fault.status(503), Fault.resetConnection({ when: () => false }))
      yield* put(sandbox, { authorization })
      yield* put(sandbox, { authorization: `Token ${token}` })
      const { body } = yield* json(sandbox, "requests")
      expect(body).toMatchObject([
        { at: "1970-01-01T00:00:01.000Z", installation: "API key 1", status: 200 },
        { installation: "API key 1", fault: "status 503", status: 503 },
        { scheme: "unknown", status: 401 }
      ])
      expect(body[0]).not.toHaveProperty("fault")
      expect(body[2]).not.toHaveProperty("installation")
    })
  )
})

describe("the sandbox's page", () => {
  it.scopedLive("shows installations, grants, faults and requests, and no credential", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const grant = yield* sandbox.authorize()
      const secrets = [token, key, encodedKey, ...[grant.accessToken, grant.refreshToken].map(Redacted.value)]
      yield* put(
        sandbox,
        { authorization: `Bearer ${token}` },
        '{"status":"ERROR","errorCode":"AUTH_ERROR","metadata":{"a":"<i>"}}'
      )
      yield* sandbox.inject(Fault.status(503, { times: 2 }))
      yield* put(sandbox, { authorization: `Basic ${encodedKey}` })
      yield* request(`${sandbox.url}/elsewhere?secret=${token}`)
      const { body, status, text } = yield* request(sandbox.url)
      expect(status).toBe(200)
      expect(text).toMatch(/^content-security-policy: default-src 'none'; .*frame-ancestors 'none'$/m)
      for (const part of [
        "Bearer token 1",
        "AUTH_ERROR",
        "{&#34;a&#34;:&#34;&#60;i&#62;&#34;}",
        `grant ${grant.id}`,
        "status 503",
        "PUT /v1/installations/me",
        "GET /elsewhere<"
      ])
        expect(body).toContain(part)
      expect(body).not.toMatch(/https?:\/\//)
      for (const secret of secrets) expect(text).not.toContain(secret)
      const { next } = yield* events(sandbox.url)
      const first = JSON.stringify(yield* next)
      expect(first).toContain("Bearer token 1")
      for (const secret of secrets) expect(first).not.toContain(secret)
    })
  )

  it.scopedLive("is neither recorded nor meets a fault, as its script and its events", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      yield* sandbox.inject(Fault.status(500))
      for (const path of ["/", "/?a=b", "/sandbox/page.js"])
        expect((yield* request(sandbox.url + path)).status).toBe(200)
      yield* Effect.flatMap(events(sandbox.url), ({ next }) => next)
      expect(yield* sandbox.requests).toEqual([])
    })
  )

  it.scopedLive("hears of each change as it comes", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const { next, until } = yield* events(sandbox.url)
      expect(Object.keys((yield* next).sections)).toEqual(["faults", "installations", "grants"])
      yield* put(sandbox, { authorization: `Bearer ${token}` })
      yield* until(({ requests }) => requests.some((html) => html.includes(">200<")))
      yield* sandbox.inject(Fault.status(503))
      yield* until(({ sections }) => sections["faults"]?.includes("status 503") === true)
      const { body } = yield* json(sandbox, "faults")
      yield* json(sandbox, `faults/${body[0].id}`, { method: "DELETE" })
      yield* until(({ sections }) => sections["faults"]?.includes("None pending") === true)
      const { id } = yield* sandbox.authorize()
      yield* until(({ sections }) => sections["grants"]?.includes(">live<") === true)
      yield* sandbox.expire(id)
      yield* until(({ sections }) => sections["grants"]?.includes(">expired<") === true)
      yield* sandbox.revoke(id)
      yield* until(({ sections }) => sections["grants"]?.includes(">revoked<") === true)
    })
  )

  it.scoped("hears that an access token expired", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      yield* sandbox.authorize({ expiresIn: "1 minute" })
      const { next, until } = yield* events(sandbox.url)
      expect((yield* next).sections["grants"]).toContain(">live<")
      yield* TestClock.adjust("1 minute")
      yield* until(({ sections }) => sections["grants"]?.includes(">expired<") === true)
    })
  )

  it.scopedLive("that hangs up is no error, and leaves no listener", () =>
    Effect.gen(function* () {
      const logged: Array<unknown> = []
      const state = yield* Layer.build(State.layer({}))
      const { listeners, marketplace } = Context.get(state, State.SandboxState)
      const address = yield* Layer.build(server.layer(0)).pipe(
        Effect.provide(state),
        Effect.provide(
          Logger.replace(
            Logger.defaultLogger,
            Logger.make(({ message }) => logged.push(message))
          )
        ),
        Effect.map((context) => Context.get(context, HttpServer.HttpServer).address)
      )
      if (address._tag !== "TcpAddress") return yield* Effect.dieMessage("no TCP")
      yield* Effect.scoped(
        Effect.gen(function* () {
          const streams = yield* Effect.replicateEffect(events(`http://127.0.0.1:${address.port}`), 5)
          yield* Effect.all(streams.map(({ next }) => next))
          expect(listeners.size).toBe(5)
        })
      )
      yield* Effect.repeat(
        Effect.promise(() => new Promise((resolve) => setImmediate(resolve))),
        { until: () => listeners.size === 0 }
      )
      expect(yield* marketplace.record.all).toEqual([])
      expect(logged).toEqual([])
    })
  )

  it.scopedLive("does not keep the sandbox from its end", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const sandbox = yield* Scope.extend(makeSandbox(), scope)
      yield* Effect.flatMap(events(sandbox.url), ({ next }) => next)
      yield* Effect.timeoutFail(Scope.close(scope, Exit.void), {
        duration: "3 seconds",
        onTimeout: () => new Error("still open")
      })
    })
  )
})

describe("a request that another site makes a browser send", () => {
  const own = [
    ["GET", "/"],
    ["GET", "/sandbox/events"],
    ["GET", "/sandbox/requests"],
    ["GET", "/SANDBOX/requests"],
    ["POST", "/sandbox/grants"],
    ["GET", "/oauth/authorize"],
    ["POST", "/oauth/authorize"],
    ["GET", "/%6Fauth/authorize"]
  ] as const
  const forAnyHost = [
    ["GET", "/v1/installations/me", 401],
    ["POST", "/oauth/token", 400]
  ] as const

  for (const [method, path] of own)
    it.scopedLive(
      `is refused by ${method} ${path}, by another name of this machine or from another origin`,
      () =>
        Effect.gen(function* () {
          const sandbox = yield* makeSandbox()
          const { host, port } = new URL(sandbox.url)
          for (const headers of [
            { host: `evil.example:${port}` },
            { host: `evil.example:${port}`, origin: `http://evil.example:${port}` },
            { host: "127.0.0.1" },
            { host, origin: "http://evil.example" },
            { host, origin: `http://localhost:${port}` },
            { host, origin: "null" }
          ])
            expect(yield* statusOf(sandbox.url + path, { method, headers })).toBe(403)
          expect(yield* sandbox.requests).toEqual([])
          expect((yield* json(sandbox, "grants")).body).toEqual([])
        })
    )

  for (const [method, path, status] of forAnyHost)
    it.scopedLive(`is refused by ${method} ${path} from another origin, and not by another name`, () =>
      Effect.gen(function* () {
        const sandbox = yield* makeSandbox()
        const { host } = new URL(sandbox.url)
        for (const headers of [
          { host: "sandbox:8080" },
          { host: "sandbox:8080", origin: "http://sandbox:8080" },
          { host, origin: sandbox.url }
        ])
          expect(yield* statusOf(sandbox.url + path, { method, headers })).toBe(status)
        for (const origin of ["http://evil.example", "null"])
          expect(yield* statusOf(sandbox.url + path, { method, headers: { host, origin } })).toBe(403)
        expect(yield* sandbox.requests).toHaveLength(3)
      })
    )
})
