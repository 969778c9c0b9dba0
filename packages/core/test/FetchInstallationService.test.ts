import { describe, expect, it, vi } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as FetchInstallationService from "../src/FetchInstallationService.ts"
import { update } from "../src/InstallationService.ts"
import * as OAuth from "../src/OAuth.ts"
import * as RetryPolicy from "../src/RetryPolicy.ts"
import * as TokenStore from "../src/TokenStore.ts"
import { exampleResponse } from "./support/contract.ts"
import { activated, bearer } from "./support/http.ts"

type Fetch = (url: string, init: RequestInit) => Promise<Response>

/** Runs an update while the platform's `fetch` is this one. */
const over = <A, E, R>(fetch: Fetch, self: Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => vi.spyOn(globalThis, "fetch").mockImplementation(fetch as typeof globalThis.fetch)),
    () => self,
    (spy) => Effect.sync(() => spy.mockRestore())
  )

const updateWith = (maxResponseSize?: number) =>
  update(activated).pipe(
    Effect.provide(FetchInstallationService.layer({ credentials: bearer("token"), maxResponseSize }))
  )

const example = JSON.stringify(exampleResponse)

/** A body in chunks of one byte, without a length; notes when it is canceled. */
const byteByByte = (bytes: Uint8Array, onCancel: () => void = () => {}) => {
  let at = 0
  return new ReadableStream<Uint8Array>({
    pull: (controller) => {
      if (at === bytes.length) controller.close()
      else controller.enqueue(bytes.subarray(at, ++at))
    },
    cancel: onCancel
  })
}

describe("FetchInstallationService", () => {
  it.effect("sends an update by the platform's fetch, and has it follow no redirect", () =>
    Effect.gen(function* () {
      const calls: Array<readonly [string, RequestInit]> = []
      const fetch: Fetch = (...call) => {
        calls.push(call)
        return Promise.resolve(new Response(example))
      }
      expect((yield* over(fetch, updateWith())).id).toBe(exampleResponse["id"])
      expect(calls).toMatchObject([
        [
          "https://external.pleo.io/v1/installations/me",
          {
            method: "PUT",
            redirect: "manual",
            body: '{"status":"ACTIVATED"}',
            headers: { authorization: "Bearer token" }
          }
        ]
      ])
    })
  )

  it.effect("is configured by the environment", () =>
    Effect.gen(function* () {
      const headers: Array<unknown> = []
      const fetch: Fetch = (url, init) => {
        headers.push(url, init.headers)
        return Promise.resolve(new Response(example))
      }
      const configured = update(activated).pipe(
        Effect.provide(FetchInstallationService.layerConfig()),
        Effect.withConfigProvider(
          ConfigProvider.fromMap(
            new Map([
              ["PLEO_ACCESS_TOKEN", "configured"],
              ["PLEO_SERVER", "staging"]
            ])
          )
        )
      )
      yield* over(fetch, configured)
      expect(headers).toMatchObject([
        "https://external.staging.pleo.io/v1/installations/me",
        { authorization: "Bearer configured" }
      ])
    })
  )

  it.effect("takes a redirect that fetch hides for one", () =>
    Effect.gen(function* () {
      const hidden = Object.defineProperty(new Response(null), "status", { value: 0 })
      const error = yield* Effect.flip(over(() => Promise.resolve(hidden), updateWith()))
      expect(error).toMatchObject({ reason: "Redirect", status: 0 })
    })
  )

  it.effect("puts a body together that comes byte by byte", () =>
    Effect.gen(function* () {
      const body = () => byteByByte(new TextEncoder().encode(example))
      const limit = new TextEncoder().encode(example).length
      const fetch: Fetch = () => Promise.resolve(new Response(body()))
      expect((yield* over(fetch, updateWith(limit))).id).toBe(exampleResponse["id"])
    })
  )

  it.effect.each([
    { name: "whose length is too long", headers: { "content-length": "2000" } },
    { name: "without a length", headers: {} },
    {
      name: "whose length is that of its encoded form",
      headers: { "content-length": "5", "content-encoding": "gzip" }
    }
  ])("refuses a success $name, and reads no more of it", ({ headers }) =>
    Effect.gen(function* () {
      const canceled = vi.fn()
      const body = byteByByte(new Uint8Array(2000).fill(0x20), canceled)
      const fetch: Fetch = () => Promise.resolve(new Response(body, { headers }))
      const error = yield* Effect.flip(over(fetch, updateWith(1000)))
      expect(error).toMatchObject({ reason: "InvalidResponse", code: "UND_ERR_RES_EXCEEDED_MAX_SIZE" })
      expect(canceled).toHaveBeenCalledOnce()
    })
  )

  it.effect("keeps the start of an error's body, however long it is", () =>
    Effect.gen(function* () {
      const canceled = vi.fn()
      const text = "x".repeat(1024)
      const body = new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(new TextEncoder().encode(text)),
        cancel: canceled
      })
      const fetch: Fetch = () => Promise.resolve(new Response(body, { status: 503 }))
      const error = yield* Effect.flip(over(fetch, updateWith()))
      expect(error).toMatchObject({ reason: "ServerError", status: 503, body: "x".repeat(2048) })
      expect(canceled).toHaveBeenCalledOnce()
    })
  )

  it.effect("knows what the status of an error says, though its body breaks off", () =>
    Effect.gen(function* () {
      const broken = () =>
        new ReadableStream<Uint8Array>({
          pull: (controller) => controller.error(new TypeError("terminated"))
        })
      const answer =
        (status: number): Fetch =>
        () =>
          Promise.resolve(new Response(broken(), { status }))
      expect(yield* Effect.flip(over(answer(503), updateWith()))).toMatchObject({ status: 503 })
      expect(yield* Effect.flip(over(answer(200), updateWith()))).toMatchObject({
        reason: "Transport",
        mayHaveBeenApplied: true
      })
    })
  )

  it.effect("says of a failure without a code that it may have been applied", () =>
    Effect.gen(function* () {
      const failing =
        (cause: unknown): Fetch =>
        () =>
          Promise.reject(cause)
      const refused = new TypeError("fetch failed", { cause: { code: "ECONNREFUSED" } })
      expect(yield* Effect.flip(over(failing(refused), updateWith()))).toMatchObject({
        phase: "Connection",
        mayHaveBeenApplied: false
      })
      expect(yield* Effect.flip(over(failing(new TypeError("failed")), updateWith()))).toMatchObject({
        reason: "Transport",
        mayHaveBeenApplied: true
      })
    })
  )

  // The errors of fetch in Bun 1.1 and 1.4, and in Deno 2.4 and 2.9, for a refused connection, an unknown host, and TLS.
  const connecting = [
    Object.assign(new Error("Unable to connect."), { code: "ConnectionRefused" }),
    Object.assign(new Error("Was there a typo in the url or port?"), { code: "FailedToOpenSocket" }),
    Object.assign(new TypeError("Unable to connect."), { code: "ECONNREFUSED" }),
    Object.assign(new TypeError("getaddrinfo ENOTFOUND"), { code: "ENOTFOUND", syscall: "getaddrinfo" }),
    Object.assign(new TypeError("The TLS handshake failed."), { code: "EPROTO" }),
    Object.assign(new TypeError("self signed certificate"), { code: "DEPTH_ZERO_SELF_SIGNED_CERT" }),
    ...[
      "tcp connect error: Connection refused (os error 111)",
      "dns error: failed to lookup address information: Name or service not known",
      "invalid peer certificate: UnknownIssuer",
      "tls handshake eof"
    ].flatMap((detail) => {
      const message = `error sending request for url (https://external.pleo.io/): client error (Connect): ${detail}`
      return [new TypeError(message), new TypeError("fetch failed", { cause: new Error(message) })]
    })
  ]
  const sending = [
    Object.assign(new Error("The socket connection was closed."), { code: "ConnectionClosed" }),
    Object.assign(new TypeError("The socket connection was closed."), { code: "ECONNRESET" }),
    new TypeError("fetch failed", {
      cause: new Error(
        "error sending request from 127.0.0.1:2 for https://external.pleo.io/ (127.0.0.1:1): client error (SendRequest): connection closed before message completed"
      )
    }),
    new TypeError("Failed to fetch")
  ]

  it.effect("counts an update as not applied if Bun or Deno could not connect", () =>
    Effect.gen(function* () {
      for (const cause of connecting)
        expect(yield* Effect.flip(over(() => Promise.reject(cause), updateWith()))).toMatchObject({
          reason: "Transport",
          phase: "Connection",
          mayHaveBeenApplied: false
        })
      for (const cause of sending)
        expect(yield* Effect.flip(over(() => Promise.reject(cause), updateWith()))).toMatchObject({
          reason: "Transport",
          mayHaveBeenApplied: true
        })
    })
  )

  it.scoped("keeps a refresh token if Bun or Deno could not connect, and gives it up otherwise", () =>
    Effect.gen(function* () {
      // An app each: after losses in a row, an app sends no further refresh token.
      const refresh = (clientId: string, cause: unknown) => {
        const tenant = "acme"
        return Effect.zipRight(
          OAuth.storeTokens(
            { clientId, tenant },
            {
              accessToken: Redacted.make("access-1"),
              refreshToken: Redacted.make("refresh-1"),
              expiresIn: 0
            }
          ),
          Effect.flip(
            over(() => Promise.reject(cause), update(activated)).pipe(
              Effect.provide(
                FetchInstallationService.layer({
                  credentials: OAuth.credentials({ clientId, tenant, clientSecret: Redacted.make("secret") })
                })
              )
            )
          )
        )
      }
      const [kept, given] = yield* Effect.all([
        Effect.forEach(connecting, (cause, index) => refresh(`kept ${index}`, cause)),
        Effect.forEach(sending, (cause, index) => refresh(`given up ${index}`, cause))
      ]).pipe(Effect.provide(TokenStore.layerMemory))
      expect(new Set(kept.map((error) => "reason" in error && error.reason))).toEqual(
        new Set(["TokenEndpoint"])
      )
      expect(new Set(given.map((error) => "reason" in error && error.reason))).toEqual(
        new Set(["ReauthorizationRequired"])
      )
    })
  )

  it.live("aborts a request that is late or interrupted", () =>
    Effect.gen(function* () {
      const signals: Array<AbortSignal | null | undefined> = []
      const fetch: Fetch = (_, { signal }) => {
        signals.push(signal)
        return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)))
      }
      const late = yield* Effect.flip(over(fetch, RetryPolicy.timeout("100 millis")(updateWith())))
      expect(late).toMatchObject({ reason: "Timeout", mayHaveBeenApplied: true })
      const fiber = yield* Effect.fork(over(fetch, updateWith()))
      yield* Effect.promise(() => vi.waitFor(() => expect(signals).toHaveLength(2)))
      yield* Fiber.interrupt(fiber)
      expect(signals.map((signal) => signal?.aborted)).toEqual([true, true])
    })
  )

  it.effect("refuses a limit that cannot be one", () =>
    Effect.gen(function* () {
      for (const limit of [0, -1, Number.NaN])
        expect(yield* Effect.flip(updateWith(limit))).toMatchObject({
          _tag: "BadRequest",
          issues: [{ path: ["maxResponseSize"] }]
        })
    })
  )
})
