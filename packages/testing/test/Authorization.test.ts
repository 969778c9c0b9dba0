import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/TestClock"
import * as Fault from "../src/Fault.ts"
import type * as Sandbox from "../src/Sandbox.ts"
import { attempt, makeSandbox, put, request, type SandboxService } from "./support.ts"

const tokenPath = "/oauth/token"
const apiPath = "/v1/installations/me"
const clientId = "canary-client"
const clientSecret = "canary-client-secret"

interface Pair {
  readonly access: string
  readonly refresh: string
}

const pairOf = ({
  accessToken,
  refreshToken
}: {
  readonly accessToken: Redacted.Redacted
  readonly refreshToken: Redacted.Redacted
}): Pair => ({
  access: Redacted.value(accessToken),
  refresh: Redacted.value(refreshToken)
})

const form = (parameters: Record<string, string> | Array<Array<string>>): RequestInit => ({
  method: "POST",
  body: new URLSearchParams(parameters)
})

const refreshForm = (refresh: string, other: Readonly<Record<string, string>> = {}) =>
  form({
    grant_type: "refresh_token",
    refresh_token: refresh,
    client_id: clientId,
    client_secret: clientSecret,
    ...other
  })

const exchange = ({ url }: SandboxService, refresh: string, other?: Readonly<Record<string, string>>) =>
  request(url + tokenPath, refreshForm(refresh, other))

const rotate = (sandbox: SandboxService, refresh: string) =>
  Effect.map(exchange(sandbox, refresh), ({ body, status }): Pair => {
    expect(status).toBe(200)
    const { access_token, refresh_token } = JSON.parse(body)
    return { access: access_token, refresh: refresh_token }
  })

const update = (sandbox: SandboxService, access: string) =>
  put(sandbox, { authorization: `Bearer ${access}` })

const statusOf = (sandbox: SandboxService, access: string) =>
  Effect.map(update(sandbox, access), ({ status }) => status)

const refused = (error: string, status = 400) => ({ status, body: JSON.stringify({ error }) })

const outcomes = ({ requests }: SandboxService) =>
  Effect.map(requests, (all) => all.flatMap(({ grant }) => grant?.outcome ?? []))

/** Lets the event loop turn until the record ends with such a request. */
const untilLast = ({ requests }: SandboxService, test: (last: Sandbox.Request | undefined) => boolean) =>
  Effect.repeat(
    Effect.zipRight(
      Effect.promise(() => new Promise(setImmediate)),
      requests
    ),
    {
      until: (all) => test(all.at(-1))
    }
  )

describe("consent", () => {
  it.scopedLive("gives a pair of opaque tokens that no other consent has, each for an hour", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const grants = yield* Effect.all([sandbox.authorize(), sandbox.authorize()])
      const tokens = grants.map(pairOf).flatMap(({ access, refresh }) => [access, refresh])
      expect(new Set([...tokens, ...grants.map(({ id }) => id)]).size).toBe(6)
      for (const token of tokens) expect(token).toMatch(/^[\w-]{20,}$/)
      const { body } = yield* exchange(sandbox, pairOf(grants[0]).refresh)
      expect(JSON.parse(body)).toHaveProperty("expires_in", 3600)
    })
  )

  it.scopedLive("gives an installation of its own, which stays the same however often tokens rotate", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const installationOf = (access: string) =>
        Effect.map(update(sandbox, access), ({ body }): string => JSON.parse(body).id)
      const first = pairOf(yield* sandbox.authorize())
      const other = pairOf(yield* sandbox.authorize())
      const second = yield* rotate(sandbox, first.refresh)
      const id = yield* installationOf(second.access)
      const third = yield* rotate(sandbox, second.refresh)
      expect(yield* installationOf(third.access)).toBe(id)
      expect(yield* installationOf(other.access)).not.toBe(id)
    })
  )

  it.scopedLive("withdrawn leaves no token of the grant alive, and those of others", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const { id, ...grant } = yield* sandbox.authorize()
      const first = pairOf(grant)
      const second = yield* rotate(sandbox, first.refresh)
      const other = pairOf(yield* sandbox.authorize())
      yield* sandbox.revoke(id)
      yield* sandbox.revoke("unknown")
      expect(yield* statusOf(sandbox, second.access)).toBe(401)
      for (const { refresh } of [second, first])
        expect(yield* exchange(sandbox, refresh)).toMatchObject(refused("invalid_grant"))
      expect(yield* outcomes(sandbox)).toEqual(["rotated", "revoked", "revoked"])
      expect(yield* statusOf(sandbox, other.access)).toBe(200)
      yield* rotate(sandbox, other.refresh)
    })
  )
})

describe("a refresh", () => {
  it.scopedLive("answers with a new pair that must not be stored, and kills the old one at once", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const first = pairOf(yield* sandbox.authorize({ expiresIn: "90 seconds" }))
      expect(yield* statusOf(sandbox, first.access)).toBe(200)
      const { body, status, text } = yield* exchange(sandbox, first.refresh)
      const answer = JSON.parse(body)
      expect(status).toBe(200)
      expect(answer).toEqual({
        access_token: expect.any(String),
        refresh_token: expect.any(String),
        token_type: "Bearer",
        expires_in: 90
      })
      expect(new Set([answer.access_token, answer.refresh_token, first.access, first.refresh]).size).toBe(4)
      expect(text).toMatch(/^cache-control: no-store$/m)
      expect(text).toMatch(/^content-type: application\/json/m)
      expect(yield* statusOf(sandbox, first.access)).toBe(401)
      expect(yield* statusOf(sandbox, answer.access_token)).toBe(200)
    })
  )

  it.scopedLive(
    "says a life that is no whole number of seconds as it is, and an infinite one not at all",
    () =>
      Effect.gen(function* () {
        const sandbox = yield* makeSandbox()
        const brief = pairOf(yield* sandbox.authorize({ expiresIn: "1500 millis" }))
        const endless = pairOf(yield* sandbox.authorize({ expiresIn: Number.POSITIVE_INFINITY }))
        expect(JSON.parse((yield* exchange(sandbox, brief.refresh)).body)).toHaveProperty("expires_in", 1.5)
        const { body } = yield* exchange(sandbox, endless.refresh)
        expect(JSON.parse(body)).not.toHaveProperty("expires_in")
        expect(yield* statusOf(sandbox, JSON.parse(body).access_token)).toBe(200)
      })
  )

  it.scopedLive("with a token that was used before revokes every token of the grant, and of no other", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const first = pairOf(yield* sandbox.authorize())
      const other = pairOf(yield* sandbox.authorize())
      const second = yield* rotate(sandbox, first.refresh)
      const third = yield* rotate(sandbox, second.refresh)
      expect(yield* statusOf(sandbox, third.access)).toBe(200)
      for (const { refresh } of [first, third, second, first])
        expect(yield* exchange(sandbox, refresh)).toMatchObject(refused("invalid_grant"))
      for (const { access } of [first, second, third]) expect(yield* statusOf(sandbox, access)).toBe(401)
      expect(yield* outcomes(sandbox)).toEqual([
        "rotated",
        "rotated",
        "reused",
        "revoked",
        "revoked",
        "revoked"
      ])
      expect(yield* statusOf(sandbox, other.access)).toBe(200)
      yield* rotate(sandbox, other.refresh)
    })
  )

  it.scopedLive(
    "of the same token twice at the same time is won by one, and the other revokes the grant",
    () =>
      Effect.gen(function* () {
        const sandbox = yield* makeSandbox()
        const { refresh } = pairOf(yield* sandbox.authorize())
        const answers = yield* Effect.replicateEffect(exchange(sandbox, refresh), 2, {
          concurrency: "unbounded"
        })
        const [won, lost] = answers.toSorted((a, b) => a.status - b.status)
        expect(won?.status).toBe(200)
        expect(lost).toMatchObject(refused("invalid_grant"))
        const { access_token, refresh_token } = JSON.parse(won?.body ?? "")
        expect((yield* outcomes(sandbox)).toSorted()).toEqual(["reused", "rotated"])
        expect(yield* statusOf(sandbox, access_token)).toBe(401)
        expect(yield* exchange(sandbox, refresh_token)).toMatchObject(refused("invalid_grant"))
      })
  )

  it.scopedLive("with a token that was never issued for it is an invalid_grant, and harms nobody", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const { access, refresh } = pairOf(yield* sandbox.authorize())
      for (const unknown of ["never-issued", access, "__proto__"])
        expect(yield* exchange(sandbox, unknown)).toMatchObject(refused("invalid_grant"))
      expect(yield* outcomes(sandbox)).toEqual([])
      for (const { grant } of yield* sandbox.requests) expect(grant).toBeUndefined()
      yield* rotate(sandbox, refresh)
    })
  )
})

describe("an access token", () => {
  it.scoped("is refused from the end of its life on, and its refresh token gives another life", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const first = pairOf(yield* sandbox.authorize({ expiresIn: "10 minutes" }))
      yield* TestClock.adjust("599999 millis")
      expect(yield* statusOf(sandbox, first.access)).toBe(200)
      yield* TestClock.adjust("1 millis")
      expect(yield* statusOf(sandbox, first.access)).toBe(401)
      const second = yield* rotate(sandbox, first.refresh)
      yield* TestClock.adjust("599999 millis")
      expect(yield* statusOf(sandbox, second.access)).toBe(200)
      yield* TestClock.adjust("1 millis")
      expect(yield* statusOf(sandbox, second.access)).toBe(401)
    })
  )

  it.scopedLive("that is made to expire is refused, while its refresh token still works", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const { id, ...grant } = yield* sandbox.authorize({ expiresIn: Number.POSITIVE_INFINITY })
      const first = pairOf(grant)
      yield* sandbox.expire(id)
      yield* sandbox.expire("unknown")
      expect(yield* statusOf(sandbox, first.access)).toBe(401)
      const second = yield* rotate(sandbox, first.refresh)
      expect(yield* statusOf(sandbox, second.access)).toBe(200)
      expect(yield* statusOf(sandbox, first.access)).toBe(401)
    })
  )

  it.scopedLive("that is dead is refused before the body is looked at, and nothing is applied", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const { id, ...grant } = yield* sandbox.authorize()
      const first = pairOf(grant)
      yield* sandbox.expire(id)
      for (const body of ["{", '{"status":"ERROR","metadata":{"applied":true}}'])
        expect((yield* put(sandbox, { authorization: `Bearer ${first.access}` }, body)).status).toBe(401)
      const second = yield* rotate(sandbox, first.refresh)
      expect(JSON.parse((yield* update(sandbox, second.access)).body)).toMatchObject({ metadata: {} })
    })
  )

  it.scopedLive("is none that a refresh token could stand in for, and one never issued is let in", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const { refresh } = pairOf(yield* sandbox.authorize())
      expect(yield* statusOf(sandbox, refresh)).toBe(401)
      expect(yield* statusOf(sandbox, "never-issued")).toBe(200)
    })
  )
})

describe("the client", () => {
  const strangers: Record<string, Readonly<Record<string, string>>> = {
    "another id": { client_id: "another" },
    "another secret": { client_secret: "another" },
    "an empty id": { client_id: "" },
    "an empty secret": { client_secret: "" }
  }

  for (const [title, other] of Object.entries(strangers))
    it.scopedLive(`with ${title} is an invalid_client, whoever named it, and no token is harmed`, () =>
      Effect.gen(function* () {
        const named = yield* makeSandbox()
        const told = yield* makeSandbox({ clientId, clientSecret: Redacted.make(clientSecret) })
        for (const [sandbox, grant] of [
          [named, yield* named.authorize({ clientId, clientSecret: Redacted.make(clientSecret) })],
          [named, yield* named.authorize({ clientId, clientSecret })],
          [told, yield* told.authorize()]
        ] as const) {
          const first = pairOf(grant)
          expect(yield* exchange(sandbox, first.refresh, other)).toMatchObject(refused("invalid_client", 401))
          const second = yield* rotate(sandbox, first.refresh)
          // Not even a token that was used before: whoever has no secret must not be able to revoke.
          expect(yield* exchange(sandbox, first.refresh, other)).toMatchObject(refused("invalid_client", 401))
          expect(yield* statusOf(sandbox, second.access)).toBe(200)
        }
        expect(yield* outcomes(told)).toEqual(["refused", "rotated", "refused"])
      })
    )

  it.scopedLive("may be any, unless one was named", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const { refresh } = pairOf(yield* sandbox.authorize())
      const other = { client_id: "any", client_secret: "thing" }
      expect((yield* exchange(sandbox, refresh, other)).status).toBe(200)
    })
  )

  const basic = (id: string, secret: string) =>
    `Basic ${btoa([id, secret].map((text) => new URLSearchParams({ "": text }).toString().slice(1)).join(":"))}`

  it.scopedLive("may authenticate by HTTP Basic, with id and secret encoded as in a form", () =>
    Effect.gen(function* () {
      const secret = "a b+c:d%&\u20ac"
      const sandbox = yield* makeSandbox({ clientId, clientSecret: secret })
      const { refresh } = pairOf(yield* sandbox.authorize())
      const send = (authorization: string, others: Readonly<Record<string, string>> = {}) =>
        request(sandbox.url + tokenPath, {
          ...form({ grant_type: "refresh_token", refresh_token: refresh, ...others }),
          headers: { authorization }
        })
      for (const header of [basic(clientId, "another"), basic("another", secret), "Basic", "Bearer token"])
        expect(yield* send(header)).toMatchObject(refused("invalid_client", 401))
      const both = { client_id: clientId, client_secret: secret }
      expect(yield* send(basic(clientId, secret), both)).toMatchObject(refused("invalid_request"))
      expect(yield* send(basic(clientId, secret), { client_id: "another" })).toMatchObject(
        refused("invalid_request")
      )
      expect((yield* send(basic(clientId, secret))).status).toBe(200)
      expect(yield* outcomes(sandbox)).toEqual([...Array(6).fill("refused"), "rotated"])
      expect(JSON.stringify(yield* sandbox.requests)).not.toContain(basic(clientId, secret).slice(6))
    })
  )

  it.scopedLive("that the sandbox expects gives way to the one that a grant names", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox({ clientId, clientSecret })
      const { refresh } = pairOf(yield* sandbox.authorize({ clientSecret: "of the grant" }))
      expect(yield* exchange(sandbox, refresh)).toMatchObject(refused("invalid_client", 401))
      expect((yield* exchange(sandbox, refresh, { client_secret: "of the grant" })).status).toBe(200)
    })
  )
})

describe("the token endpoint refuses", () => {
  const headers = { "content-type": "application/x-www-form-urlencoded" }
  const parameters = { grant_type: "refresh_token", client_id: clientId, client_secret: clientSecret }
  const malformed: Record<string, readonly [error: string, init: (refresh: string) => RequestInit]> = {
    "another grant type": [
      "unsupported_grant_type",
      (refresh) => refreshForm(refresh, { grant_type: "password" })
    ],
    "an inherited name for a grant type": [
      "unsupported_grant_type",
      (refresh) => refreshForm(refresh, { grant_type: "toString" })
    ],
    "an empty grant type": ["invalid_request", (refresh) => refreshForm(refresh, { grant_type: "" })],
    "no grant type": ["invalid_request", (refresh) => form({ refresh_token: refresh })],
    "no refresh token": ["invalid_request", () => form(parameters)],
    "an empty refresh token": ["invalid_request", () => refreshForm("")],
    "a parameter sent twice": [
      "invalid_request",
      (refresh) =>
        form([...Object.entries(parameters), ["refresh_token", refresh], ["refresh_token", refresh]])
    ],
    "JSON instead of a form": [
      "invalid_request",
      (refresh) => ({
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ ...parameters, refresh_token: refresh })
      })
    ],
    "JSON that is cut off": [
      "invalid_request",
      (refresh) => ({
        method: "POST",
        headers: { "content-type": "application/json" },
        body: `{"refresh_token":"${refresh}"`
      })
    ],
    "JSON that says it is a form": [
      "invalid_request",
      (refresh) => ({ method: "POST", headers, body: JSON.stringify({ refresh_token: refresh }) })
    ],
    "a multipart body": [
      "invalid_request",
      (refresh) => {
        const body = new FormData()
        body.set("refresh_token", refresh)
        return { method: "POST", body }
      }
    ],
    "bytes that are no text": [
      "invalid_request",
      () => ({ method: "POST", headers, body: new Uint8Array([0xff, 0xfe, 0x25, 0x00]) })
    ],
    "a percent sign that escapes nothing": [
      "invalid_request",
      (refresh) => ({ method: "POST", headers, body: `%&%zz=${refresh}` })
    ],
    "no body": ["invalid_request", () => ({ method: "POST" })],
    "an empty form": ["invalid_request", () => ({ method: "POST", headers, body: "" })]
  }

  for (const [title, [error, init]] of Object.entries(malformed))
    it.scopedLive(`${title}, as ${error}, and leaves the grant alone`, () =>
      Effect.gen(function* () {
        const sandbox = yield* makeSandbox()
        const { access, refresh } = pairOf(yield* sandbox.authorize())
        const answer = yield* request(sandbox.url + tokenPath, init(refresh))
        expect(answer).toMatchObject(refused(error))
        expect(answer.text).toMatch(/^cache-control: no-store$/m)
        const [{ status, grant } = {}] = yield* sandbox.requests
        expect(status).toBe(400)
        expect([undefined, "refused"]).toContain(grant?.outcome)
        for (const secret of [access, refresh, clientSecret]) {
          expect(answer.text).not.toContain(secret)
          expect(JSON.stringify(yield* sandbox.requests)).not.toContain(secret)
        }
        yield* rotate(sandbox, refresh)
      })
    )
})

describe("the record", () => {
  it.scopedLive("tells which generation of which grant a request carried, and what became of it", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const { id, ...grant } = yield* sandbox.authorize()
      const first = pairOf(grant)
      yield* update(sandbox, first.access)
      const second = yield* rotate(sandbox, first.refresh)
      yield* update(sandbox, first.access)
      yield* update(sandbox, second.access)
      yield* exchange(sandbox, second.refresh, { grant_type: "password" })
      yield* exchange(sandbox, "unknown")
      yield* update(sandbox, "unknown")
      expect((yield* sandbox.requests).map(({ grant, path, status }) => ({ grant, path, status }))).toEqual([
        { path: apiPath, status: 200, grant: { id, generation: 1 } },
        { path: tokenPath, status: 200, grant: { id, generation: 1, outcome: "rotated" } },
        { path: apiPath, status: 401, grant: { id, generation: 1 } },
        { path: apiPath, status: 200, grant: { id, generation: 2 } },
        { path: tokenPath, status: 400, grant: { id, generation: 2, outcome: "refused" } },
        { path: tokenPath, status: 400, grant: undefined },
        { path: apiPath, status: 200, grant: undefined }
      ])
    })
  )

  it.scopedLive("holds of a form the grant type and the client's id alone", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const { refresh } = pairOf(yield* sandbox.authorize())
      yield* exchange(sandbox, refresh, { client_id: "a client & more", scope: "canary-scope" })
      const [recorded] = yield* sandbox.requests
      expect(recorded).toMatchObject({
        method: "POST",
        path: tokenPath,
        scheme: "none",
        body:
          "grant_type=refresh_token&refresh_token=<redacted>&client_id=a%20client%20%26%20more" +
          "&client_secret=<redacted>&<redacted>=<redacted>"
      })
    })
  )

  it.scopedLive("holds no token and no client secret, wherever and in whatever shape they were sent", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const first = pairOf(yield* sandbox.authorize({ clientId, clientSecret }))
      const second = yield* rotate(sandbox, first.refresh)
      const query = new URLSearchParams({ refresh_token: second.refresh, client_secret: clientSecret })
      const json = {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${second.access}` },
        body: JSON.stringify(Object.fromEntries(query))
      }
      for (const path of [
        tokenPath,
        "/OAuth/Token/",
        "/%6Fauth//token",
        "/oauth2/token",
        `${tokenPath}?${query}`
      ]) {
        yield* request(sandbox.url + path, json)
        yield* request(sandbox.url + path, { method: "POST", body: json.body })
      }
      yield* request(`${sandbox.url}/elsewhere`, { method: "POST", body: query })
      const basic = Buffer.from(`${clientId}:${clientSecret}`).toString("base64")
      yield* request(sandbox.url + tokenPath, {
        ...refreshForm(second.refresh, { client_secret: "wrong" }),
        headers: { authorization: `Basic ${basic}` }
      })
      yield* update(sandbox, second.access)
      const third = yield* rotate(sandbox, second.refresh)
      yield* exchange(sandbox, first.refresh)
      yield* exchange(sandbox, third.refresh)
      const requests = yield* sandbox.requests
      expect(requests).toHaveLength(17)
      const seen = JSON.stringify(requests) + (yield* request(`${sandbox.url}/sandbox/requests`)).text
      const tokens = [first, second, third].flatMap(({ access, refresh }) => [access, refresh])
      for (const secret of [...tokens, clientSecret, basic]) expect(seen).not.toContain(secret)
      expect(seen).toContain("grant_type=refresh_token&refresh_token=<redacted>")
    })
  )
})

describe("faults", () => {
  it.scopedLive("with a path are met, and used up, by requests to that path alone", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const { access, refresh } = pairOf(yield* sandbox.authorize())
      yield* sandbox.inject(Fault.status(503, { times: 2, when: ({ path }) => path === tokenPath }))
      yield* sandbox.inject(Fault.status(429, { when: ({ path }) => path === apiPath }))
      yield* sandbox.inject(Fault.status(500))
      expect(yield* statusOf(sandbox, access)).toBe(429)
      expect(yield* statusOf(sandbox, access)).toBe(500)
      expect(yield* statusOf(sandbox, access)).toBe(200)
      expect((yield* exchange(sandbox, refresh)).status).toBe(503)
      // A query is no part of the path.
      expect((yield* request(`${sandbox.url}${tokenPath}?a=b`, refreshForm(refresh))).status).toBe(503)
      expect(yield* outcomes(sandbox)).toEqual([])
      yield* rotate(sandbox, refresh)
    })
  )

  it.scopedLive("without a path are met by the next requests, whatever theirs", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const { access, refresh } = pairOf(yield* sandbox.authorize())
      yield* sandbox.inject(Fault.status(503, { times: 2 }))
      expect((yield* exchange(sandbox, refresh)).status).toBe(503)
      expect(yield* statusOf(sandbox, access)).toBe(503)
      yield* rotate(sandbox, refresh)
    })
  )

  it.scopedLive(
    "a lost response is a rotation that the client does not learn of: to try again is a reuse",
    () =>
      Effect.gen(function* () {
        const sandbox = yield* makeSandbox()
        const { id, ...grant } = yield* sandbox.authorize()
        const { access, refresh } = pairOf(grant)
        yield* sandbox.inject(Fault.loseResponse({ when: ({ path }) => path === tokenPath }))
        yield* Effect.flip(attempt(sandbox.url + tokenPath, refreshForm(refresh)))
        expect(yield* sandbox.requests).toMatchObject([
          { status: null, grant: { id, generation: 1, outcome: "rotated" } }
        ])
        expect(yield* statusOf(sandbox, access)).toBe(401)
        expect(yield* exchange(sandbox, refresh)).toMatchObject(refused("invalid_grant"))
        expect(yield* outcomes(sandbox)).toEqual(["rotated", "reused"])
      })
  )

  it.scopedLive("an update whose response was lost was applied all the same", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const { access } = pairOf(yield* sandbox.authorize())
      yield* sandbox.inject(Fault.loseResponse())
      yield* Effect.flip(
        attempt(sandbox.url + apiPath, {
          method: "PUT",
          headers: { "content-type": "application/json", authorization: `Bearer ${access}` },
          body: '{"status":"ACTIVATED","metadata":{"applied":true}}'
        })
      )
      expect(JSON.parse((yield* update(sandbox, access)).body)).toMatchObject({ metadata: { applied: true } })
      expect((yield* sandbox.requests).map(({ status }) => status)).toEqual([null, 200])
    })
  )

  it.scopedLive("a reset leaves the refresh token as it was", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const { refresh } = pairOf(yield* sandbox.authorize())
      yield* sandbox.inject(Fault.resetConnection())
      yield* Effect.flip(attempt(sandbox.url + tokenPath, refreshForm(refresh)))
      expect(yield* outcomes(sandbox)).toEqual([])
      yield* rotate(sandbox, refresh)
    })
  )

  it.scopedLive("a stall never answers, and leaves the tokens and the installation as they were", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const { access, refresh } = pairOf(yield* sandbox.authorize())
      yield* sandbox.inject(Fault.stallResponse({ times: 2 }))
      const refreshing = yield* Effect.fork(attempt(sandbox.url + tokenPath, refreshForm(refresh)))
      yield* sandbox.awaitRequests(1)
      const metadata = '{"status":"ERROR","metadata":{"applied":true}}'
      const updating = yield* Effect.fork(put(sandbox, { authorization: `Bearer ${access}` }, metadata))
      yield* sandbox.awaitRequests(2)
      const updated = yield* update(sandbox, access)
      expect(JSON.parse(updated.body)).toMatchObject({ status: "ACTIVATED", metadata: {} })
      yield* rotate(sandbox, refresh)
      expect((yield* sandbox.requests).map(({ status }) => status)).toEqual([null, null, 200, 200])
      expect(yield* outcomes(sandbox)).toEqual(["rotated"])
      yield* Fiber.interruptAll([refreshing, updating])
    })
  )

  it.scoped("a delayed response of the token endpoint comes late, and the rotation at once", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const first = pairOf(yield* sandbox.authorize())
      yield* sandbox.inject(Fault.delay("1 minute", { when: ({ path }) => path === tokenPath }))
      const waiting = yield* Effect.fork(rotate(sandbox, first.refresh))
      yield* untilLast(sandbox, (last) => last?.grant?.outcome === "rotated")
      expect(yield* sandbox.requests).toMatchObject([{ status: null }])
      expect(yield* statusOf(sandbox, first.access)).toBe(401)
      yield* TestClock.adjust("1 minute")
      const second = yield* Fiber.join(waiting)
      expect(yield* statusOf(sandbox, second.access)).toBe(200)
      expect((yield* sandbox.requests).map(({ status }) => status)).toEqual([200, 401, 200])
    })
  )

  it.scopedLive("a rotation whose delayed response nobody waited for took place all the same", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const first = pairOf(yield* sandbox.authorize())
      yield* sandbox.inject(Fault.delay("1 hour"))
      const waiting = yield* Effect.fork(attempt(sandbox.url + tokenPath, refreshForm(first.refresh)))
      yield* untilLast(sandbox, (last) => last?.grant?.outcome === "rotated")
      yield* Fiber.interrupt(waiting)
      expect(yield* statusOf(sandbox, first.access)).toBe(401)
      expect(yield* exchange(sandbox, first.refresh)).toMatchObject(refused("invalid_grant"))
    })
  )
})

describe("over HTTP, another process", () => {
  const post = ({ url }: SandboxService, path: string, body?: unknown) =>
    request(`${url}/sandbox${path}`, {
      method: "POST",
      ...(body === undefined
        ? {}
        : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) })
    })

  const authorize = (sandbox: SandboxService, body?: unknown) =>
    Effect.map(post(sandbox, "/grants", body), (answer) => {
      expect(answer.status).toBe(200)
      const { accessToken: access, refreshToken: refresh, expiresIn, id } = JSON.parse(answer.body)
      return { access, refresh, expiresIn, id }
    })

  it.scopedLive("gives consent, for a client and a time of its choice or for any and an hour", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      for (const body of [undefined, {}]) {
        const { access, expiresIn, refresh } = yield* authorize(sandbox, body)
        expect(expiresIn).toBe(3_600_000)
        expect(yield* statusOf(sandbox, access)).toBe(200)
        yield* rotate(sandbox, refresh)
      }
      const chosen = yield* authorize(sandbox, { clientId, clientSecret, expiresIn: 5_000 })
      expect(chosen.expiresIn).toBe(5_000)
      const other = { client_id: "another" }
      expect(yield* exchange(sandbox, chosen.refresh, other)).toMatchObject(refused("invalid_client", 401))
      const { body } = yield* exchange(sandbox, chosen.refresh)
      expect(JSON.parse(body)).toHaveProperty("expires_in", 5)
    })
  )

  it.scopedLive("ends an access token, and withdraws the consent", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const first = yield* authorize(sandbox)
      expect((yield* post(sandbox, `/grants/${first.id}/expire`)).status).toBe(204)
      expect(yield* statusOf(sandbox, first.access)).toBe(401)
      const second = yield* rotate(sandbox, first.refresh)
      expect(yield* statusOf(sandbox, second.access)).toBe(200)
      const grant = `${sandbox.url}/sandbox/grants/${first.id}`
      expect((yield* request(grant, { method: "DELETE" })).status).toBe(204)
      expect(yield* statusOf(sandbox, second.access)).toBe(401)
      expect(yield* exchange(sandbox, second.refresh)).toMatchObject(refused("invalid_grant"))
    })
  )

  it.scopedLive("injects a fault for one path, and faults that lose or stall the response", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const { access, refresh } = yield* authorize(sandbox)
      const fault = { _tag: "status", status: 503 }
      expect((yield* post(sandbox, "/faults", { fault, path: tokenPath })).status).toBe(204)
      expect((yield* post(sandbox, "/faults", { fault, path: "oauth/token" })).status).toBe(400)
      expect(yield* statusOf(sandbox, access)).toBe(200)
      expect((yield* exchange(sandbox, refresh)).status).toBe(503)
      for (const _tag of ["loseResponse", "stallResponse"])
        expect((yield* post(sandbox, "/faults", { fault: { _tag } })).status).toBe(204)
      yield* Effect.flip(attempt(sandbox.url + tokenPath, refreshForm(refresh)))
      expect(yield* outcomes(sandbox)).toEqual(["rotated"])
      const stalled = yield* Effect.fork(attempt(`${sandbox.url}/elsewhere`))
      yield* sandbox.awaitRequests(4)
      yield* Fiber.interrupt(stalled)
    })
  )

  it.scopedLive("hears of a grant that is not there, and of what is no consent", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      expect((yield* post(sandbox, "/grants/unknown/expire")).status).toBe(404)
      const { status } = yield* request(`${sandbox.url}/sandbox/grants/unknown`, { method: "DELETE" })
      expect(status).toBe(404)
      for (const body of [
        { expiresIn: "1 hour" },
        { expiresIn: -1 },
        { clientId: "" },
        { clientSecret: 1 },
        []
      ])
        expect((yield* post(sandbox, "/grants", body)).status).toBe(400)
    })
  )
})
