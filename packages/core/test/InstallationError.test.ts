import * as HttpApiError from "@effect/platform/HttpApiError"
import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import {
  BadRequest,
  explain,
  Infrastructure,
  type InstallationError,
  isInstallationError,
  Unauthorized
} from "../src/InstallationError.ts"
import { anyError, infrastructureReasons, unauthorizedReasons } from "./support/errors.ts"

const retryable = true
const final = false
const maybeApplied = true
const notApplied = false

type Row = readonly [error: InstallationError, isRetryable: boolean, mayHaveBeenApplied: boolean]

const transport = (code: string, ...flags: readonly [boolean, boolean]): Row => [
  new Infrastructure({ reason: "Transport", code }),
  ...flags
]

const unsent = (
  facts: { readonly code: string; readonly proxyStatus?: number },
  isRetryable: boolean
): Row => [
  new Infrastructure({ reason: "Transport", phase: "Connection", ...facts }),
  isRetryable,
  notApplied
]

const serverError = (status: number, isRetryable: boolean): Row => [
  new Infrastructure({ reason: "ServerError", status }),
  isRetryable,
  maybeApplied
]

const tokenEndpoint = (
  facts: { readonly code: string } | { readonly status: number },
  isRetryable: boolean
): Row => [new Infrastructure({ reason: "TokenEndpoint", ...facts }), isRetryable, notApplied]

const rows: ReadonlyArray<Row> = [
  [new BadRequest({}), final, notApplied],
  [new BadRequest({ issues: [{ path: ["status"], message: "is missing" }] }), final, notApplied],
  [new BadRequest({ status: 400 }), final, notApplied],
  [new BadRequest({ status: 409 }), final, notApplied],
  [new Unauthorized({ reason: "Unauthenticated" }), final, notApplied],
  [new Unauthorized({ reason: "Unauthenticated", status: 401 }), final, notApplied],
  [new Unauthorized({ reason: "Forbidden", status: 403 }), final, notApplied],
  [new Unauthorized({ reason: "NotConnected" }), final, notApplied],
  [new Unauthorized({ reason: "ReauthorizationRequired" }), final, notApplied],

  [new Infrastructure({ reason: "Transport" }), retryable, maybeApplied],
  unsent({ code: "ECONNREFUSED" }, retryable),
  unsent({ code: "ENOTFOUND" }, retryable),
  unsent({ code: "EAI_AGAIN" }, retryable),
  // A damaged record or a lost route may come at any time, after the request too.
  transport("ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC", retryable, maybeApplied),
  transport("EHOSTUNREACH", retryable, maybeApplied),
  transport("ENETUNREACH", retryable, maybeApplied),
  unsent({ code: "UND_ERR_CONNECT_TIMEOUT" }, retryable),
  transport("ECONNRESET", retryable, maybeApplied),
  transport("EPIPE", retryable, maybeApplied),
  transport("UND_ERR_SOCKET", retryable, maybeApplied),
  transport("UND_ERR_ABORTED", retryable, maybeApplied),
  transport("SOMETHING_NEW", retryable, maybeApplied),
  unsent({ code: "UND_ERR_CLOSED" }, final),
  transport("UND_ERR_DESTROYED", final, maybeApplied),
  unsent({ code: "DEPTH_ZERO_SELF_SIGNED_CERT" }, final),
  unsent({ code: "SELF_SIGNED_CERT_IN_CHAIN" }, final),
  unsent({ code: "CERT_HAS_EXPIRED" }, final),
  unsent({ code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" }, final),
  unsent({ code: "UNABLE_TO_GET_ISSUER_CERT_LOCALLY" }, final),
  unsent({ code: "ERR_TLS_CERT_ALTNAME_INVALID" }, final),
  unsent({ code: "ERR_SSL_WRONG_VERSION_NUMBER" }, final),
  unsent({ code: "EPROTO" }, final),

  // The code alone says nothing of how far it got.
  transport("ECONNREFUSED", retryable, maybeApplied),
  // OpenSSL 3.5 has a slash in the codes of alerts.
  unsent({ code: "ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE" }, final),
  unsent({ code: "ECONNRESET" }, retryable),
  ...[403, 404, 407].map((proxyStatus) => unsent({ code: "ERR_PROXY", proxyStatus }, final)),
  ...[408, 429, 502, 503, 504].map((proxyStatus) => unsent({ code: "ERR_PROXY", proxyStatus }, retryable)),

  ...(["Queue", "AccessToken", "Connection"] as const).map(
    (phase): Row => [new Infrastructure({ reason: "Timeout", phase }), retryable, notApplied]
  ),
  [new Infrastructure({ reason: "Timeout" }), retryable, maybeApplied],
  [new Infrastructure({ reason: "Timeout", code: "UND_ERR_BODY_TIMEOUT" }), retryable, maybeApplied],
  [new Infrastructure({ reason: "Timeout", status: 408 }), retryable, notApplied],
  [new Infrastructure({ reason: "RateLimited", status: 429 }), retryable, notApplied],

  serverError(500, retryable),
  serverError(502, retryable),
  serverError(503, retryable),
  serverError(504, retryable),
  serverError(501, final),
  serverError(505, final),
  serverError(511, final),
  serverError(520, retryable),
  serverError(599, retryable),
  serverError(999, retryable),
  [new Infrastructure({ reason: "ServerError" }), final, maybeApplied],

  [new Infrastructure({ reason: "InvalidResponse", status: 200 }), final, maybeApplied],
  [new Infrastructure({ reason: "InvalidResponse", status: 204 }), final, maybeApplied],
  [new Infrastructure({ reason: "InvalidResponse", code: "HPE_INVALID_CONSTANT" }), final, maybeApplied],

  [new Infrastructure({ reason: "Redirect", status: 301 }), final, notApplied],
  [new Infrastructure({ reason: "Redirect", status: 302 }), final, notApplied],
  [new Infrastructure({ reason: "Redirect", status: 303 }), final, maybeApplied],
  [new Infrastructure({ reason: "Redirect", status: 307 }), final, notApplied],
  [new Infrastructure({ reason: "Redirect", status: 308 }), final, notApplied],
  // A browser hides which redirect it was, so it may have been a 303.
  [new Infrastructure({ reason: "Redirect", status: 0 }), final, maybeApplied],

  // An attempt before the newer update may have got through.
  [new Infrastructure({ reason: "Superseded" }), final, maybeApplied],

  // The update waited for what did not come.
  [new Infrastructure({ reason: "TokenStore" }), retryable, notApplied],
  [new Infrastructure({ reason: "TokenStore", code: "ENOSPC" }), retryable, notApplied],
  [new Infrastructure({ reason: "TokenEndpoint" }), retryable, notApplied],
  tokenEndpoint({ code: "ECONNREFUSED" }, retryable),
  tokenEndpoint({ code: "CERT_HAS_EXPIRED" }, final),
  tokenEndpoint({ status: 302 }, final),
  tokenEndpoint({ status: 404 }, final),
  tokenEndpoint({ status: 408 }, retryable),
  tokenEndpoint({ status: 429 }, retryable),
  tokenEndpoint({ status: 500 }, retryable),
  tokenEndpoint({ status: 501 }, final),
  tokenEndpoint({ status: 503 }, retryable)
]

const title = (error: InstallationError) =>
  [
    error._tag,
    "reason" in error ? error.reason : "",
    error.status ?? "",
    "code" in error ? (error.code ?? "") : "",
    "phase" in error ? (error.phase ?? "") : "",
    "proxyStatus" in error ? (error.proxyStatus ?? "") : ""
  ]
    .filter((part) => part !== "")
    .join(" ")

describe("InstallationError", () => {
  describe("whether it can be tried again, and may have been applied", () => {
    it.each(rows.map((row) => [title(row[0]), ...row] as const))("%s", (_, error, again, applied) => {
      expect({ again: error.isRetryable, applied: error.mayHaveBeenApplied }).toEqual({ again, applied })
    })

    it("the table has every reason", () => {
      const reasons = new Set(rows.map(([error]) => ("reason" in error ? error.reason : error._tag)))
      expect([...reasons].sort()).toEqual(
        ["BadRequest", ...unauthorizedReasons, ...infrastructureReasons].sort()
      )
    })
  })

  describe("message", () => {
    it.prop("is one line that says whether the update was applied", [anyError], ([error]) => {
      expect(error.message).toMatch(
        error.mayHaveBeenApplied
          ? /(The update|An earlier attempt) may have been applied\./
          : /Nothing was applied\./
      )
      expect(error.message).not.toMatch(/[\r\n\u2028\u2029]/)
    })

    it.each(["a\nb", "a\r\nb", "a\u2028b", "a\u2029b"])("stays one line with %j in a path", (key) => {
      const issues = [{ path: ["metadata", key], message: "expected a finite number" }]
      for (const error of [
        new BadRequest({ issues }),
        new Unauthorized({ reason: "Unauthenticated", issues }),
        new Infrastructure({ reason: "InvalidResponse", status: 200, issues })
      ]) {
        expect(error.message).not.toMatch(/[\r\n\u2028\u2029]/)
      }
    })

    it("names each issue with its path", () => {
      const { message } = new BadRequest({
        issues: [
          { path: ["metadata", "list", 0, "rate"], message: "expected a finite number" },
          { path: [], message: "is wrong" }
        ]
      })
      expect(message).toContain("metadata.list[0].rate: expected a finite number; is wrong")
    })

    it("names the status, the code and how long to wait", () => {
      expect(new BadRequest({ status: 409 }).message).toContain("409")
      expect(new Unauthorized({ reason: "Unauthenticated", status: 401 }).message).toContain("401")
      expect(new Unauthorized({ reason: "Forbidden", status: 403 }).message).toContain("403")
      expect(new Infrastructure({ reason: "ServerError", status: 503 }).message).toContain("503")
      expect(new Infrastructure({ reason: "Transport", code: "ECONNRESET" }).message).toContain("ECONNRESET")
      expect(
        new Infrastructure({ reason: "RateLimited", status: 429, retryAfter: Duration.seconds(90) }).message
      ).toContain("1m 30s")
    })

    it("names the server, the customer in quotes, and the reason in the response", () => {
      const facts = { server: "127.0.0.1:9", tenant: 'A\u2028"cme\n', detail: "no such app" }
      for (const error of [
        new BadRequest({ status: 400, ...facts }),
        new Unauthorized({ reason: "Forbidden", status: 400, ...facts }),
        new Infrastructure({ reason: "ServerError", status: 400, ...facts })
      ]) {
        const named = '(status 400, server 127.0.0.1:9, tenant "A\\u{2028}\\"cme\\n"): no such app.'
        expect(error.message).toContain(named)
        expect(explain(error).split("\n")[0]).toContain(named)
      }
    })

    it("says what was waited for, and how a proxy answered", () => {
      const messageOf = (facts: Partial<Infrastructure>) =>
        new Infrastructure({ reason: "Timeout", ...facts }).message
      expect(messageOf({ phase: "Queue" })).toContain("timed out waiting for its turn")
      expect(messageOf({ phase: "AccessToken" })).toContain("timed out waiting for an access token")
      expect(messageOf({ reason: "Transport", phase: "Connection", proxyStatus: 407 })).toContain(
        "failed waiting for a connection to Pleo (the proxy responded with status 407)"
      )
    })

    it("differs from reason to reason", () => {
      const messages = new Set([
        new BadRequest({}).message,
        ...unauthorizedReasons.map((reason) => new Unauthorized({ reason }).message),
        ...infrastructureReasons.map((reason) => new Infrastructure({ reason }).message)
      ])
      expect(messages.size).toBe(1 + 4 + 9)
    })
  })

  describe("explain", () => {
    it.prop("is five lines, each of which says what it is about", [anyError], ([error]) => {
      const lines = explain(error).split(/[\n\r\u2028\u2029]/)
      expect(lines.map((line) => line.slice(0, line.indexOf(":")))).toEqual([
        "What happened",
        "Attempts",
        "Applied",
        "What to do",
        "Response"
      ])
      expect(lines[2]?.startsWith("Applied: no")).toBe(!error.mayHaveBeenApplied)
    })

    it("reports the attempts, the waits, and the response", () => {
      const error = new Infrastructure({
        reason: "ServerError",
        status: 503,
        requestId: "req-7",
        body: `over\nloaded ${"x".repeat(300)}`,
        retryAfter: Duration.seconds(30),
        retried: { attempts: 3, waited: Duration.millis(1500), mayHaveBeenApplied: true }
      })
      expect(explain(error).split("\n")).toEqual([
        "What happened: Infrastructure (ServerError). Pleo could not process the request (status 503).",
        "Attempts: 3, with waits of 1s 500ms in total. Wait 30s before the next one.",
        "Applied: possibly. Sending the same update again is safe, unless a newer one was sent since.",
        "What to do: nothing for now; if it persists, ask Pleo's support.",
        `Response: request id "req-7", body "over\\nloaded ${"x".repeat(188)}" and more.`
      ])
    })

    it("names what is wrong with a request that was never sent", () => {
      const error = new BadRequest({
        issues: [{ path: ["status"], message: "expected a status. Not this one" }]
      })
      expect(explain(error).split("\n")).toEqual([
        "What happened: BadRequest. The update was rejected before sending (status: expected a status. Not this one).",
        "Attempts: 1 known.",
        "Applied: no.",
        "What to do: correct the value named above; it was not sent.",
        "Response: none."
      ])
    })
  })

  it.prop("toJSON has the fields, the message and the two flags", [anyError], ([error]) => {
    const { _tag, isRetryable, mayHaveBeenApplied, message } = error
    const { retried, retryAfter, ...others } = { retryAfter: undefined, ...error }
    expect(error.toJSON()).toEqual({
      ...others,
      _tag,
      isRetryable,
      mayHaveBeenApplied,
      message,
      ...(retryAfter && { retryAfterMillis: Duration.toMillis(retryAfter) }),
      ...(retried && {
        retried: {
          attempts: retried.attempts,
          waitedMillis: Duration.toMillis(retried.waited),
          mayHaveBeenApplied: retried.mayHaveBeenApplied
        }
      })
    })
    expect(Object.keys(error)).toContain("_tag")
    expect(error.toJSON()).not.toHaveProperty("stack")
  })

  it("its JSON begins with the tag, the reason and the message, and has numbers for durations", () => {
    const error = new Infrastructure({
      reason: "RateLimited",
      status: 429,
      retryAfter: Duration.seconds(2),
      retried: { attempts: 2, waited: Duration.millis(1500), mayHaveBeenApplied: false }
    })
    expect(JSON.stringify(error)).toBe(
      `{"_tag":"Infrastructure","reason":"RateLimited","message":${JSON.stringify(error.message)},"isRetryable":true,` +
        '"mayHaveBeenApplied":false,"status":429,"retryAfterMillis":2000,' +
        '"retried":{"attempts":2,"mayHaveBeenApplied":false,"waitedMillis":1500}}'
    )
    expect(JSON.stringify(new BadRequest({}))).toMatch(/^\{"_tag":"BadRequest","message":/)
  })

  it("an undefined field is an absent one, in JSON and in equality", () => {
    const status: number | undefined = undefined
    const pairs: ReadonlyArray<readonly [InstallationError, InstallationError]> = [
      [new BadRequest({ status, issues: undefined }), new BadRequest({})],
      [
        new Unauthorized({ reason: "Forbidden", status, body: undefined }),
        new Unauthorized({ reason: "Forbidden" })
      ],
      [
        new Infrastructure({
          reason: "Timeout",
          status,
          code: undefined,
          phase: undefined,
          retryAfter: undefined
        }),
        new Infrastructure({ reason: "Timeout" })
      ]
    ]
    for (const [one, other] of pairs) {
      expect(Equal.equals(one, other)).toBe(true)
      expect(JSON.stringify(one)).toBe(JSON.stringify(other))
    }
  })

  it.prop("has no stack but its message, and leaves the stacks of others alone", [anyError], ([error]) => {
    expect(error.stack).toBe(`${error._tag}: ${error.message}`)
    expect(new Error("another").stack).toContain("InstallationError.test.ts")
  })

  it("can be made where Error is frozen", () => {
    const { limit } = { limit: Error.stackTraceLimit }
    Object.defineProperty(Error, "stackTraceLimit", { value: limit, writable: false, configurable: true })
    try {
      expect(new BadRequest({ status: 400 }).status).toBe(400)
    } finally {
      Object.defineProperty(Error, "stackTraceLimit", { value: limit, writable: true, configurable: true })
    }
  })

  it("is equal to another with the same fields", () => {
    const limited = (seconds: number) =>
      new Infrastructure({ reason: "RateLimited", status: 429, retryAfter: Duration.seconds(seconds) })
    expect(Equal.equals(limited(2), limited(2))).toBe(true)
    expect(Equal.equals(limited(2), limited(3))).toBe(false)
    const badRequest: InstallationError = new BadRequest({ status: 400 })
    expect(Equal.equals(badRequest, new Infrastructure({ reason: "ServerError", status: 400 }))).toBe(false)
  })

  it("isInstallationError knows the three and nothing else", () => {
    for (const [error] of rows) expect(isInstallationError(error)).toBe(true)
    const others = [
      new Error("x"),
      { _tag: "BadRequest" },
      rows.map(([error]) => error.toJSON())[0],
      // The platform's errors have the same tags.
      new HttpApiError.BadRequest(),
      new HttpApiError.Unauthorized(),
      "BadRequest",
      null,
      undefined
    ]
    for (const other of others) {
      expect(isInstallationError(other)).toBe(false)
    }
  })

  it.effect("each is caught by its tag", () =>
    Effect.gen(function* () {
      const caught = (error: InstallationError) =>
        Effect.fail(error).pipe(
          Effect.catchTags({
            BadRequest: (e) => Effect.succeed(`BadRequest ${e.status}`),
            Unauthorized: (e) => Effect.succeed(`Unauthorized ${e.reason}`),
            Infrastructure: (e) => Effect.succeed(`Infrastructure ${e.reason}`)
          })
        )
      expect(yield* caught(new BadRequest({ status: 400 }))).toBe("BadRequest 400")
      expect(yield* caught(new Unauthorized({ reason: "Forbidden" }))).toBe("Unauthorized Forbidden")
      expect(yield* caught(new Infrastructure({ reason: "Timeout" }))).toBe("Infrastructure Timeout")
    })
  )

  it.effect("each can be yielded as a failure, and is an Error with its name", () =>
    Effect.gen(function* () {
      for (const [error] of rows) {
        const failure = yield* Effect.flip(
          Effect.gen(function* () {
            return yield* error
          })
        )
        expect(failure).toBe(error)
        expect(failure).toBeInstanceOf(Error)
        expect(failure.name).toBe(error._tag)
      }
    })
  )
})
