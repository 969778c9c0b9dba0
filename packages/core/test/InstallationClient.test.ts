import { createServer, type Server as NodeServer } from "node:http"
import type { AddressInfo } from "node:net"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import { RequestError } from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as ConfigProvider from "effect/ConfigProvider"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import * as Credentials from "../src/Credentials.ts"
import * as InstallationClient from "../src/InstallationClient.ts"
import { Infrastructure, type InstallationError } from "../src/InstallationError.ts"
import { update } from "../src/InstallationService.ts"
import { fromInvalidBody } from "../src/internal/http/failure.ts"
import * as RetryPolicy from "../src/RetryPolicy.ts"
import { exampleResponse, exampleWithout, requiredInResponse } from "./support/contract.ts"
import {
  activated,
  answering,
  apiKey,
  authorizationOf,
  bearer,
  bodyOf,
  installation,
  send
} from "./support/http.ts"
import { hostileKeys } from "./support/json.ts"
import { Leaky, leaks, probes } from "./support/probes.ts"
import { recordingTracer } from "./support/tracer.ts"

const canary = "canary-5f1c-0123456789abcdef"
const key = "canary-key-5f1c"
const keyInBase64 = Buffer.from(`${key}:`).toString("base64")

/** The error of an update with this response. */
const failureOf = (response: () => Response, credentials = bearer(canary)) =>
  Effect.gen(function* () {
    const { client, requests } = answering(response)
    const error = yield* Effect.flip(send(client, { credentials }))
    expect(requests).toHaveLength(1)
    expect(leaks(error, canary, key, keyInBase64)).toEqual([])
    return error
  })

/** A Response with a status that its constructor refuses, such as 999. */
const withStatus = (status: number, body: string | null = null): Response =>
  Object.defineProperty(new Response(body), "status", { value: status })

const withInstallation = (changes: Readonly<Record<string, unknown>>) => () => installation(changes)

const bytes = (...parts: ReadonlyArray<Uint8Array | string>) =>
  Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part)))

const exampleText = JSON.stringify(exampleResponse)

const utf8Length = (text: string) => new TextEncoder().encode(text).length

describe("InstallationClient", () => {
  describe("the request", () => {
    it.effect("is a PUT to the installation that the credential belongs to", () =>
      Effect.gen(function* () {
        const { client, requests } = answering(() => installation())
        yield* send(client)
        expect(
          requests.map(({ hash, method, url, urlParams }) => ({ hash, method, url, urlParams }))
        ).toEqual([
          {
            hash: Option.none(),
            method: "PUT",
            url: "https://external.pleo.io/v1/installations/me",
            urlParams: []
          }
        ])
      })
    )

    it.effect("has these headers and no others", () =>
      Effect.gen(function* () {
        const { client, requests } = answering(() => installation())
        yield* send(client, { request: { status: "ACTIVATED", metadata: { name: "Größe" } } })
        const body = '{"status":"ACTIVATED","metadata":{"name":"Größe"}}'
        expect({ ...requests[0]?.headers }).toEqual({
          accept: "application/json",
          "accept-encoding": "identity",
          authorization: "Bearer token",
          "content-type": "application/json;charset=UTF-8",
          "content-length": String(utf8Length(body))
        })
        expect(requests[0]?.body.contentLength).toBe(utf8Length(body))
        expect(bodyOf(requests[0])).toBe(body)
      })
    )

    it.effect("carries an API key as the user name of Basic, with an empty password", () =>
      Effect.gen(function* () {
        const { client, requests } = answering(() => installation())
        yield* send(client, { credentials: apiKey("Aladdin") })
        expect(authorizationOf(requests[0])).toBe(`Basic ${Buffer.from("Aladdin:").toString("base64")}`)
        expect(authorizationOf(requests[0])).toBe("Basic QWxhZGRpbjo=")
      })
    )

    it.effect("that is invalid never reaches the client", () =>
      Effect.gen(function* () {
        const { client, requests } = answering(() => installation())
        for (const request of [
          { status: "SUSPENDED" },
          { status: "ERROR", errorCode: "QUOTA_EXCEEDED" },
          { status: "ACTIVATED", extra: 1 },
          { status: "ACTIVATED", metadata: { rate: Number.NaN } },
          {}
        ]) {
          const error = yield* Effect.flip(send(client, { request: request as never }))
          expect(error._tag).toBe("BadRequest")
          expect(error.status).toBeUndefined()
        }
        expect(requests).toEqual([])
      })
    )

    it.effect("is validated when the update runs, not when it is described", () =>
      Effect.gen(function* () {
        const { client, requests } = answering(() => installation())
        const described = send(client, { request: { status: "SUSPENDED" } as never })
        expect(requests).toEqual([])
        expect((yield* Effect.flip(described))._tag).toBe("BadRequest")
      })
    )

    it.effect("is sent once each time the update runs", () =>
      Effect.gen(function* () {
        const { client, requests } = answering(() => installation())
        yield* Effect.repeatN(send(client), 2)
        expect(requests).toHaveLength(3)
      })
    )

    it.effect("is aborted when the update is interrupted", () =>
      Effect.gen(function* () {
        const signals: Array<AbortSignal> = []
        const { client } = answering((_, signal) => {
          signals.push(signal)
          return Effect.never
        })
        const fiber = yield* Effect.fork(send(client))
        yield* Effect.yieldNow()
        expect(signals.map(({ aborted }) => aborted)).toEqual([false])
        yield* Fiber.interrupt(fiber)
        expect(signals.map(({ aborted }) => aborted)).toEqual([true])
      })
    )
  })

  describe("a success", () => {
    it.effect("is the installation as Pleo then has it, from exactly one request", () =>
      Effect.gen(function* () {
        const { client, requests } = answering(() => installation())
        expect(yield* send(client)).toEqual({
          ...exampleResponse,
          createdAt: DateTime.unsafeMake("2021-01-01T00:00:00Z"),
          updatedAt: DateTime.unsafeMake("2021-01-01T00:00:00Z")
        })
        expect(requests).toHaveLength(1)
      })
    )

    const accepted: ReadonlyArray<{ readonly name: string; readonly response: () => Response }> = [
      { name: "no content type", response: () => new Response(Buffer.from(exampleText)) },
      {
        name: "a wrong content type",
        response: () => new Response(exampleText, { headers: { "content-type": "text/html" } })
      },
      {
        name: "a wrong charset",
        response: () =>
          new Response(exampleText, { headers: { "content-type": "application/json;charset=latin1" } })
      },
      { name: "a byte order mark", response: () => new Response(bytes("\ufeff", exampleText)) },
      { name: "white space around it", response: () => new Response(` \r\n${exampleText}\n`) },
      { name: "status 201", response: () => new Response(exampleText, { status: 201 }) },
      { name: "fields that nobody knows", response: withInstallation({ name: "new", nested: { a: [1] } }) },
      { name: "a null errorCode", response: withInstallation({ errorCode: null }) }
    ]

    it.effect.each(accepted)("may have $name", ({ response }) =>
      Effect.gen(function* () {
        const { client } = answering(response)
        const { id } = yield* send(client)
        expect(id).toBe(exampleResponse["id"])
      })
    )

    it.effect("may have an unknown status and errorCode", () =>
      Effect.gen(function* () {
        const { client } = answering(withInstallation({ status: "SUSPENDED", errorCode: "QUOTA_EXCEEDED" }))
        const { errorCode, status } = yield* send(client)
        expect({ errorCode, status }).toEqual({ errorCode: "QUOTA_EXCEEDED", status: "SUSPENDED" })
      })
    )

    it.effect("the last of duplicate keys wins", () =>
      Effect.gen(function* () {
        const { client } = answering(() => new Response(exampleText.replace("{", '{"status":"INACTIVE",')))
        expect((yield* send(client)).status).toBe("ACTIVATED")
        const { client: other } = answering(
          () => new Response(exampleText.replace(/}$/, ',"status":"INACTIVE"}'))
        )
        expect((yield* send(other)).status).toBe("INACTIVE")
      })
    )

    it.effect("keys such as __proto__ stay own keys of the metadata, and no prototype changes", () =>
      Effect.gen(function* () {
        const before = Reflect.ownKeys(Object.prototype)
        const { client } = answering(withInstallation({ metadata: JSON.parse(hostileKeys) }))
        const { metadata } = yield* send(client)
        expect(JSON.stringify(metadata)).toBe(hostileKeys)
        expect(Reflect.ownKeys(Object.prototype)).toEqual(before)
      })
    )
  })

  describe("a status", () => {
    const final = { isRetryable: false }
    const retryable = { isRetryable: true }
    const statuses: ReadonlyArray<{
      readonly status: number
      readonly expected: Readonly<Record<string, unknown>>
    }> = [
      ...[400, 402, 404, 405, 406, 409, 410, 413, 415, 418, 422, 451, 499].map((status) => ({
        status,
        expected: { _tag: "BadRequest", mayHaveBeenApplied: false, ...final }
      })),
      { status: 401, expected: { _tag: "Unauthorized", reason: "Unauthenticated", ...final } },
      { status: 403, expected: { _tag: "Unauthorized", reason: "Forbidden", ...final } },
      {
        status: 408,
        expected: { _tag: "Infrastructure", reason: "Timeout", mayHaveBeenApplied: false, ...retryable }
      },
      {
        status: 429,
        expected: { _tag: "Infrastructure", reason: "RateLimited", mayHaveBeenApplied: false, ...retryable }
      },
      ...[500, 502, 503, 504, 512, 520, 524, 530, 599, 600, 999].map((status) => ({
        status,
        expected: {
          _tag: "Infrastructure",
          reason: "ServerError",
          mayHaveBeenApplied: true,
          ...retryable
        }
      })),
      ...[501, 505, 506, 507, 508, 510, 511].map((status) => ({
        status,
        expected: { _tag: "Infrastructure", reason: "ServerError", mayHaveBeenApplied: true, ...final }
      })),
      ...[300, 301, 302, 303, 304, 307, 308].map((status) => ({
        status,
        expected: {
          _tag: "Infrastructure",
          reason: "Redirect",
          mayHaveBeenApplied: status === 303,
          ...final
        }
      })),
      ...[100, 101, 103, 204, 205].map((status) => ({
        status,
        expected: { _tag: "Infrastructure", reason: "InvalidResponse", mayHaveBeenApplied: true, ...final }
      }))
    ]

    it.effect.each(statuses)("$status", ({ expected, status }) =>
      Effect.gen(function* () {
        const error = yield* failureOf(() => withStatus(status))
        expect(error.toJSON()).toMatchObject({ ...expected, status })
        expect(error).not.toHaveProperty("body")
      })
    )

    it.effect.each(statuses.filter(({ status }) => status < 200 || status > 299))(
      "$status keeps what the body says, whatever its type",
      ({ expected, status }) =>
        Effect.gen(function* () {
          for (const body of ["Bad gateway", '{"message":"no"}', "<html>502 Bad Gateway</html>"]) {
            const error = yield* failureOf(() => withStatus(status, body))
            expect(error.toJSON()).toMatchObject({ ...expected, status, body })
          }
        })
    )

    it.effect("an installation as the body of an error is no success", () =>
      Effect.gen(function* () {
        const error = yield* failureOf(() => new Response(exampleText, { status: 400 }))
        expect(error._tag).toBe("BadRequest")
      })
    )

    it.effect("an error body that breaks off does not hide the status", () =>
      Effect.gen(function* () {
        const broken = () =>
          new Response(
            new ReadableStream({
              start: (controller) => controller.error(Object.assign(new Error("x"), { code: "ECONNRESET" }))
            }),
            { status: 503 }
          )
        const error = yield* failureOf(broken)
        expect(error.toJSON()).toMatchObject({ reason: "ServerError", status: 503 })
        expect(error).not.toHaveProperty("body")
      })
    )

    it.effect("a redirect that fetch hides may have been a 303", () =>
      Effect.gen(function* () {
        const error = yield* failureOf(() => Response.error())
        expect(error.toJSON()).toMatchObject({ reason: "Redirect", mayHaveBeenApplied: true })
      })
    )

    it.effect.each([
      { status: 401, expected: { _tag: "Unauthorized", reason: "Unauthenticated", status: 401 } },
      { status: 429, expected: { _tag: "Infrastructure", reason: "RateLimited", status: 429 } },
      { status: 503, expected: { _tag: "Infrastructure", reason: "ServerError", status: 503 } }
    ])("$status is told from a client that fails upon it, too", ({ expected, status }) =>
      Effect.gen(function* () {
        const { client } = answering(() => new Response("no", { status }))
        expect(yield* Effect.flip(send(HttpClient.filterStatusOk(client)))).toMatchObject({
          ...expected,
          body: "no"
        })
      })
    )

    it.effect("after a failure the same layer goes on working", () =>
      Effect.gen(function* () {
        const statuses = [500, 401, 200]
        const { client } = answering(() => new Response(exampleText, { status: statuses.shift() ?? 500 }))
        const seen = yield* Effect.gen(function* () {
          const first = yield* Effect.flip(update(activated))
          const second = yield* Effect.flip(update(activated))
          return [first._tag, second._tag, (yield* update(activated)).id]
        }).pipe(
          Effect.provide(InstallationClient.layer({ credentials: bearer("token") })),
          Effect.provideService(HttpClient.HttpClient, client)
        )
        expect(seen).toEqual(["Infrastructure", "Unauthorized", exampleResponse["id"]])
      })
    )
  })

  describe("Retry-After", () => {
    const retryAfterOf = (headers: Record<string, string>, status = 429) =>
      Effect.map(
        failureOf(() => new Response(null, { status, headers })),
        (error) => (error instanceof Infrastructure ? error.retryAfter : undefined)
      )

    it.effect.each<{
      readonly name: string
      readonly headers: Record<string, string>
      readonly wait: number
    }>([
      { name: "seconds", headers: { "retry-after": "120" }, wait: 120 },
      { name: "no seconds", headers: { "retry-after": "0" }, wait: 0 },
      { name: "a day", headers: { "retry-after": "86400" }, wait: 86_400 },
      {
        name: "a date, measured against the response's own",
        headers: { date: "Wed, 21 Oct 2015 07:28:00 GMT", "retry-after": "Wed, 21 Oct 2015 07:28:30 GMT" },
        wait: 30
      },
      {
        name: "a date that has passed",
        headers: { date: "Wed, 21 Oct 2015 07:28:00 GMT", "retry-after": "Wed, 21 Oct 2015 07:27:00 GMT" },
        wait: 0
      },
      { name: "a fraction, which is rounded up", headers: { "retry-after": "1.2" }, wait: 2 },
      { name: "a fraction of nothing", headers: { "retry-after": "2.0" }, wait: 2 },
      { name: "given twice: the longer one", headers: { "retry-after": "2, 1" }, wait: 2 },
      { name: "given twice, the second time as nonsense", headers: { "retry-after": "2, soon" }, wait: 2 },
      {
        name: "seconds and a date",
        headers: {
          date: "Wed, 21 Oct 2015 07:28:00 GMT",
          "retry-after": "1, Wed, 21 Oct 2015 07:28:30 GMT"
        },
        wait: 30
      },
      {
        name: "a date as RFC 850 has it",
        headers: {
          date: "Wednesday, 21-Oct-15 07:28:00 GMT",
          "retry-after": "Wednesday, 21-Oct-15 07:28:30 GMT"
        },
        wait: 30
      },
      {
        name: "a date as C's asctime has it",
        headers: { date: "Wed, 06 Nov 2015 08:49:00 GMT", "retry-after": "Fri Nov  6 08:49:37 2015" },
        wait: 37
      }
    ])("may be $name", ({ headers, wait }) =>
      Effect.gen(function* () {
        expect(yield* retryAfterOf(headers)).toEqual(Duration.seconds(wait))
      })
    )

    it.effect("a date is measured against this side's clock when the response has none", () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(Date.UTC(2015, 9, 21, 7, 28, 0))
        const headers = { "retry-after": "Wed, 21 Oct 2015 07:28:45 GMT" }
        expect(yield* retryAfterOf(headers)).toEqual(Duration.seconds(45))
        expect(yield* retryAfterOf({ ...headers, date: "yesterday" })).toEqual(Duration.seconds(45))
      })
    )

    it.effect.each(
      [
        "soon",
        "-5",
        "1.5.0",
        "1e3",
        "0x10",
        "",
        "5 s",
        "Infinity",
        "2015-10-21",
        "Wed, 99 Xyz 2015 07:28:00 GMT"
      ].map((value) => ({ value }))
    )("is ignored when it is '$value'", ({ value }) =>
      Effect.gen(function* () {
        const error = yield* failureOf(
          () => new Response(null, { status: 429, headers: { "retry-after": value } })
        )
        expect(error.toJSON()).toMatchObject({ reason: "RateLimited", isRetryable: true })
        expect(error).not.toHaveProperty("retryAfter")
      })
    )

    it.effect("is never taken for shorter than it is, however many digits it has", () =>
      Effect.gen(function* () {
        const wait = yield* retryAfterOf({ "retry-after": "9".repeat(20) })
        expect(Duration.toSeconds(wait ?? Duration.zero)).toBeGreaterThan(86_400)
      })
    )

    it.effect("is kept with a 503 too", () =>
      Effect.gen(function* () {
        expect(yield* retryAfterOf({ "retry-after": "7" }, 503)).toEqual(Duration.seconds(7))
      })
    )
  })

  describe("a 200 that is no installation", () => {
    const html = "<!doctype html><title>Maintenance</title>"
    const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels)
    const withMetadata = (json: string) => exampleText.replace('{"key":"value"}', json)

    const invalid: ReadonlyArray<{
      readonly name: string
      readonly response: () => Response
      readonly path: ReadonlyArray<string>
    }> = [
      { name: "nothing", response: () => new Response(""), path: [] },
      { name: "white space", response: () => new Response(" \n"), path: [] },
      { name: "HTML", response: () => new Response(html), path: [] },
      { name: "text", response: () => new Response("OK"), path: [] },
      { name: "null", response: () => new Response("null"), path: [] },
      { name: "a number", response: () => new Response("1"), path: [] },
      { name: "an array", response: () => new Response(`[${exampleText}]`), path: [] },
      { name: "half of it", response: () => new Response(exampleText.slice(0, -1)), path: [] },
      { name: "twice of it", response: () => new Response(exampleText + exampleText), path: [] },
      {
        name: "UTF-16",
        response: () => new Response(Buffer.from(`\ufeff${exampleText}`, "utf16le")),
        path: []
      },
      {
        name: "Latin-1",
        response: () => new Response(Buffer.from(withMetadata('{"key":"é"}'), "latin1")),
        path: []
      },
      {
        name: "an overlong sequence",
        response: () =>
          new Response(
            bytes(withMetadata('{"key":"').split('"}')[0] ?? "", Buffer.from([0xc0, 0xaf]), '"}}')
          ),
        path: []
      },
      {
        name: "a surrogate as UTF-8",
        response: () => new Response(bytes('{"key":"', Buffer.from([0xed, 0xa0, 0x80]), '"}')),
        path: []
      },
      {
        name: "1e999",
        response: () => new Response(withMetadata('{"rate":1e999}')),
        path: ["metadata", "rate"]
      },
      { name: "200 000 arrays", response: () => new Response(nested(200_000)), path: [] },
      { name: "200 000 open brackets", response: () => new Response("[".repeat(200_000)), path: [] },
      { name: "a bad uuid", response: withInstallation({ id: "1" }), path: ["id"] },
      { name: "a bad date-time", response: withInstallation({ createdAt: "now" }), path: ["createdAt"] },
      {
        name: "a date-time without offset",
        response: withInstallation({ updatedAt: "2021-01-01T00:00:00" }),
        path: ["updatedAt"]
      },
      { name: "a null status", response: withInstallation({ status: null }), path: ["status"] },
      { name: "metadata of another type", response: withInstallation({ metadata: [] }), path: ["metadata"] },
      ...requiredInResponse.map((field) => ({
        name: `an installation without ${field}`,
        response: () => new Response(JSON.stringify(exampleWithout(field))),
        path: [field]
      }))
    ]

    it.effect.each(invalid)("is refused: $name", ({ path, response }) =>
      Effect.gen(function* () {
        const error = yield* failureOf(response)
        expect(error.toJSON()).toMatchObject({
          _tag: "Infrastructure",
          reason: "InvalidResponse",
          status: 200,
          isRetryable: false,
          mayHaveBeenApplied: true
        })
        expect(error).toHaveProperty("issues")
        expect("issues" in error && error.issues?.map((issue) => issue.path)).toEqual([path])
      })
    )

    it.effect("with 200 000 levels of metadata is refused before it is parsed", () =>
      Effect.gen(function* () {
        const error = yield* failureOf(() => new Response(withMetadata(`{"a":${nested(200_000)}}`)))
        expect(error.toJSON()).toMatchObject({
          reason: "InvalidResponse",
          mayHaveBeenApplied: true,
          issues: [{ path: [], message: "expected at most 129 levels of nesting" }]
        })
      })
    )

    it.effect("with 140 levels of metadata is refused where they become too many", () =>
      Effect.gen(function* () {
        const error = yield* failureOf(() => new Response(withMetadata(`{"a":${nested(140)}}`)))
        expect("issues" in error && error.issues?.[0]?.path.slice(0, 3)).toEqual(["metadata", "a", 0])
      })
    )

    it.effect("with a hundred thousand empty objects is refused before it is parsed", () =>
      Effect.gen(function* () {
        const many = `[${"{},".repeat(100_000)}0]`
        const error = yield* failureOf(() => new Response(withMetadata(`{"a":${many}}`)))
        expect("issues" in error && error.issues).toEqual([
          { path: [], message: "expected at most 65536 arrays and objects" }
        ])
      })
    )

    it.effect("does not take brackets inside of strings for nesting", () =>
      Effect.gen(function* () {
        const brackets = JSON.stringify('\\"[{'.repeat(2_000))
        const { client } = answering(() => new Response(withMetadata(`{"a":${brackets}}`)))
        expect((yield* send(client)).metadata).toEqual({ a: JSON.parse(brackets) })
      })
    )

    it.effect("is quoted when it is a page", () =>
      Effect.gen(function* () {
        expect((yield* failureOf(() => new Response(html))).body).toBe(html)
      })
    )

    const personal = "Jane Doe"
    const personalText = withMetadata(`{"name":"${personal}"}`)
    it.effect.each<{ readonly name: string; readonly response: () => Response }>([
      { name: "lacks a field", response: () => new Response(personalText.replace('"id"', '"di"')) },
      { name: "breaks off", response: () => new Response(personalText.slice(0, -1)) },
      { name: "begins with white space", response: () => new Response(`\n\t ${personalText.slice(0, -1)}`) },
      { name: "is an array", response: () => new Response(`[${personalText}]`) },
      { name: "is a string", response: () => new Response(JSON.stringify(personalText)) },
      { name: "begins with a byte order mark", response: () => new Response(`\ufeff${personalText}x`) },
      { name: "has invalid UTF-8", response: () => new Response(bytes(personalText, Buffer.from([0xff]))) },
      {
        name: "is UTF-16 with a byte order mark",
        response: () => new Response(Buffer.from(`\ufeff${personalText}`, "utf16le"))
      },
      {
        name: "is UTF-16 without a byte order mark",
        response: () => new Response(Buffer.from(personalText, "utf16le").swap16())
      }
    ])("is not quoted when it is JSON that $name, for it may hold a customer's metadata", ({ response }) =>
      Effect.gen(function* () {
        const error = yield* failureOf(response)
        expect(error.toJSON()).toMatchObject({ reason: "InvalidResponse" })
        expect(JSON.stringify(error).replaceAll("\\u0000", "")).not.toContain(personal)
      })
    )

    it.effect("that breaks off on its way is a transport failure, which may have been applied", () =>
      Effect.gen(function* () {
        const error = yield* failureOf(
          () =>
            new Response(
              new ReadableStream({
                start(controller) {
                  controller.enqueue(new TextEncoder().encode('{"id":'))
                  controller.error(
                    new TypeError("terminated", {
                      cause: Object.assign(new Error(canary), { code: "UND_ERR_SOCKET" })
                    })
                  )
                }
              })
            )
        )
        expect(error.toJSON()).toMatchObject({
          reason: "Transport",
          code: "UND_ERR_SOCKET",
          isRetryable: true,
          mayHaveBeenApplied: true
        })
      })
    )
  })

  describe("the message of an error", () => {
    const messageOf = (body: string | Uint8Array<ArrayBuffer>, type?: string, status = 400) =>
      Effect.map(
        failureOf(() => new Response(body, { status, headers: { "content-type": type ?? "" } })),
        ({ message }) => message
      )

    it.effect("names the server, whether or not there was a response", () =>
      Effect.gen(function* () {
        const unreachable = answering((request) =>
          Effect.fail(new RequestError({ request, reason: "Transport", cause: { code: "ECONNREFUSED" } }))
        )
        const unsent = yield* Effect.flip(send(unreachable.client, { server: "http://127.0.0.1:9" }))
        expect(unsent).toMatchObject({ server: "127.0.0.1:9" })
        expect(unsent).not.toHaveProperty("tenant")
        expect(unsent.message).toContain("(ECONNREFUSED, server 127.0.0.1:9).")
        expect(yield* messageOf("")).toContain("(status 400, server external.pleo.io).")
        const { client } = answering(() => installation())
        const refused = yield* Effect.flip(send(client, { request: {} as never }))
        expect(refused.message).toContain("server external.pleo.io")
      })
    )

    it.effect.each([
      ["a text", "no such app\nat line 1", "text/plain; charset=utf-8", "no such app"],
      ["a text after empty lines", "\r\n no such app.\r\n", "text/plain", "no such app"],
      ["JSON of any type", '{"message":"no such app"}', "text/html", "no such app"],
      ["a JSON string", '"no such app"', "application/json", "no such app"],
      ["RFC 9457", '{"title":"Bad","detail":"no such app"}', "application/problem+json", "no such app"],
      [
        "an OAuth error",
        '{"error":"x","error_description":"no such app"}',
        "application/json",
        "no such app"
      ],
      ["an error", '{"error":"no such app"}', "application/json", "no such app"],
      ["an error in an object", '{"error":{"code":1,"message":"no such app"}}', "text/plain", "no such app"],
      ["the first of errors", '{"errors":[{"detail":"no such app"},{}]}', "text/plain", "no such app"],
      ["the first error text", '{"errors":["no such app","x"]}', "text/plain", "no such app"]
    ] as const)("has the reason in %s", ([, body, type, reason]) =>
      Effect.gen(function* () {
        expect(yield* messageOf(body, type)).toContain(
          `(status 400, server external.pleo.io): ${reason}. Nothing`
        )
      })
    )

    it.effect.each([
      ["HTML", "<html>no such app</html>", "text/html"],
      ["markup of any type", " <!doctype html>no such app", "text/plain"],
      ["another type", "no such app", "application/octet-stream"],
      ["JSON without a reason", '{"code":"no such app"}', "application/json"],
      ["broken JSON", '{"message":"no such app', "application/json"],
      ["bytes that are not UTF-8", new Uint8Array([0x6e, 0x6f, 0xff, 0x21]), "text/plain"],
      ["nothing but white space", " \u0000\n", "text/plain"]
    ] as const)("has no reason of %s", ([, body, type]) =>
      Effect.gen(function* () {
        expect(yield* messageOf(body, type)).toContain("server external.pleo.io). Nothing")
      })
    )

    it.effect("stays one line, without control characters, of 200 characters of the reason", () =>
      Effect.gen(function* () {
        const message = `a\u001b[31m\u0085b ${"😀".repeat(300)}\u2028c`
        const shown = yield* messageOf(JSON.stringify({ message }), "application/json")
        expect(shown).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Surrogate}]/u)
        expect(shown.match(/😀/gu)).toHaveLength(191)
      })
    )

    it.effect("holds neither the credential nor the strings of the metadata", () =>
      Effect.gen(function* () {
        const note = 'the customer\'s "note"'
        for (const message of [
          `${canary} and ${note}`,
          `${note.toUpperCase()}${encodeURIComponent(canary)}`
        ]) {
          const { client } = answering(() => new Response(JSON.stringify({ message }), { status: 400 }))
          const request = { status: "ACTIVATED", metadata: { note, loud: note.toUpperCase() } } as const
          const error = yield* Effect.flip(send(client, { credentials: bearer(canary), request }))
          expect(error.message).toContain(": <redacted>")
          expect(leaks(error, canary, note, note.toUpperCase())).toEqual([])
        }
      })
    )

    it.effect("is shown by Effect with the span of the caller, and without a frame of the library", () =>
      Effect.gen(function* () {
        const { client } = answering(() => new Response("", { status: 400 }))
        for (const request of [activated, {} as never]) {
          const cause = yield* send(client, { request }).pipe(
            RetryPolicy.retry(),
            Effect.withSpan("report"),
            Effect.sandbox,
            Effect.flip
          )
          expect(Cause.pretty(cause).split("\n")).toEqual([
            expect.stringMatching(/^BadRequest: .*external\.pleo\.io/),
            expect.stringMatching(/^ {4}at report \(.*InstallationClient\.test\.ts:\d+:\d+\)$/)
          ])
        }
      })
    )
  })

  describe("an excerpt of the body", () => {
    const excerptOf = (body: string, credentials = bearer(canary)) =>
      Effect.map(
        failureOf(() => new Response(body, { status: 500 }), credentials),
        (error) => error.body
      )

    it.effect("is the whole body up to 2 KiB", () =>
      Effect.gen(function* () {
        expect(yield* excerptOf("x".repeat(2048))).toBe("x".repeat(2048))
        expect(yield* excerptOf("x".repeat(2049))).toBe("x".repeat(2048))
      })
    )

    it.effect("is counted in UTF-8 bytes, and cuts no character", () =>
      Effect.gen(function* () {
        expect(yield* excerptOf("é".repeat(2048))).toBe("é".repeat(1024))
        expect(yield* excerptOf(`x${"é".repeat(2048)}`)).toBe(`x${"é".repeat(1023)}`)
        expect(yield* excerptOf(`x${"🧾".repeat(1024)}`)).toBe(`x${"🧾".repeat(511)}`)
      })
    )

    it.effect.prop(
      "is the longest start of the body that fits",
      [
        FastCheck.string({ unit: "grapheme", minLength: 1, maxLength: 10 }),
        FastCheck.integer({ min: 1, max: 900 })
      ],
      ([unit, times]) =>
        Effect.gen(function* () {
          const body = unit.repeat(times)
          const excerpt = (yield* excerptOf(body)) ?? ""
          const [next = ""] = body.slice(excerpt.length)
          expect(body.startsWith(excerpt)).toBe(true)
          expect(utf8Length(excerpt)).toBeLessThanOrEqual(2048)
          expect(next === "" || utf8Length(excerpt) + 4 > 2048).toBe(true)
        }),
      { fastCheck: { numRuns: 50 } }
    )

    const credentials: ReadonlyArray<{
      readonly name: string
      readonly credentials: ReturnType<typeof bearer>
      readonly secret: string
    }> = [
      { name: "the bearer token", credentials: bearer(canary), secret: canary },
      { name: "the API key", credentials: apiKey(key), secret: key },
      { name: "the API key's Base64 form", credentials: apiKey(key), secret: keyInBase64 }
    ]

    it.effect.each(credentials)(
      "has $name scrubbed out of it, wherever it stands",
      ({ credentials, secret }) =>
        Effect.gen(function* () {
          const body = `Authorization: ${secret}, again ${secret}${secret}.`
          expect(yield* excerptOf(body, credentials)).toBe(
            "Authorization: <redacted>, again <redacted><redacted>."
          )
        })
    )

    it.effect.each(credentials)("has no part of $name where the 2 KiB end", ({ credentials, secret }) =>
      Effect.gen(function* () {
        for (let before = 2048 - secret.length - 1; before <= 2048; before++) {
          const body = `${"x".repeat(before)}${secret}${"x".repeat(100)}`
          const excerpt = (yield* excerptOf(body, credentials)) ?? ""
          expect(excerpt).not.toContain(`x${secret.slice(0, 1)}`)
          expect(utf8Length(excerpt)).toBeLessThanOrEqual(2048)
        }
        expect(`${"x".repeat(2040)}${secret}`.slice(0, 2048)).toContain(`x${secret.slice(0, 8)}`)
      })
    )

    it.effect.each(credentials)(
      "has no beginning of $name where the response itself breaks off",
      ({ credentials, secret }) =>
        Effect.gen(function* () {
          for (let length = 4; length < secret.length; length++) {
            const body = `Authorization: ${secret.slice(0, length)}`
            const excerpt = (yield* excerptOf(body, credentials)) ?? ""
            expect(["Authorization: ", "Authorization: <redacted>"]).toContain(excerpt)
          }
        })
    )

    it.effect("keeps what only looks like the beginning of a credential, in the middle of it", () =>
      Effect.gen(function* () {
        expect(yield* excerptOf("a canary sings")).toBe("a canary sings")
        expect(yield* excerptOf("it can")).toBe("it can")
      })
    )

    // Of 1, 2 and 3 bytes modulo 3, so that the Base64 forms end in "=", nothing and "==".
    it.effect.each([{ key: "canary-key-5f1c" }, { key: "canary-key-5f1c-" }, { key: "canary-key-5f1c-x" }])(
      "has the Base64 form of $key scrubbed out of it, with its padding and without",
      ({ key }) =>
        Effect.gen(function* () {
          const padded = Buffer.from(`${key}:`).toString("base64")
          const bare = padded.replace(/=+$/, "")
          for (const form of [padded, bare]) {
            expect(yield* excerptOf(`Basic ${form}, sent`, apiKey(key))).toBe("Basic <redacted>, sent")
            const excerpt = yield* excerptOf(`Basic ${form}`, apiKey(key))
            expect(["Basic <redacted>", "Basic "]).toContain(excerpt)
          }
        })
    )

    it("the keys looked at are padded in each of the ways that there are", () => {
      const paddings = ["", "-", "-x"].map((end) => Buffer.from(`${key}${end}:`).toString("base64"))
      expect(new Set(paddings.map((form) => form.length - form.replace(/=+$/, "").length))).toEqual(
        new Set([0, 1, 2])
      )
    })

    it.effect("has the credential scrubbed out of a page with status 200 too", () =>
      Effect.gen(function* () {
        const error = yield* failureOf(() => new Response(`<p>${canary}</p>`))
        expect(error.body).toBe("<p><redacted></p>")
      })
    )

    it.effect("has the credential scrubbed out that the region uses", () =>
      Effect.gen(function* () {
        const { client } = answering(
          (request) => new Response(authorizationOf(request) ?? "", { status: 500 })
        )
        const error = yield* send(client, { credentials: bearer("layer") }).pipe(
          Credentials.use(bearer(canary)),
          Effect.flip
        )
        expect(error.body).toBe("Bearer <redacted>")
      })
    )
  })

  describe("details of a response", () => {
    it.effect.each([400, 401, 403, 408, 429, 500, 302, 200].map((status) => ({ status })))(
      "x-request-id is kept with $status",
      ({ status }) =>
        Effect.gen(function* () {
          const error = yield* failureOf(
            () => new Response("<html>", { status, headers: { "x-request-id": "req-1" } })
          )
          expect(error.requestId).toBe("req-1")
        })
    )

    it.effect("is not made where the metadata hold too many strings to look for", () =>
      Effect.gen(function* () {
        const many = Array.from({ length: 2_000 }, (_, index) => `value-${index}`)
        const { client } = answering((request) => new Response(JSON.stringify(request.body), { status: 400 }))
        const error = yield* Effect.flip(
          send(client, { credentials: bearer(canary), request: { status: "ACTIVATED", metadata: { many } } })
        )
        expect(error.body).toBe("<redacted>")
      })
    )

    it.effect("x-request-id is absent when there is none", () =>
      Effect.gen(function* () {
        expect(yield* failureOf(() => new Response(null, { status: 500 }))).not.toHaveProperty("requestId")
      })
    )

    it.effect("a credential in x-request-id is scrubbed out", () =>
      Effect.gen(function* () {
        const error = yield* failureOf(
          () => new Response(null, { status: 500, headers: { "x-request-id": `req-${canary}` } })
        )
        expect(error.requestId).toBe("req-<redacted>")
      })
    )

    const requestIdOf = (requestId: string, credentials = bearer(canary)) =>
      Effect.map(
        failureOf(
          () => new Response(null, { status: 500, headers: { "x-request-id": requestId } }),
          credentials
        ),
        (error) => error.requestId
      )

    it.effect("x-request-id is kept up to 128 characters", () =>
      Effect.gen(function* () {
        expect(yield* requestIdOf("r".repeat(128))).toBe("r".repeat(128))
        expect(yield* requestIdOf("r".repeat(129))).toBe("r".repeat(128))
      })
    )

    it.effect("no part of a credential is left in x-request-id where it is cut off", () =>
      Effect.gen(function* () {
        for (let before = 128 - canary.length; before < 128; before++) {
          expect(yield* requestIdOf(`${"r".repeat(before)}${canary}rest`)).not.toContain("rc")
        }
        expect(yield* requestIdOf(`req-${canary.slice(0, -1)}`)).toBe("req-<redacted>")
        expect(yield* requestIdOf(`req-${keyInBase64}`, apiKey(key))).toBe("req-<redacted>")
      })
    )

    const flawed = (metadata: string) => () => new Response(exampleText.replace('{"key":"value"}', metadata))

    const pathsOf = (response: () => Response, credentials = bearer(canary)) =>
      Effect.map(failureOf(response, credentials), (error) =>
        "issues" in error ? error.issues?.map(({ path }) => path) : undefined
      )

    it.effect("a key in a path is kept up to 128 characters", () =>
      Effect.gen(function* () {
        for (const length of [128, 129, 100_000]) {
          expect(yield* pathsOf(flawed(`{"${"k".repeat(length)}":1e999}`))).toEqual([
            ["metadata", "k".repeat(128)]
          ])
        }
      })
    )

    it.effect("no part of a credential is left in a key where it is cut off", () =>
      Effect.gen(function* () {
        for (let before = 128 - canary.length; before < 128; before++) {
          const [path = []] = (yield* pathsOf(flawed(`{"${"k".repeat(before)}${canary}":1e999}`))) ?? []
          expect(path[1]).toMatch(/^k+<?r?e?d?a?c?t?e?d?>?$/)
        }
        expect(yield* pathsOf(flawed(`{"x-${keyInBase64}":1e999}`), apiKey(key))).toEqual([
          ["metadata", "x-<redacted>"]
        ])
      })
    )

    it("at most 16 issues of a response are reported", () => {
      const answer = { status: 200, headers: {}, body: Buffer.from("{}") }
      const issues = Array.from({ length: 17 }, (_, index) => ({
        path: [`field${index}`],
        message: "is missing"
      }))
      const error = fromInvalidBody(answer, "{}", issues, (text) => text)
      expect(error.issues).toEqual(issues.slice(0, 16))
    })

    it.effect("a credential in a key of the response is scrubbed out of the path", () =>
      Effect.gen(function* () {
        const error = yield* failureOf(
          () => new Response(exampleText.replace('{"key":"value"}', `{"${canary}":1e999}`))
        )
        expect(error.toJSON()).toMatchObject({ issues: [{ path: ["metadata", "<redacted>"] }] })
      })
    )
  })

  describe("a transport failure", () => {
    const failing = (cause: unknown) =>
      answering((request) => Effect.fail(new RequestError({ request, reason: "Transport", cause })))

    const withCode = (code: string) => Object.assign(new Error("failed"), { code })

    const circular: { cause?: unknown } = {}
    circular.cause = circular

    const failures: ReadonlyArray<{
      readonly name: string
      readonly cause: unknown
      readonly expected: Readonly<Record<string, unknown>>
    }> = [
      {
        name: "a refused connection",
        cause: withCode("ECONNREFUSED"),
        expected: { reason: "Transport", code: "ECONNREFUSED", isRetryable: true, mayHaveBeenApplied: false }
      },
      {
        name: "a reset connection under fetch",
        cause: new TypeError("fetch failed", { cause: withCode("ECONNRESET") }),
        expected: { reason: "Transport", code: "ECONNRESET", isRetryable: true, mayHaveBeenApplied: true }
      },
      {
        name: "a bad certificate",
        cause: new TypeError("fetch failed", { cause: withCode("CERT_HAS_EXPIRED") }),
        expected: {
          reason: "Transport",
          code: "CERT_HAS_EXPIRED",
          isRetryable: false,
          mayHaveBeenApplied: false
        }
      },
      ...["ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE", "ERR_TLS_CERT_ALTNAME_INVALID", "EPROTO"].map(
        (code) => ({
          name: `a TLS handshake refused with ${code}`,
          cause: withCode(code),
          expected: {
            reason: "Transport",
            phase: "Connection",
            code,
            isRetryable: false,
            mayHaveBeenApplied: false
          }
        })
      ),
      {
        name: "a damaged TLS record",
        cause: withCode("ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC"),
        expected: {
          reason: "Transport",
          code: "ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
          isRetryable: true,
          mayHaveBeenApplied: true
        }
      },
      {
        name: "slow headers",
        cause: withCode("UND_ERR_HEADERS_TIMEOUT"),
        expected: { reason: "Timeout", code: "UND_ERR_HEADERS_TIMEOUT", isRetryable: true }
      },
      {
        name: "a stalled body",
        cause: withCode("UND_ERR_BODY_TIMEOUT"),
        expected: { reason: "Timeout", code: "UND_ERR_BODY_TIMEOUT", isRetryable: true }
      },
      {
        name: "bytes that are not HTTP",
        cause: withCode("HPE_INVALID_CONSTANT"),
        expected: { reason: "InvalidResponse", code: "HPE_INVALID_CONSTANT", isRetryable: false }
      },
      {
        name: "headers too large",
        cause: withCode("UND_ERR_HEADERS_OVERFLOW"),
        expected: { reason: "InvalidResponse", code: "UND_ERR_HEADERS_OVERFLOW", isRetryable: false }
      },
      {
        name: "a body too large",
        cause: withCode("UND_ERR_RES_EXCEEDED_MAX_SIZE"),
        expected: { reason: "InvalidResponse", code: "UND_ERR_RES_EXCEEDED_MAX_SIZE", isRetryable: false }
      },
      {
        name: "an unknown cause",
        cause: new TypeError("fetch failed"),
        expected: { reason: "Transport", isRetryable: true, mayHaveBeenApplied: true }
      },
      { name: "no cause", cause: undefined, expected: { reason: "Transport", isRetryable: true } },
      { name: "a circular cause", cause: circular, expected: { reason: "Transport", isRetryable: true } },
      {
        name: "a code that is no code",
        cause: withCode(`Bearer ${canary}`),
        expected: { reason: "Transport", isRetryable: true }
      }
    ]

    it.effect.each(failures)("of $name is told by its code", ({ cause, expected }) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(send(failing(cause).client, { credentials: bearer(canary) }))
        expect(error.toJSON()).toMatchObject({ _tag: "Infrastructure", ...expected })
        expect("code" in error).toBe("code" in expected)
        expect(leaks(error, canary)).toEqual([])
      })
    )

    it.effect.each(["Encode", "InvalidUrl"].map((reason) => ({ reason })))(
      "to write the request ($reason) is this side's to correct",
      ({ reason }) =>
        Effect.gen(function* () {
          const { client } = answering((request) =>
            Effect.fail(new RequestError({ request, reason: reason as "Encode", cause: new Error(canary) }))
          )
          const error = yield* Effect.flip(send(client, { credentials: bearer(canary) }))
          expect(error.toJSON()).toMatchObject({ _tag: "BadRequest", mayHaveBeenApplied: false })
          expect(error.status).toBeUndefined()
          expect(leaks(error, canary)).toEqual([])
        })
    )

    it.effect.each([
      { name: "a bearer token", credentials: bearer(canary), secrets: [canary] },
      { name: "an API key", credentials: apiKey(key), secrets: [key, keyInBase64] }
    ])("shows $name in none of its printed forms, although the client's own error does", (row) =>
      Effect.gen(function* () {
        const { client } = failing(Object.assign(new Error(row.secrets.join()), { code: "ECONNRESET" }))
        const raw: Array<unknown> = []
        const overheard = HttpClient.tapError(client, (error) => Effect.sync(() => raw.push(error)))
        const exit = yield* Effect.exit(send(overheard, { credentials: row.credentials }))

        expect(Exit.isFailure(exit)).toBe(true)
        expect(leaks(exit, ...row.secrets)).toEqual([])

        expect(raw).toHaveLength(1)
        const secret = row.secrets.at(-1) ?? ""
        expect(leaks(Exit.fail(raw[0]), secret)).toEqual(
          expect.arrayContaining(["JSON.stringify", "util.inspect", "Cause.pretty"])
        )
        expect(leaks(Exit.fail(new Leaky(secret)), secret)).toEqual(probes)
      })
    )
  })

  describe("tracing", () => {
    const allowlist = [
      "error.type",
      "http.request.method",
      "http.response.status_code",
      "http.route",
      "pleo.installation.status",
      "server.address",
      "server.port",
      "url.full"
    ]

    const spansOf = (client: HttpClient.HttpClient, options: Parameters<typeof send>[1] = {}) =>
      Effect.gen(function* () {
        const { spans, tracer } = recordingTracer()
        const exit = yield* send(client, { credentials: bearer(canary), ...options }).pipe(
          Effect.exit,
          Effect.withTracer(tracer)
        )
        return { exit, spans }
      })

    it.effect("an update is a span, and its request another with a few attributes and no secret", () =>
      Effect.gen(function* () {
        const { client } = answering(() => installation())
        const { spans } = yield* spansOf(client)
        expect(spans.map(({ kind, name }) => ({ kind, name }))).toEqual([
          { kind: "internal", name: "InstallationService.update" },
          { kind: "client", name: "PUT /v1/installations/me" }
        ])
        expect(Object.fromEntries(spans[0]?.attributes ?? [])).toEqual({
          "pleo.installation.status": "ACTIVATED"
        })
        expect(Object.fromEntries(spans[1]?.attributes ?? [])).toEqual({
          "http.request.method": "PUT",
          "http.response.status_code": 200,
          "http.route": "/v1/installations/me",
          "server.address": "external.pleo.io",
          "server.port": 443,
          "url.full": "https://external.pleo.io/v1/installations/me"
        })
        expect(spans.flatMap(({ events }) => events)).toEqual([])
      })
    )

    it.effect.each([
      { name: "an error response", answer: () => new Response(canary, { status: 500 }) },
      { name: "an invalid response", answer: () => new Response(canary) },
      {
        name: "a transport failure",
        answer: (request: HttpClientRequest.HttpClientRequest) =>
          Effect.fail(new RequestError({ request, reason: "Transport", cause: new Error(canary) }))
      }
    ])("$name ends both spans, and shows no secret in them", ({ answer }) =>
      Effect.gen(function* () {
        const { exit, spans } = yield* spansOf(answering(answer).client)
        expect(Exit.isFailure(exit)).toBe(true)
        expect(spans).toHaveLength(2)
        for (const span of spans) {
          for (const name of span.attributes.keys()) expect(allowlist).toContain(name)
          expect(span.status).toHaveProperty("exit._tag", "Failure")
          expect(leaks("exit" in span.status && span.status.exit, canary)).toEqual([])
          expect(leaks([...span.attributes, ...span.events], canary)).toEqual([])
        }
      })
    )

    it.effect("an update that is refused before it is sent is a span without a request", () =>
      Effect.gen(function* () {
        const { client } = answering(() => installation())
        const { spans } = yield* spansOf(client, { request: { status: canary } as never })
        expect(spans).toHaveLength(1)
        expect(Object.fromEntries(spans[0]?.attributes ?? [])).toEqual({ "error.type": "BadRequest" })
      })
    )

    it.effect.each([
      { server: "https://example.com:8443/pleo", address: "example.com", port: 8443 },
      { server: "http://127.0.0.1:3000", address: "127.0.0.1", port: 3000 },
      { server: "http://localhost", address: "localhost", port: 80 }
    ])("names the host and the port of $server", ({ address, port, server }) =>
      Effect.gen(function* () {
        const { spans } = yield* spansOf(answering(() => installation()).client, { server })
        expect(spans[1]?.attributes.get("server.address")).toBe(address)
        expect(spans[1]?.attributes.get("server.port")).toBe(port)
      })
    )

    it.effect("no trace header goes out, even inside a span, where the bare client sends some", () =>
      Effect.gen(function* () {
        const { tracer } = recordingTracer()
        const traceHeaders = (requests: ReadonlyArray<HttpClientRequest.HttpClientRequest>) =>
          requests.flatMap(({ headers }) =>
            ["traceparent", "tracestate", "b3"].filter((name) => name in headers)
          )
        const ours = answering(() => installation())
        yield* send(ours.client).pipe(Effect.withSpan("parent"), Effect.withTracer(tracer))
        expect(ours.requests).toHaveLength(1)
        expect(traceHeaders(ours.requests)).toEqual([])

        const bare = answering(() => installation())
        yield* bare.client
          .execute(HttpClientRequest.put("https://external.pleo.io/v1/installations/me"))
          .pipe(Effect.withSpan("parent"), Effect.withTracer(tracer))
        expect(traceHeaders(bare.requests)).toEqual(["traceparent", "b3"])
      })
    )

    it.effect("the update's span is a child of the caller's, and the request's of the update's", () =>
      Effect.gen(function* () {
        const { spans, tracer } = recordingTracer()
        yield* send(answering(() => installation()).client).pipe(
          Effect.withSpan("parent"),
          Effect.withTracer(tracer)
        )
        expect(spans.map(({ name }) => name)).toEqual([
          "parent",
          "InstallationService.update",
          "PUT /v1/installations/me"
        ])
        const parents = spans.map(({ parent }) => Option.getOrUndefined(parent)?.spanId)
        expect(parents).toEqual([undefined, spans[0]?.spanId, spans[1]?.spanId])
      })
    )
  })

  describe("over fetch", () => {
    const viaFetch = (fetch: typeof globalThis.fetch, init?: RequestInit) => {
      const sent = update(activated).pipe(
        Effect.provide(InstallationClient.layer({ credentials: bearer("token") })),
        Effect.provide(FetchHttpClient.layer),
        Effect.provideService(FetchHttpClient.Fetch, fetch)
      )
      return init === undefined ? sent : Effect.provideService(sent, FetchHttpClient.RequestInit, init)
    }

    const recordingFetch = () => {
      const calls: Array<{ readonly url: string; readonly init: RequestInit | undefined }> = []
      const fetch: typeof globalThis.fetch = (input, init) => {
        calls.push({ url: String(input), init })
        return Promise.resolve(installation())
      }
      return { calls, fetch }
    }

    it.effect("fetch does not follow redirects", () =>
      Effect.gen(function* () {
        const { calls, fetch } = recordingFetch()
        expect((yield* viaFetch(fetch)).status).toBe("ACTIVATED")
        expect(calls.map(({ url }) => url)).toEqual(["https://external.pleo.io/v1/installations/me"])
        expect(calls[0]?.init).toMatchObject({ method: "PUT", redirect: "manual" })
        expect(Buffer.from(calls[0]?.init?.body as Uint8Array).toString()).toBe('{"status":"ACTIVATED"}')
      })
    )

    it.effect(
      "the application's own options of fetch are kept, except that they cannot follow redirects",
      () =>
        Effect.gen(function* () {
          const { calls, fetch } = recordingFetch()
          yield* viaFetch(fetch, { cache: "no-store", redirect: "follow" })
          expect(calls[0]?.init).toMatchObject({ cache: "no-store", redirect: "manual" })
        })
    )

    const listening = (server: NodeServer) =>
      Effect.acquireRelease(
        Effect.async<string>((resume) => {
          server.listen(0, "127.0.0.1", () =>
            resume(Effect.succeed(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
          )
        }),
        () =>
          Effect.async<void>((resume) => {
            server.closeAllConnections()
            server.close(() => resume(Effect.void))
          })
      )

    it.scopedLive.each([301, 302, 303, 307, 308].map((status) => ({ status })))(
      "a $status to another origin is an error, and no request reaches it, while fetch by itself goes there",
      ({ status }) =>
        Effect.gen(function* () {
          const reached: Array<string | undefined> = []
          const target = yield* listening(
            createServer((request, response) => {
              reached.push(request.method)
              response.end(exampleText)
            })
          )
          const server = yield* listening(
            createServer((request, response) => {
              request.resume()
              response.writeHead(status, { location: `${target}/elsewhere` }).end()
            })
          )
          const error = yield* update(activated).pipe(
            Effect.provide(InstallationClient.layer({ credentials: bearer(canary), server })),
            Effect.provide(FetchHttpClient.layer),
            Effect.flip
          )
          expect(error.toJSON()).toMatchObject({ reason: "Redirect", status, isRetryable: false })
          expect(reached).toEqual([])

          const { status: followed } = yield* Effect.promise(() =>
            fetch(server, { method: "PUT", body: "{}" })
          )
          expect(followed).toBe(200)
          expect(reached).toHaveLength(1)
        })
    )
  })

  describe("layerConfig", () => {
    const configured = (variables: Readonly<Record<string, string>>, client: HttpClient.HttpClient) =>
      update(activated).pipe(
        Effect.provide(InstallationClient.layerConfig()),
        Effect.provideService(HttpClient.HttpClient, client),
        Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables))))
      )

    it.effect("takes the credential and the server from the environment", () =>
      Effect.gen(function* () {
        const { client, requests } = answering(() => installation())
        yield* configured({ PLEO_ACCESS_TOKEN: "token" }, client)
        yield* configured({ PLEO_API_KEY: "Aladdin", PLEO_SERVER: "staging" }, client)
        expect(requests.map((request) => [request.url, authorizationOf(request)])).toEqual([
          ["https://external.pleo.io/v1/installations/me", "Bearer token"],
          ["https://external.staging.pleo.io/v1/installations/me", "Basic QWxhZGRpbjo="]
        ])
      })
    )

    it.effect.each<{ readonly variables: Readonly<Record<string, string>>; readonly named: string }>([
      { variables: {}, named: "PLEO_ACCESS_TOKEN" },
      { variables: { PLEO_ACCESS_TOKEN: canary, PLEO_API_KEY: canary }, named: "PLEO_API_KEY" },
      { variables: { PLEO_ACCESS_TOKEN: canary, PLEO_SERVER: "http://example.com" }, named: "PLEO_SERVER" }
    ])("fails with an error that names $named, before any request", ({ named, variables }) =>
      Effect.gen(function* () {
        const { client, requests } = answering(() => installation())
        const error: InstallationError | { readonly _op: string } = yield* Effect.flip(
          configured(variables, client)
        )
        expect(error).toHaveProperty("_op")
        expect(String(error)).toContain(named)
        expect(leaks(error, canary)).toEqual([])
        expect(requests).toEqual([])
      })
    )
  })

  it.effect("asks for its credentials once, when the layer is built", () =>
    Effect.gen(function* () {
      let asked = 0
      const { client, requests } = answering(() => installation())
      yield* Effect.repeatN(update(activated), 2).pipe(
        Effect.provide(
          InstallationClient.layer({ credentials: Effect.suspend(() => bearer(`t${++asked}`)) })
        ),
        Effect.provideService(HttpClient.HttpClient, client)
      )
      expect(asked).toBe(1)
      expect(requests.map(authorizationOf)).toEqual(Array(3).fill("Bearer t1"))
    })
  )
})
