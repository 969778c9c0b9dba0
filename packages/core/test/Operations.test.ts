import * as HttpClient from "@effect/platform/HttpClient"
import { RequestError } from "@effect/platform/HttpClientError"
import type { HttpClientRequest } from "@effect/platform/HttpClientRequest"
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as InstallationClient from "../src/InstallationClient.ts"
import type { InstallationError } from "../src/InstallationError.ts"
import type { InstallationService } from "../src/InstallationService.ts"
import * as RetryPolicy from "../src/RetryPolicy.ts"
import { exampleResponse } from "./support/contract.ts"
import * as FakeOAuth from "./support/fakeOAuth.ts"
import { activated, answering, authorizationOf, bearer, bodyOf, installation } from "./support/http.ts"

type Service = InstallationService["Type"]

type Reply = (request: HttpClientRequest) => ReturnType<FakeOAuth.Fault>

const status =
  (status: number): Reply =>
  () =>
    Effect.succeed(new Response(null, { status }))
const ok: Reply = () => Effect.sync(() => installation())
const reset: Reply = (request) =>
  Effect.fail(new RequestError({ request, reason: "Transport", cause: { code: "ECONNRESET" } }))
const introspected: Reply = () =>
  Effect.sync(
    () =>
      new Response(
        JSON.stringify({
          data: {
            authMethod: "OAUTH2",
            clientId: "my-app",
            scope: "users:read  test:test",
            applicationName: "My app",
            subjectURN: "urn:pleo:company:1",
            more: true
          }
        })
      )
  )

/** A service over a server that gives these replies, one a request. */
const serving = (...replies: ReadonlyArray<Reply>) =>
  Effect.gen(function* () {
    const left = [...replies]
    const { client, requests } = answering((request) => (left.shift() ?? ok)(request))
    const service = yield* InstallationClient.make({ credentials: bearer("token") }).pipe(
      Effect.provideService(HttpClient.HttpClient, client)
    )
    return { service, requests, methods: () => requests.map(({ method }) => method) }
  })

/** The exit of an effect with retries, after any waits. */
const retried = <A>(self: Effect.Effect<A, InstallationError>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(self.pipe(RetryPolicy.retry()))
    yield* TestClock.adjust("1 minute")
    return yield* Fiber.await(fiber)
  })

const companyId = "123e4567-e89b-12d3-a456-426614174000"

const operations = {
  get: { call: ({ get }) => get(), method: "GET", path: "/v1/installations/me", reply: ok },
  "get, of a company": {
    call: ({ get }) => get({ companyId }),
    method: "GET",
    path: `/v1/installations/me?company_id=${companyId}`,
    reply: ok
  },
  create: {
    call: ({ create }) => create({ status: "PENDING_INTEGRATION", metadata: { a: 1 } }),
    method: "POST",
    path: "/v1/installations/me",
    body: '{"status":"PENDING_INTEGRATION","metadata":{"a":1}}',
    reply: ok
  },
  "create, without fields": {
    call: ({ create }) => create(),
    method: "POST",
    path: "/v1/installations/me",
    body: "{}",
    reply: ok
  },
  update: {
    call: ({ update }) => update(activated),
    method: "PUT",
    path: "/v1/installations/me",
    body: '{"status":"ACTIVATED"}',
    reply: ok
  },
  activate: {
    call: ({ activate }) => activate(),
    method: "POST",
    path: "/v1/installations/me:activate",
    reply: ok
  },
  delete: {
    call: (service) => service.delete(),
    method: "DELETE",
    path: "/v1/installations/me",
    reply: status(204)
  },
  introspect: {
    call: ({ introspect }) => introspect(),
    method: "GET",
    path: "/v1/introspect",
    reply: introspected
  }
} satisfies Record<
  string,
  {
    readonly call: (service: Service) => Effect.Effect<unknown, InstallationError>
    readonly method: string
    readonly path: string
    readonly body?: string
    readonly reply: Reply
  }
>

const refusals: ReadonlyArray<readonly [status: number, tag: string, reason?: string]> = [
  [400, "BadRequest"],
  [401, "Unauthorized", "Unauthenticated"],
  [403, "Unauthorized", "Forbidden"],
  [404, "BadRequest"],
  [408, "Infrastructure", "Timeout"],
  [429, "Infrastructure", "RateLimited"],
  [500, "Infrastructure", "ServerError"],
  [502, "Infrastructure", "ServerError"]
]

/** The rows of the operations in the fault matrix. */
const rows = ["get", "create", "update", "activate", "delete", "introspect"]
const numbered = Object.entries(operations).map(
  ([name, operation]) => [84 + rows.indexOf(name.replace(/,.*/, "")), name, operation] as const
)

describe.each(numbered)("%i %s", (_, name, { call, method, path, reply, ...rest }) => {
  it.effect("sends one request of the contract", () =>
    Effect.gen(function* () {
      const { requests, service } = yield* serving(reply)
      yield* call(service)
      expect(requests).toHaveLength(1)
      const [request] = requests
      expect(request?.method).toBe(method)
      expect(request?.url).toBe(`https://external.pleo.io${path}`)
      expect(bodyOf(request)).toBe("body" in rest ? rest.body : "")
      expect(request?.headers["content-type"]).toBe(
        "body" in rest ? "application/json;charset=UTF-8" : undefined
      )
      expect(authorizationOf(request)).toBe("Bearer token")
    })
  )

  it.effect.each(refusals)("fails with the error of status %i", ([code, _tag, reason]) =>
    Effect.gen(function* () {
      const { service } = yield* serving(status(code))
      const error = yield* Effect.flip(call(service))
      expect(error).toMatchObject({ _tag, status: code, ...(reason === undefined ? {} : { reason }) })
    })
  )

  it.effect("fails with Infrastructure after a reset, and is retried", () =>
    Effect.gen(function* () {
      const { requests, service } = yield* serving(reset, ...(name.startsWith("create") ? [ok] : [reply]))
      expect(Exit.isSuccess(yield* retried(call(service)))).toBe(true)
      expect(requests).toHaveLength(2)
    })
  )

  it.scoped("is sent again with new tokens after a 401, once", () =>
    Effect.gen(function* () {
      const { server, service } = yield* FakeOAuth.setUpService("1 hour")
      server.updateFaults.push(FakeOAuth.status(401), (_, request) => reply(request))
      yield* call(service)
      expect(server.presented).toEqual(["refresh-canary-1"])
      expect(server.updates.map((update) => update.slice(0, -1 * " 200".length))).toEqual([
        "access-canary-1",
        "access-canary-2"
      ])
    })
  )

  it.effect("names the operation in an error, which says whether it may have been applied", () =>
    Effect.gen(function* () {
      const { service } = yield* serving(reset)
      const error = yield* Effect.flip(call(service))
      const isRead = name.startsWith("get") || name === "introspect"
      const operation = name.replace(/,.*/, "")
      expect(error).toMatchObject({ reason: "Transport", mayHaveBeenApplied: !isRead })
      expect(error.operation).toBe(operation === "update" ? undefined : operation)
      const applied = `The ${operation === "update" ? "update" : "request"} may have been applied.`
      expect(error.message).toContain(isRead ? "Nothing was applied." : applied)
    })
  )

  it.effect("fails with Timeout at the deadline of an attempt", () =>
    Effect.gen(function* () {
      const { service } = yield* serving(() => Effect.never)
      const fiber = yield* Effect.fork(call(service).pipe(RetryPolicy.timeout("5 seconds")))
      yield* TestClock.adjust("5 seconds")
      expect(yield* Effect.flip(Fiber.join(fiber))).toMatchObject({
        _tag: "Infrastructure",
        reason: "Timeout"
      })
    })
  )

  if (name !== "delete")
    it.effect("fails with InvalidResponse if the body is something else", () =>
      Effect.gen(function* () {
        const { service } = yield* serving(() => Effect.succeed(new Response('{"data":{}}')))
        expect(yield* Effect.flip(call(service))).toMatchObject({ reason: "InvalidResponse" })
      })
    )
})

describe("get", () => {
  it.effect("refuses an id that is no UUID before sending", () =>
    Effect.gen(function* () {
      const { requests, service } = yield* serving()
      const error = yield* Effect.flip(service.get({ companyId: "x&y=z" }))
      expect(error).toMatchObject({
        _tag: "BadRequest",
        issues: [{ path: ["companyId"], message: "expected UUID" }]
      })
      expect(requests).toEqual([])
    })
  )

  it.effect("does not wait for a write, and a write does not wait for it", () =>
    Effect.gen(function* () {
      const write = yield* Deferred.make<void>()
      const { methods, service } = yield* serving(
        () => Effect.as(Deferred.await(write), installation()),
        ok,
        () => Effect.never
      )
      const updating = yield* Effect.fork(service.update(activated))
      yield* TestClock.adjust(0)
      yield* service.get()
      const reading = yield* Effect.fork(service.get())
      yield* TestClock.adjust(0)
      yield* Deferred.succeed(write, undefined)
      yield* Fiber.join(updating)
      yield* service.update(activated)
      expect(methods()).toEqual(["PUT", "GET", "GET", "PUT"])
      yield* Fiber.interrupt(reading)
    })
  )

  it.effect("waits for earlier writes if it is asked to", () =>
    Effect.gen(function* () {
      const write = yield* Deferred.make<void>()
      const { methods, service } = yield* serving(() => Effect.as(Deferred.await(write), installation()))
      const updating = yield* Effect.fork(service.update(activated))
      yield* TestClock.adjust(0)
      const reading = yield* Effect.fork(service.get({ inOrder: true }))
      yield* TestClock.adjust(0)
      expect(methods()).toEqual(["PUT"])
      yield* Deferred.succeed(write, undefined)
      yield* Fiber.join(updating)
      yield* Fiber.join(reading)
      expect(methods()).toEqual(["PUT", "GET"])
    })
  )

  it.effect("does not supersede a write that is retried", () =>
    Effect.gen(function* () {
      const { methods, service } = yield* serving(status(503))
      const updating = yield* Effect.fork(service.update(activated).pipe(RetryPolicy.retry()))
      yield* TestClock.adjust(0)
      yield* service.get()
      yield* service.get({ inOrder: true })
      yield* TestClock.adjust("1 second")
      expect((yield* Fiber.join(updating)).status).toBe(exampleResponse["status"])
      expect(methods()).toEqual(["PUT", "GET", "GET", "PUT"])
    })
  )
})

describe("writes of one installation", () => {
  it.effect("are sent in order, whatever the operation", () =>
    Effect.gen(function* () {
      const first = yield* Deferred.make<void>()
      const { requests, service } = yield* serving(
        () => Effect.as(Deferred.await(first), installation()),
        ok,
        status(204)
      )
      const writes = yield* Effect.forEach(
        [service.update(activated), service.activate(), service.delete()],
        (write) => Effect.zipLeft(Effect.fork(write), TestClock.adjust(0))
      )
      expect(requests).toHaveLength(1)
      yield* Deferred.succeed(first, undefined)
      yield* Fiber.joinAll(writes)
      expect(requests.map(({ method, url }) => `${method} ${new URL(url).pathname}`)).toEqual([
        "PUT /v1/installations/me",
        "POST /v1/installations/me:activate",
        "DELETE /v1/installations/me"
      ])
    })
  )

  it.effect("do not continue each other in one policy", () =>
    Effect.gen(function* () {
      const { methods, service } = yield* serving(reset, status(204), reset, status(404))
      const both = Effect.zipRight(Effect.ignore(service.create()), service.delete())
      yield* both.pipe(RetryPolicy.retry())
      expect(methods()).toEqual(["POST", "DELETE"])
    })
  )
})

describe("85 create, ambiguous", () => {
  it.effect("gets the installation after an ambiguous failure, and does not create it again", () =>
    Effect.gen(function* () {
      const { methods, service } = yield* serving(reset, ok)
      const exit = yield* retried(service.create({ status: "PENDING_INTEGRATION" }))
      expect(exit).toMatchObject({ value: { status: exampleResponse["status"] } })
      expect(methods()).toEqual(["POST", "GET"])
    })
  )

  it.effect.each([400, 404])("creates it if the first attempt did not (%i)", (absent) =>
    Effect.gen(function* () {
      const { methods, service } = yield* serving(reset, status(absent), ok)
      expect(Exit.isSuccess(yield* retried(service.create()))).toBe(true)
      expect(methods()).toEqual(["POST", "GET", "POST"])
    })
  )

  it.effect("does not create it while it cannot be read", () =>
    Effect.gen(function* () {
      const { methods, service } = yield* serving(reset, status(503), status(503))
      const exit = yield* retried(service.create())
      expect(exit).toMatchObject({ cause: { error: { reason: "ServerError", mayHaveBeenApplied: true } } })
      expect(methods()).toEqual(["POST", "GET", "GET"])
    })
  )

  it.effect("is sent again after a failure before sending", () =>
    Effect.gen(function* () {
      const unsent: Reply = (request) =>
        Effect.fail(new RequestError({ request, reason: "Transport", cause: { code: "ECONNREFUSED" } }))
      const { methods, service } = yield* serving(unsent, status(429), ok)
      expect(Exit.isSuccess(yield* retried(service.create()))).toBe(true)
      expect(methods()).toEqual(["POST", "POST", "POST"])
    })
  )

  it.effect("refuses fields that the contract does not know", () =>
    Effect.gen(function* () {
      const { requests, service } = yield* serving()
      const error = yield* Effect.flip(service.create({ errorCode: "AUTH_ERROR" } as never))
      expect(error).toMatchObject({
        issues: [{ path: ["errorCode"], message: "is not part of the contract" }]
      })
      expect(requests).toEqual([])
    })
  )
})

describe("88 delete, ambiguous", () => {
  it.effect("has succeeded if the installation is gone after an ambiguous failure", () =>
    Effect.gen(function* () {
      const { methods, service } = yield* serving(reset, status(404))
      expect(Exit.isSuccess(yield* retried(service.delete()))).toBe(true)
      expect(methods()).toEqual(["DELETE", "DELETE"])
    })
  )

  it.effect("fails if there was no installation", () =>
    Effect.gen(function* () {
      const { methods, service } = yield* serving(status(404))
      expect(yield* retried(service.delete())).toMatchObject({ cause: { error: { status: 404 } } })
      expect(methods()).toEqual(["DELETE"])
    })
  )

  it.scoped("ends the stored grant, and no further request is sent with it", () =>
    Effect.gen(function* () {
      const { server, service, shelf } = yield* FakeOAuth.setUpService("1 hour")
      server.updateFaults.push(FakeOAuth.status(204))
      yield* service.delete()
      expect(shelf.only).toMatchObject({ _tag: "Ended", reason: "Deleted" })
      expect(yield* Effect.flip(service.update(activated))).toMatchObject({
        reason: "ReauthorizationRequired",
        issues: [{ message: "the installation was deleted" }]
      })
      expect(server.updates).toHaveLength(1)
      expect(server.presented).toEqual([])
    })
  )

  it.scoped("keeps the tokens of a customer who has authorized the app again meanwhile", () =>
    Effect.gen(function* () {
      const { server, service, shelf } = yield* FakeOAuth.setUpService("1 hour")
      server.updateFaults.push(() =>
        Effect.as(
          FakeOAuth.storeTokens(shelf.store, server.authorize()),
          new Response(null, { status: 204 })
        ).pipe(Effect.orDie)
      )
      yield* service.delete()
      expect(shelf.only._tag).toBe("Active")
      yield* service.update(activated)
    })
  )

  it.scoped("has succeeded if the tokens are revoked after an ambiguous failure", () =>
    Effect.gen(function* () {
      const { server, service, shelf } = yield* FakeOAuth.setUpService("1 hour")
      server.updateFaults.push((_, request) => {
        server.revoke()
        return FakeOAuth.broken(request, { code: "ECONNRESET" })
      })
      expect(Exit.isSuccess(yield* retried(service.delete()))).toBe(true)
      expect(shelf.only).toMatchObject({ _tag: "Ended" })
    })
  )

  it.scoped("succeeds although the end of the grant cannot be stored", () =>
    Effect.gen(function* () {
      const { server, service, shelf } = yield* FakeOAuth.setUpService("1 hour")
      server.updateFaults.push(FakeOAuth.status(204))
      shelf.isReadOnly = true
      yield* service.delete()
      expect(shelf.only._tag).toBe("Active")
    })
  )
})

describe("introspect", () => {
  it.effect("describes the credential", () =>
    Effect.gen(function* () {
      const { service } = yield* serving(introspected)
      expect(yield* service.introspect()).toEqual({
        authMethod: "OAUTH2",
        clientId: "my-app",
        scopes: ["users:read", "test:test"],
        applicationName: "My app",
        subject: "urn:pleo:company:1"
      })
    })
  )

  it.effect("keeps a method of authentication that it does not know", () =>
    Effect.gen(function* () {
      const data = { authMethod: "MTLS", clientId: "my-app", scope: "" }
      const { service } = yield* serving(() => Effect.succeed(new Response(JSON.stringify({ data }))))
      expect(yield* service.introspect()).toEqual({ authMethod: "MTLS", clientId: "my-app", scopes: [] })
    })
  )
})
