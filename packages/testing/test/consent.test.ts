import * as Http from "node:http"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import * as Tracer from "effect/Tracer"
import { makeSandbox, put, request, type SandboxService } from "./support.ts"

const clientId = "canary-client"
const clientSecret = "canary-client-secret"
const redirectUri = "http://localhost:3000/callback"
const state = "canary-state"
const codeVerifier = "canary-verifier_canary~verifier.canary-verifier"
// Its SHA-256.
const codeChallenge = "7W50wBV7oN3zsvbqe6adHC5x4FmDIfT4F9ZnZPWw_i0"

type Parameters = Readonly<Record<string, string | undefined>>

const encode = (parameters: Parameters) =>
  new URLSearchParams(
    Object.entries(parameters).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))
  )

const authorizationUrl = ({ url }: SandboxService, others: Parameters = {}) =>
  `${url}/oauth/authorize?${encode({
    response_type: "code",
    client_id: clientId,
    redirect_uri: redirectUri,
    scope: "test:test users:read",
    state,
    code_challenge: codeChallenge,
    code_challenge_method: "S256",
    ...others
  })}`

interface Response {
  readonly status: number
  readonly headers: Http.IncomingHttpHeaders
  readonly body: string
}

/** `fetch` neither shows a redirect nor sends another `Host`. */
const send = (url: string, { body, ...options }: Http.RequestOptions & { readonly body?: string } = {}) =>
  Effect.async<Response>((resume) => {
    const sent = Http.request(url, options, (response) => {
      const chunks: Array<Buffer> = []
      response.on("data", (chunk) => chunks.push(chunk))
      response.on("end", () => {
        const { headers, statusCode = 0 } = response
        resume(Effect.succeed({ status: statusCode, headers, body: Buffer.concat(chunks).toString() }))
      })
    })
    sent.on("error", (error) => resume(Effect.die(error)))
    sent.end(body)
  })

const formType = "application/x-www-form-urlencoded"

/** What a browser sends after a person's decision. */
const submit = (url: string, fields: Parameters, headers: Http.OutgoingHttpHeaders = {}) =>
  send(url, {
    method: "POST",
    headers: { "content-type": formType, ...headers },
    body: String(encode(fields))
  })

const approve = { decision: "approve", company: "Acme" }

const location = ({ headers }: Response) => new URL(headers.location ?? "")

const codeIn = (callback: URL) => callback.searchParams.get("code") ?? ""

const codeForm = (code: string, others: Parameters = {}): RequestInit => ({
  method: "POST",
  body: encode({
    grant_type: "authorization_code",
    code,
    redirect_uri: redirectUri,
    client_id: clientId,
    client_secret: clientSecret,
    code_verifier: codeVerifier,
    ...others
  })
})

const exchange = ({ url }: SandboxService, code: string, others?: Parameters) =>
  request(`${url}/oauth/token`, codeForm(code, others))

const tokensOf = (sandbox: SandboxService, code: string) =>
  Effect.map(exchange(sandbox, code), ({ body, status }) => {
    expect(status).toBe(200)
    const { access_token, refresh_token } = JSON.parse(body)
    return { access: access_token as string, refresh: refresh_token as string }
  })

const connect = (sandbox: SandboxService, company?: string) =>
  Effect.flatMap(sandbox.consent(authorizationUrl(sandbox), { company }), (callback) =>
    tokensOf(sandbox, codeIn(callback))
  )

const get = ({ url }: SandboxService, path: string, access: string) =>
  request(`${url}${path}`, { headers: { authorization: `Bearer ${access}` } })

const installationOf = (sandbox: SandboxService, access: string) =>
  Effect.map(get(sandbox, "/v1/installations/me", access), ({ body }) => JSON.parse(body))

const refused = (error: string, status = 400) => ({ status, body: JSON.stringify({ error }) })

const outcomes = ({ requests }: SandboxService) =>
  Effect.map(requests, (all) => all.flatMap(({ grant }) => grant?.outcome ?? []))

describe("the consent page", () => {
  it.scopedLive("names the app and its scopes, and asks which company connects", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const { body, headers, status } = yield* send(authorizationUrl(sandbox))
      expect(status).toBe(200)
      expect(headers).toMatchObject({
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-frame-options": "DENY"
      })
      expect(headers["content-security-policy"]).toMatch(/^default-src 'none'; .*frame-ancestors 'none'$/)
      for (const text of [clientId, "test:test", "users:read", 'value="Acme"', ">Approve<", ">Deny<"])
        expect(body).toContain(text)
      expect(body).not.toMatch(/<script|https?:\/\/(?!localhost:3000)/)
    })
  )

  it.scopedLive("escapes all text of the request", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const canary = `<i>"'&`
      const { body } = yield* send(
        authorizationUrl(sandbox, {
          client_id: canary,
          scope: "<i>'&",
          redirect_uri: `${redirectUri}?${canary}`
        })
      )
      expect(body).not.toContain("<i>")
      expect(body).toContain("&#60;i&#62;&#34;&#39;&#38;")
    })
  )

  it.scopedLive("approved, redirects to the app with a code and its state", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox({ clientId, redirectUris: [redirectUri] })
      const response = yield* submit(authorizationUrl(sandbox), approve)
      expect(response.status).toBe(303)
      expect(response.headers).toMatchObject({
        "cache-control": "no-store",
        "referrer-policy": "no-referrer"
      })
      const callback = location(response)
      expect(callback.href.startsWith(`${redirectUri}?code=`)).toBe(true)
      expect([...callback.searchParams.keys()]).toEqual(["code", "state"])
      expect(codeIn(callback)).toMatch(/^[\w-]{20,}$/)
      expect(callback.searchParams.get("state")).toBe(state)
    })
  )

  it.scopedLive("denied, redirects to the app with the error and its state", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const response = yield* submit(authorizationUrl(sandbox), { decision: "deny", company: "" })
      expect(response.status).toBe(303)
      expect(Object.fromEntries(location(response).searchParams)).toEqual({
        error: "access_denied",
        error_description: "the consent was denied",
        state
      })
    })
  )

  it.scopedLive("keeps the query that a redirect_uri has", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const own = `${redirectUri}?tenant=a%20b&x`
      for (const decision of ["approve", "deny"]) {
        const { headers } = yield* submit(authorizationUrl(sandbox, { redirect_uri: own }), { decision })
        expect(headers.location?.startsWith(`${own}&`)).toBe(true)
      }
    })
  )

  it.scopedLive("without a decision is a page again, and no redirect", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      for (const fields of [{}, { decision: "maybe" }]) {
        const response = yield* submit(authorizationUrl(sandbox), fields)
        expect(response.status).toBe(400)
        expect(response.headers.location).toBeUndefined()
      }
    })
  )
})

describe("an authorization request", () => {
  const untrusted: Record<string, Parameters | string> = {
    "without a client_id": { client_id: undefined },
    "of another client": { client_id: "another" },
    "with two clients": "client_id=another",
    "without a redirect_uri": { redirect_uri: undefined },
    "with two redirect URIs": "redirect_uri=http://localhost:3000/callback",
    "with a redirect_uri that is not registered": { redirect_uri: `${redirectUri}/` },
    "with a redirect_uri that is registered but for its query": { redirect_uri: `${redirectUri}?a=b` }
  }

  for (const [title, others] of Object.entries(untrusted))
    it.scopedLive(`${title} is a page with status 400, and never a redirect`, () =>
      Effect.gen(function* () {
        const sandbox = yield* makeSandbox({ clientId, redirectUris: [redirectUri] })
        const url =
          typeof others === "string"
            ? `${authorizationUrl(sandbox)}&${others}`
            : authorizationUrl(sandbox, others)
        for (const response of [yield* send(url), yield* submit(url, approve)]) {
          expect(response.status).toBe(400)
          expect(response.headers.location).toBeUndefined()
          expect(response.headers["content-type"]).toContain("text/html")
        }
        expect(yield* Effect.exit(sandbox.consent(url))).toMatchObject({ _tag: "Failure" })
      })
    )

  const unsafe = [
    "callback",
    "http://app.example/callback",
    "ftp://localhost/callback",
    "javascript:alert(1)",
    `${redirectUri}#`,
    `${redirectUri}#fragment`,
    "http://localhost:3000/\r\nx-injected: 1",
    "https://app.example/\u20ac"
  ]

  for (const uri of unsafe)
    it.scopedLive(`to ${JSON.stringify(uri)} is never a redirect, though all URIs are allowed`, () =>
      Effect.gen(function* () {
        const sandbox = yield* makeSandbox()
        const { headers, status } = yield* submit(authorizationUrl(sandbox, { redirect_uri: uri }), approve)
        expect(status).toBe(400)
        expect(headers.location).toBeUndefined()
        expect(headers).not.toHaveProperty("x-injected")
      })
    )

  for (const uri of [
    "https://app.example/cb",
    "http://127.0.0.1:1/cb",
    "http://[::1]:1/cb",
    "http://localhost/cb"
  ])
    it.scopedLive(`may redirect to ${uri}`, () =>
      Effect.gen(function* () {
        const sandbox = yield* makeSandbox()
        const response = yield* submit(authorizationUrl(sandbox, { redirect_uri: uri }), approve)
        expect(location(response).href.startsWith(`${uri}?code=`)).toBe(true)
      })
    )

  const invalid: Record<string, readonly [error: string, others: Parameters | string]> = {
    "without a response_type": ["invalid_request", { response_type: undefined }],
    "for a token instead of a code": ["unsupported_response_type", { response_type: "token" }],
    "without a scope": ["invalid_scope", { scope: undefined }],
    "with a scope that has two spaces": ["invalid_scope", { scope: "a  b" }],
    "with a scope that has a quote": ["invalid_scope", { scope: 'a"b' }],
    "without a code_challenge": ["invalid_request", { code_challenge: undefined }],
    "with a code_challenge that is too short": [
      "invalid_request",
      { code_challenge: codeChallenge.slice(1) }
    ],
    "with a code_challenge that is no base64url": [
      "invalid_request",
      { code_challenge: `+${codeChallenge.slice(1)}` }
    ],
    "without a code_challenge_method": ["invalid_request", { code_challenge_method: undefined }],
    "with a plain code_challenge": ["invalid_request", { code_challenge_method: "plain" }],
    "with two scopes": ["invalid_request", "scope=other"],
    "with an unknown parameter that is there twice": ["invalid_request", "prompt=a&prompt=b"]
  }

  for (const [title, [error, others]] of Object.entries(invalid))
    it.scopedLive(`${title} is redirected to the app as ${error}`, () =>
      Effect.gen(function* () {
        const sandbox = yield* makeSandbox({ clientId, redirectUris: [redirectUri] })
        const url =
          typeof others === "string"
            ? `${authorizationUrl(sandbox)}&${others}`
            : authorizationUrl(sandbox, others)
        const parameters = { error, error_description: expect.stringContaining("expected"), state }
        for (const response of [yield* send(url), yield* submit(url, approve)]) {
          expect(response.status).toBe(303)
          expect(response.headers.location?.startsWith(`${redirectUri}?error=`)).toBe(true)
          expect(Object.fromEntries(location(response).searchParams)).toEqual(parameters)
        }
        const callback = yield* sandbox.consent(url)
        expect(Object.fromEntries(callback.searchParams)).toEqual(parameters)
      })
    )

  it.scopedLive(
    "without a state, or with two, is redirected to the app as invalid_request, without one",
    () =>
      Effect.gen(function* () {
        const sandbox = yield* makeSandbox()
        for (const url of [
          authorizationUrl(sandbox, { state: undefined }),
          authorizationUrl(sandbox, { state: "" }),
          `${authorizationUrl(sandbox)}&state=other`
        ]) {
          const { searchParams } = location(yield* send(url))
          expect(searchParams.get("error")).toBe("invalid_request")
          expect(searchParams.has("state")).toBe(false)
        }
      })
  )
})

describe("another site", () => {
  const isRefused = (response: Response) => {
    expect(response.status).toBe(403)
    expect(response.headers.location).toBeUndefined()
  }

  it.scopedLive("cannot post the form of the consent page", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const { port } = new URL(sandbox.url)
      for (const headers of [
        { origin: "https://evil.example" },
        { origin: `http://127.0.0.1:${Number(port) - 1}` },
        { origin: `http://localhost:${port}` },
        { origin: `https://127.0.0.1:${port}` },
        { origin: "null" },
        { origin: "null", "sec-fetch-site": "cross-site" },
        { origin: "null", "sec-fetch-site": "same-site" }
      ])
        isRefused(yield* submit(authorizationUrl(sandbox), approve, headers))
      for (const headers of [
        { origin: sandbox.url },
        // After a page without referrer.
        { origin: "null", "sec-fetch-site": "same-origin" },
        { host: `localhost:${port}`, origin: `http://localhost:${port}` }
      ])
        expect((yield* submit(authorizationUrl(sandbox), approve, headers)).status).toBe(303)
    })
  )

  it.scopedLive("cannot reach the consent page by a name of its own", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const { port } = new URL(sandbox.url)
      for (const host of [
        `evil.example:${port}`,
        "127.0.0.1",
        "localhost",
        `localhost.evil.example:${port}`
      ]) {
        isRefused(yield* submit(authorizationUrl(sandbox), approve, { host }))
        isRefused(yield* submit(authorizationUrl(sandbox), approve, { host, origin: `http://${host}` }))
        isRefused(yield* send(authorizationUrl(sandbox), { headers: { host } }))
      }
    })
  )
})

describe("a company", () => {
  it.scopedLive("that consents again has the same installation, subject and resource", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox({ clientId })
      const grants = [
        yield* connect(sandbox),
        yield* connect(sandbox, "Acme "),
        yield* connect(sandbox, "Globex")
      ]
      const installations = yield* Effect.forEach(grants, ({ access }) => installationOf(sandbox, access))
      const [first, second, other] = installations
      expect(second).toEqual(first)
      expect(other.id).not.toBe(first.id)
      expect(other.resource).not.toBe(first.resource)
      for (const [index, { access }] of grants.entries()) {
        const { body } = yield* get(sandbox, "/v1/introspect", access)
        expect(JSON.parse(body).data).toEqual({
          authMethod: "OAUTH2",
          clientId,
          scope: "test:test users:read",
          subjectURN: installations[index].resource
        })
      }
    })
  )

  it.scopedLive("that deleted its installation gets a new one by consent, for the same resource", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const [first, second] = [yield* connect(sandbox), yield* connect(sandbox)]
      const other = yield* connect(sandbox, "Globex")
      yield* put(sandbox, { authorization: `Bearer ${first.access}` }, '{"status":"ERROR"}')
      const old = yield* installationOf(sandbox, first.access)
      const { status } = yield* request(`${sandbox.url}/v1/installations/me`, {
        method: "DELETE",
        headers: { authorization: `Bearer ${first.access}` }
      })
      expect(status).toBe(204)
      for (const { access } of [first, second])
        expect((yield* get(sandbox, "/v1/installations/me", access)).status).toBe(401)
      expect((yield* get(sandbox, "/v1/installations/me", other.access)).status).toBe(200)
      const again = yield* connect(sandbox)
      const installation = yield* installationOf(sandbox, again.access)
      expect(installation).toMatchObject({ resource: old.resource, status: "AUTHORIZED" })
      expect(installation.id).not.toBe(old.id)
    })
  )

  it.scopedLive("without a name is Acme", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const acme = yield* connect(sandbox, "Acme")
      const response = yield* submit(authorizationUrl(sandbox), { decision: "approve", company: " " })
      const unnamed = yield* tokensOf(sandbox, codeIn(location(response)))
      expect(yield* installationOf(sandbox, unnamed.access)).toEqual(
        yield* installationOf(sandbox, acme.access)
      )
    })
  )
})

describe("consent without a browser", () => {
  it.scopedLive("redirects as the page does", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox({ clientId, clientSecret })
      const url = new URL(authorizationUrl(sandbox))
      const approved = yield* sandbox.consent(url)
      yield* tokensOf(sandbox, codeIn(approved))
      const denied = yield* sandbox.consent(url.href, { approve: false })
      expect(denied.searchParams.get("error")).toBe("access_denied")
      for (const callback of [approved, denied]) expect(callback.searchParams.get("state")).toBe(state)
    })
  )

  it.scopedLive("dies with the address that it expected", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const { search } = new URL(authorizationUrl(sandbox))
      for (const url of [
        `https://auth.pleo.io/oauth/authorize${search}`,
        `${sandbox.url}/authorize${search}`
      ]) {
        const defect = yield* Effect.flip(Effect.sandbox(sandbox.consent(url)))
        expect(String(defect)).toContain(`${sandbox.url}/oauth/authorize`)
      }
    })
  )
})

describe("a code", () => {
  it.scopedLive("is exchanged for a pair of tokens that works and rotates", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox({ clientId, clientSecret })
      const { body, status, text } = yield* exchange(
        sandbox,
        codeIn(yield* sandbox.consent(authorizationUrl(sandbox)))
      )
      expect(status).toBe(200)
      expect(text).toMatch(/^cache-control: no-store$/m)
      const tokens = JSON.parse(body)
      expect(tokens).toEqual({
        access_token: expect.any(String),
        refresh_token: expect.any(String),
        token_type: "Bearer",
        expires_in: 3600
      })
      expect((yield* get(sandbox, "/v1/installations/me", tokens.access_token)).status).toBe(200)
      const refresh = { grant_type: "refresh_token", refresh_token: tokens.refresh_token }
      expect((yield* exchange(sandbox, "", refresh)).status).toBe(200)
      const requests = yield* sandbox.requests
      const id = requests[0]?.grant?.id
      expect(requests.map(({ grant }) => grant)).toEqual([
        { id, generation: 0, outcome: "issued" },
        { id, generation: 1 },
        { id, generation: 1, outcome: "rotated" }
      ])
    })
  )

  it.scopedLive("is exchanged for a client that authenticates by HTTP Basic, and never in both ways", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox({ clientId, clientSecret })
      const code = codeIn(yield* sandbox.consent(authorizationUrl(sandbox)))
      const headers = { authorization: `Basic ${btoa(`${clientId}:${clientSecret}`)}` }
      const basic = (others: Parameters) =>
        request(`${sandbox.url}/oauth/token`, { ...codeForm(code, others), headers })
      expect(yield* basic({})).toMatchObject(refused("invalid_request"))
      expect((yield* basic({ client_id: undefined, client_secret: undefined })).status).toBe(200)
    })
  )

  it.scopedLive("that is used twice is refused, and revokes the tokens of its first use", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const code = codeIn(yield* sandbox.consent(authorizationUrl(sandbox)))
      const { access, refresh } = yield* tokensOf(sandbox, code)
      const other = yield* connect(sandbox)
      expect(yield* exchange(sandbox, code)).toMatchObject(refused("invalid_grant"))
      expect((yield* get(sandbox, "/v1/installations/me", access)).status).toBe(401)
      const rotation = { grant_type: "refresh_token", refresh_token: refresh }
      expect(yield* exchange(sandbox, "", rotation)).toMatchObject(refused("invalid_grant"))
      expect((yield* get(sandbox, "/v1/installations/me", other.access)).status).toBe(200)
      expect(yield* outcomes(sandbox)).toEqual(["issued", "issued", "reused", "revoked"])
    })
  )

  it.scopedLive("that is used at the same time by many gives tokens to one of them at most", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const code = codeIn(yield* sandbox.consent(authorizationUrl(sandbox)))
      const responses = yield* Effect.replicateEffect(exchange(sandbox, code), 5, {
        concurrency: "unbounded"
      })
      expect(responses.map(({ status }) => status).sort()).toEqual([200, 400, 400, 400, 400])
    })
  )

  it.scoped("expires after 60 seconds, and not before", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const callback = sandbox.consent(authorizationUrl(sandbox))
      const [early, late] = [codeIn(yield* callback), codeIn(yield* callback)]
      yield* TestClock.adjust("59999 millis")
      yield* tokensOf(sandbox, early)
      yield* TestClock.adjust("1 millis")
      expect(yield* exchange(sandbox, late)).toMatchObject(refused("invalid_grant"))
      expect(yield* outcomes(sandbox)).toEqual(["issued", "refused"])
    })
  )

  it.scopedLive("expires as soon as the sandbox is told", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox({ codeExpiresIn: 0 })
      const code = codeIn(yield* sandbox.consent(authorizationUrl(sandbox)))
      expect(yield* exchange(sandbox, code)).toMatchObject(refused("invalid_grant"))
    })
  )

  it.scopedLive("of a grant that was revoked is refused", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const code = codeIn(yield* sandbox.consent(authorizationUrl(sandbox)))
      yield* exchange(sandbox, code, { code_verifier: "a".repeat(43) })
      const [first] = yield* sandbox.requests
      yield* sandbox.revoke(first?.grant?.id ?? "")
      expect(yield* exchange(sandbox, code)).toMatchObject(refused("invalid_grant"))
      expect(yield* outcomes(sandbox)).toEqual(["refused", "revoked"])
    })
  )

  const other = "another-verifier-another-verifier-another-ver"
  const refusals: Record<string, readonly [error: string, others: Parameters, status?: number]> = {
    "another client": ["invalid_client", { client_id: "another" }, 401],
    "another secret": ["invalid_client", { client_secret: "another" }, 401],
    "no secret": ["invalid_client", { client_secret: undefined }, 401],
    "another verifier": ["invalid_grant", { code_verifier: other }],
    "the challenge for a verifier": ["invalid_grant", { code_verifier: codeChallenge }],
    "another redirect_uri": ["invalid_grant", { redirect_uri: `${redirectUri}/` }],
    "an unknown code": ["invalid_grant", { code: "unknown" }],
    "no code": ["invalid_request", { code: undefined }],
    "no redirect_uri": ["invalid_request", { redirect_uri: undefined }],
    "no verifier": ["invalid_request", { code_verifier: undefined }],
    "a verifier of 42 characters": ["invalid_request", { code_verifier: "a".repeat(42) }],
    "a verifier of 129 characters": ["invalid_request", { code_verifier: "a".repeat(129) }],
    "a verifier with a reserved character": ["invalid_request", { code_verifier: `${"a".repeat(43)}+` }]
  }

  for (const [title, [error, others, status]] of Object.entries(refusals))
    it.scopedLive(`with ${title} is refused as ${error}, and still usable`, () =>
      Effect.gen(function* () {
        const sandbox = yield* makeSandbox({ clientId, clientSecret })
        const code = codeIn(yield* sandbox.consent(authorizationUrl(sandbox)))
        expect(yield* exchange(sandbox, code, others)).toMatchObject(refused(error, status))
        yield* tokensOf(sandbox, code)
        expect((yield* outcomes(sandbox)).at(-1)).toBe("issued")
      })
    )

  it.scopedLive("that was used is safe from a client with another secret", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox({ clientId, clientSecret })
      const code = codeIn(yield* sandbox.consent(authorizationUrl(sandbox)))
      const { access } = yield* tokensOf(sandbox, code)
      const answer = yield* exchange(sandbox, code, { client_secret: "another" })
      expect(answer).toMatchObject(refused("invalid_client", 401))
      expect((yield* get(sandbox, "/v1/installations/me", access)).status).toBe(200)
    })
  )

  it.scopedLive("is neither an access token nor a refresh token", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      const code = codeIn(yield* sandbox.consent(authorizationUrl(sandbox)))
      expect((yield* get(sandbox, "/v1/installations/me", code)).status).toBe(401)
      const refresh = { grant_type: "refresh_token", refresh_token: code }
      expect(yield* exchange(sandbox, "", refresh)).toMatchObject(refused("invalid_grant"))
      yield* tokensOf(sandbox, code)
    })
  )
})

describe("a consent's secrets", () => {
  it.scopedLive("are neither in the record nor in a span", () =>
    Effect.gen(function* () {
      const spans: Array<Tracer.Span> = []
      const tracer = yield* Effect.tracer
      const recording = Tracer.make({
        span: (...args) => {
          const span = tracer.span(...args)
          spans.push(span)
          return span
        },
        context: (execute, fiber) => tracer.context(execute, fiber)
      })
      const sandbox = yield* Effect.withTracer(makeSandbox(), recording)
      const headers = {
        cookie: `state=${state}`,
        referer: `https://app.example/?state=${state}`,
        origin: sandbox.url
      }
      const page = yield* send(authorizationUrl(sandbox), { headers })
      expect(page.status).toBe(200)
      const code = codeIn(location(yield* submit(authorizationUrl(sandbox), approve, headers)))
      yield* exchange(sandbox, code, { client_secret: "" })
      const { access, refresh } = yield* tokensOf(sandbox, code)
      yield* exchange(sandbox, code)
      yield* send(`${sandbox.url}/oauth2/authorize?code=${code}&state=${state}`)
      yield* put(sandbox, { authorization: `Bearer ${access}` })
      const requests = yield* sandbox.requests
      expect(requests.map(({ body, method, path }) => `${method} ${path} ${body}`).slice(0, 3)).toEqual([
        "GET /oauth/authorize?<redacted> ",
        "POST /oauth/authorize?<redacted> decision=approve&company=Acme",
        "POST /oauth/token grant_type=authorization_code&code=<redacted>&redirect_uri=<redacted>" +
          `&client_id=${clientId}&client_secret=<redacted>&code_verifier=<redacted>`
      ])
      const seen =
        JSON.stringify(requests) +
        spans.map(({ attributes }) => JSON.stringify([...attributes])).join() +
        (yield* request(`${sandbox.url}/sandbox/requests`)).text
      // The probe sees what it has to.
      expect(spans.map(({ attributes }) => attributes.get("url.path"))).toContain("/v1/installations/me")
      for (const secret of [code, access, refresh, state, codeVerifier, clientSecret]) {
        expect(secret).toMatch(/.{10}/)
        expect(seen).not.toContain(secret)
      }
    })
  )
})
