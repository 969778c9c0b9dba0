// Plants a canary for each secret, lets updates fail in every way, and looks for the canaries wherever a failure
// can show itself. Each probe has a control: the same look at what is not guarded has to find one.
import { execFile } from "node:child_process"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { describe, expect, it } from "@effect/vitest"
import * as Credentials from "@effect-pleo/core/Credentials"
import type { UpdateInstallation } from "@effect-pleo/core/Installation"
import { InstallationService } from "@effect-pleo/core/InstallationService"
import * as OAuth from "@effect-pleo/core/OAuth"
import * as TokenStore from "@effect-pleo/core/TokenStore"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { escapings } from "../../core/test/support/escapings.ts"
import * as NodeHttpClient from "../src/NodeHttpClient.ts"
import * as NodeInstallationService from "../src/NodeInstallationService.ts"
import { compile } from "./support/program.ts"
import * as RawServer from "./support/rawServer.ts"
import { recordSpans } from "./support/recordingTracer.ts"
import { type Probe, probes, probesThatFind } from "./support/secrets.ts"

const token = "canary-access-token-5f2e"
const key = "canary-api-key-81c4"
const keyInBase64 = Buffer.from(`${key}:`).toString("base64")
const value = "canary-metadata-value-7a90"
const refreshToken = "canary-refresh-token-c3d9"
const clientSecret = "canary-client-secret-19be"
/** Each has a different form in every escaping. */
const toEscape = { key: `canary<"'/\\&>key-4d1b`, value: `canary<"'/\\&é>value-b6e0` }
const escaped = Object.values(escapings).map((write) => [write(toEscape.key), write(toEscape.value)] as const)
const secrets = [
  token,
  key,
  keyInBase64,
  keyInBase64.replace(/=+$/, ""),
  value,
  refreshToken,
  clientSecret,
  ...escaped.flat()
]

const found = (text: string) => secrets.filter((secret) => text.includes(secret))

/** Quotes the whole request, its head and its body, and the credential as the id of the request. */
const quote =
  (status: number | string, headers: Readonly<Record<string, string>> = {}): RawServer.Handler =>
  (request, socket) => {
    const id = RawServer.authorizationsOf(request).join()
    socket.write(RawServer.respond(status, { "x-request-id": id, ...headers }, request.bytes))
  }

/** Every kind of failing server, each quoting this secret where it can. */
const handlers = (secret: string): ReadonlyArray<RawServer.Handler> => [
  ...[400, 401, 403, 404, 408, 418, 429, 500, 502, 503, 999].map((status) => quote(status)),
  quote(302, { location: `https://example.com/?${secret}` }),
  quote(200),
  RawServer.send(RawServer.respond(200)),
  RawServer.send(RawServer.respond(200, {}, JSON.stringify({ [secret]: 1, metadata: { [secret]: value } }))),
  RawServer.sendAndReset(RawServer.head(200, { "content-length": "100", "x-request-id": secret })),
  RawServer.send(`${secret} ${value}\r\n\r\n`),
  RawServer.reset
]

const credentials = [
  [token, Credentials.bearer(Redacted.make(token))],
  [key, Credentials.apiKey(Redacted.make(key))]
] as const

const request: UpdateInstallation = {
  status: "ERROR",
  errorCode: "AUTH_ERROR",
  metadata: { [value.slice(7)]: value, deep: [{ value }] }
}

const invalidRequests = [
  { ...request, status: value },
  { ...request, errorCode: key },
  { ...request, metadata: { value, bad: Number.NaN } },
  { ...request, metadata: value }
] as unknown as ReadonlyArray<typeof request>

const answer = (status: number, body: object) =>
  RawServer.send(RawServer.respond(status, { "x-request-id": refreshToken }, JSON.stringify(body)))

/** Every kind of token endpoint from which no token comes, each quoting what it can. */
const tokenEndpoints: ReadonlyArray<RawServer.Handler> = [
  ...handlers(refreshToken),
  answer(400, { error: "invalid_grant", error_description: `no: ${refreshToken}` }),
  answer(401, { error: "invalid_client", error_description: `no: ${clientSecret}` }),
  answer(400, { error: refreshToken }),
  answer(200, { access_token: token, refresh_token: refreshToken, token_type: clientSecret }),
  answer(200, { access_token: `${token}\n`, refresh_token: refreshToken })
]

/** A store that holds the tokens of one customer. */
const holding = (server: RawServer.RawServer, expiresIn: Duration.DurationInput) =>
  Effect.gen(function* () {
    const context = yield* Layer.build(TokenStore.layerMemory)
    const grant = { tenant: "acme", clientId: "app", tokenEndpoint: `${server.url}/oauth/token` }
    yield* OAuth.storeTokens(grant, {
      accessToken: Redacted.make(token),
      refreshToken: Redacted.make(refreshToken),
      expiresIn
    }).pipe(Effect.provide(context))
    return { grant, store: Context.get(context, TokenStore.TokenStore) }
  })

const invalidString = TokenStore.fromStrings({
  load: () => Effect.succeedSome({ generation: 1, value: `{"_tag":"Active","tokens":"${refreshToken}"}` }),
  save: () => Effect.succeed(true),
  list: () => Effect.succeed({ entries: [], cursor: undefined })
})

/** Updates with OAuth tokens that fail in every way. */
const grantedUpdates = Effect.gen(function* () {
  const granted = (
    grant: Omit<OAuth.Options, "clientSecret">,
    store: TokenStore.TokenStore["Type"],
    server: string
  ) =>
    Effect.map(
      Layer.build(
        Layer.provide(
          NodeInstallationService.layer({
            server,
            credentials: OAuth.credentials({ ...grant, clientSecret: Redacted.make(clientSecret) })
          }),
          Layer.succeed(TokenStore.TokenStore, store)
        )
      ),
      (context) => Context.get(context, InstallationService).update(request)
    )
  const updates: Array<Effect.Effect<unknown, unknown>> = []
  for (const handler of tokenEndpoints) {
    const server = yield* RawServer.make(handler)
    const { grant, store } = yield* holding(server, 0)
    updates.push(yield* granted(grant, store, server.url))
  }
  const refusing = yield* RawServer.make(quote(401))
  const { grant, store } = yield* holding(refusing, "1 hour")
  updates.push(
    yield* granted(grant, store, refusing.url),
    yield* granted({ ...grant, tenant: "unknown" }, store, refusing.url),
    yield* granted(grant, invalidString, refusing.url)
  )
  return updates
})

/** A failed update of every kind, once for all who look at them: its exit, and its spans. */
const failures = Effect.gen(function* () {
  const updates: Array<Effect.Effect<unknown, unknown, Scope.Scope>> = [...(yield* grantedUpdates)]
  for (const [secret, credential] of credentials) {
    for (const handler of handlers(secret)) {
      const server = yield* RawServer.make(handler)
      const layer = NodeInstallationService.layer({ server: server.url, credentials: credential })
      const { update } = Context.get(yield* Layer.build(layer), InstallationService)
      updates.push(update(request))
    }
    const nowhere = NodeInstallationService.layer({
      server: `http://127.0.0.1:${yield* RawServer.freePort}`,
      credentials: credential
    })
    const { update } = Context.get(yield* Layer.build(nowhere), InstallationService)
    updates.push(...[request, ...invalidRequests].map((it) => update(it)))
  }
  for (const forms of escaped) {
    const server = yield* RawServer.make(
      RawServer.send(RawServer.respond(400, { "x-request-id": forms[0] }, forms.join(" ")))
    )
    const layer = NodeInstallationService.layer({
      server: server.url,
      credentials: Credentials.apiKey(Redacted.make(toEscape.key))
    })
    const { update } = Context.get(yield* Layer.build(layer), InstallationService)
    updates.push(update({ status: "ACTIVATED", metadata: { value: toEscape.value } }))
  }
  for (const flaw of ["\n", "é", "€", " "]) {
    updates.push(
      Credentials.bearer(Redacted.make(token + flaw)),
      Credentials.apiKey(Redacted.make(key + flaw))
    )
  }
  return yield* recordSpans(Effect.forEach(updates, (update) => Effect.exit(update)))
}).pipe(Effect.scoped, Effect.cached, Effect.runSync)

const failed = Effect.map(failures, ([exits]) =>
  exits.map((exit) => {
    if (Exit.isSuccess(exit) || exit.cause._tag !== "Fail") throw new Error("not a typed failure")
    return exit.cause.error
  })
)

/** What the transport fails with, before core turns it into an error of its own. */
const unguarded = Effect.gen(function* () {
  const client = yield* NodeHttpClient.make()
  const url = `http://127.0.0.1:${yield* RawServer.freePort}`
  return yield* HttpClientRequest.put(url).pipe(
    HttpClientRequest.setHeader("authorization", `Bearer ${token}`),
    client.execute,
    Effect.flip
  )
})

// These print no more of a failure than its message and its stack, which the transport's errors keep clean.
const silentAboutFields: ReadonlySet<Probe> = new Set(["String", "message", "stack", "Cause.pretty"])

describe("a failure", () => {
  for (const probe of probes) {
    it.scopedLive(`probe: ${probe} shows no secret`, () =>
      Effect.gen(function* () {
        for (const failure of yield* failed)
          expect(probesThatFind(secrets, failure).filter((it) => it === probe)).toEqual([])
      })
    )

    it.scopedLive(`control: ${probe} shows a secret that is not guarded`, () =>
      Effect.gen(function* () {
        const failure = silentAboutFields.has(probe) ? new Error(`no: ${token}`) : yield* unguarded
        expect(probesThatFind(secrets, failure)).toContain(probe)
      })
    )
  }
})

const loggers = {
  "the string logger": Logger.stringLogger,
  "the logfmt logger": Logger.logfmtLogger,
  "the JSON logger": Logger.jsonLogger,
  "the structured logger": Logger.map(Logger.structuredLogger, (entry) => JSON.stringify(entry))
} as const

const logged = (logger: Logger.Logger<unknown, string>, failure: unknown) =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const recording = Logger.map(logger, (line) => {
      lines.push(line)
    })
    yield* Effect.logError("failed", failure, Cause.fail(failure)).pipe(
      Effect.annotateLogs("failure", failure),
      Effect.provide(Logger.replace(Logger.defaultLogger, recording))
    )
    return lines.join("\n")
  })

describe("a log", () => {
  for (const [name, logger] of Object.entries(loggers)) {
    it.scopedLive(`probe: ${name} shows no secret`, () =>
      Effect.gen(function* () {
        for (const failure of yield* failed) expect(found(yield* logged(logger, failure))).toEqual([])
      })
    )

    it.scopedLive(`control: ${name} shows a secret that is not guarded`, () =>
      Effect.gen(function* () {
        expect(found(yield* logged(logger, new Error(`no: ${token}`)))).toContain(token)
      })
    )
  }
})

describe("a span", () => {
  const print = (spans: unknown) =>
    JSON.stringify(spans, (_, it) => (it instanceof Map ? [...it] : typeof it === "bigint" ? `${it}` : it))

  it.scopedLive("probe: its attributes and events show no secret", () =>
    Effect.gen(function* () {
      const [, spans] = yield* failures
      expect(spans.length).toBeGreaterThan(handlers("").length + tokenEndpoints.length)
      for (const span of spans) expect(found(print(span))).toEqual([])
    })
  )

  it.scopedLive("control: its attributes show a secret that is not guarded", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(RawServer.send(RawServer.updated))
      const client = yield* NodeHttpClient.make()
      const traced = HttpClient.mapRequest(client, HttpClientRequest.setHeader("x-api-key-of-mine", key))
      const [, spans] = yield* recordSpans(traced.put(server.url, {}))
      expect(found(print(spans))).toContain(key)
    })
  )
})

describe("a process", () => {
  const output = (mode: "guarded" | "unguarded") =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(quote(500))
      const program = yield* Effect.promise(() =>
        compile(new URL("support/failingProcess.ts", import.meta.url))
      )
      const environment = { ...process.env, PLEO_SERVER: server.url, PLEO_API_KEY: key, CANARY: value }
      return yield* Effect.async<string>((resume) => {
        execFile(process.execPath, [program, mode], { env: environment }, (error, stdout, stderr) => {
          if (error === null) throw new Error("it did not fail")
          resume(Effect.succeed(stdout + stderr))
        })
      })
    })

  it.scopedLive("probe: what it prints of a failure shows no secret", () =>
    Effect.gen(function* () {
      const text = yield* output("guarded")
      expect(text).toContain("Infrastructure")
      expect(found(text)).toEqual([])
    })
  )

  it.scopedLive("control: what it prints of a failure shows a secret that is not guarded", () =>
    Effect.gen(function* () {
      expect(found(yield* output("unguarded"))).toContain(keyInBase64)
    })
  )
})
