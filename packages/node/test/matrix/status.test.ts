import { describe, expect, it } from "@effect/vitest"
import * as RetryPolicy from "@effect-pleo/core/RetryPolicy"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import {
  expectFailure,
  fails,
  failureOf,
  incomprehensible,
  ok,
  openNode,
  quoted,
  quoting,
  refused,
  request,
  serverError,
  succeeds
} from "../support/faults.ts"
import * as RawServer from "../support/rawServer.ts"

describe("success", () => {
  succeeds("20 a valid response is an installation, after exactly one request", ok, (installation) => {
    const { createdAt, updatedAt, ...rest } = installation
    expect({ ...rest, createdAt: createdAt.toJSON(), updatedAt: updatedAt.toJSON() }).toEqual(
      RawServer.installation
    )
  })

  const empty = { ...incomprehensible, issues: [{ path: [], message: "expected a body" }] }

  fails("35 a 204 is no installation, and may have been applied", RawServer.send(RawServer.head(204)), {
    ...empty,
    status: 204
  })
  fails(
    "35 a 200 without a body is no installation, and may have been applied",
    RawServer.send(RawServer.respond(200)),
    { ...empty, status: 200 }
  )
  fails(
    "35 a 200 that ends with its headers is no installation, and may have been applied",
    RawServer.sendAndEnd(RawServer.head(200, { connection: "close" })),
    { ...empty, status: 200 }
  )
})

describe("refusals", () => {
  for (const status of [400, 402, 404, 405, 409, 410, 413, 415, 418, 422, 425, 426, 428, 431, 451, 499])
    fails(
      `21 a ${status} is a bad request`,
      quoting(status, { "x-request-id": "request-1" }),
      { _tag: "BadRequest", status, ...refused, body: quoted, requestId: "request-1" },
      { isRetried: false }
    )
  fails("21 a 400 without a body is a bad request", RawServer.send(RawServer.respond(400)), {
    _tag: "BadRequest",
    status: 400,
    ...refused
  })
  fails("23 a 401 to a fixed credential is the last word", quoting(401), {
    _tag: "Unauthorized",
    reason: "Unauthenticated",
    status: 401,
    ...refused,
    body: quoted
  })
  fails("24 a 403 is the last word", quoting(403), {
    _tag: "Unauthorized",
    reason: "Forbidden",
    status: 403,
    ...refused,
    body: quoted
  })
  fails("25 a 408 is a timeout before anything was applied", quoting(408), {
    _tag: "Infrastructure",
    reason: "Timeout",
    status: 408,
    isRetryable: true,
    mayHaveBeenApplied: false,
    body: quoted
  })
})

const rateLimited = {
  _tag: "Infrastructure",
  reason: "RateLimited",
  status: 429,
  isRetryable: true,
  mayHaveBeenApplied: false
} as const

describe("limits", () => {
  const limited = (headers: Record<string, string>) => RawServer.send(RawServer.respond(429, headers))

  fails(
    "26 a 429 carries the seconds of its Retry-After",
    quoting(429, { "retry-after": "7" }),
    { ...rateLimited, retryAfter: Duration.seconds(7), body: quoted },
    { isRetried: false }
  )
  fails("26 a 429 without Retry-After is tried again after the computed wait", quoting(429), {
    ...rateLimited,
    body: quoted
  })

  it.scopedLive("26 a 429 is waited for at least as long as it asks, and is the failure in the end", () =>
    Effect.gen(function* () {
      const arrivals: Array<number> = []
      const server = yield* RawServer.make((request, socket) => {
        arrivals.push(performance.now())
        ;(arrivals.length > 2 ? ok : limited({ "retry-after": "1" }))(request, socket)
      })
      const update = yield* openNode(server.url)
      const failure = yield* failureOf(update(request).pipe(RetryPolicy.retry({ attempts: 2, baseDelay: 1 })))
      expectFailure(failure, { ...rateLimited, retryAfter: Duration.seconds(1), attempts: 2 })
      expect(server.requests).toHaveLength(2)
      const [first = 0, second = 0] = arrivals
      // The timers of Node.js count whole milliseconds.
      expect(second - first).toBeGreaterThanOrEqual(999)
      expect(second - first).toBeLessThan(3_000)
      yield* update(request)
    })
  )

  const sentAt = "Wed, 21 Oct 2015 07:28:00 GMT"

  fails(
    "27 a Retry-After date is measured against the Date of the same response",
    limited({ date: sentAt, "retry-after": "Wed, 21 Oct 2015 07:29:30 GMT" }),
    { ...rateLimited, retryAfter: Duration.seconds(90) },
    { isRetried: false }
  )
  fails(
    "27 a Retry-After date before the Date of the same response asks for no wait",
    limited({ date: sentAt, "retry-after": "Wed, 21 Oct 2015 07:27:00 GMT" }),
    { ...rateLimited, retryAfter: Duration.zero }
  )

  it.scopedLive("27 a Retry-After date is waited for, by a clock that is years ahead too", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(
        RawServer.inTurn(limited({ date: sentAt, "retry-after": "Wed, 21 Oct 2015 07:28:01 GMT" }), ok)
      )
      const update = yield* openNode(server.url)
      const [elapsed] = yield* Effect.timed(update(request).pipe(RetryPolicy.retry({ baseDelay: 1 })))
      expect(Duration.toMillis(elapsed)).toBeGreaterThanOrEqual(999)
      expect(Duration.toMillis(elapsed)).toBeLessThan(3_000)
      expect(server.requests).toHaveLength(2)
    })
  )

  for (const [value, seconds] of [
    ["7.2", 8],
    ["3, 8", 8],
    ["Wednesday, 21-Oct-15 07:28:08 GMT", 8],
    ["Wed Oct 21 07:28:08 2015", 8]
  ] as const)
    fails(
      `73 a Retry-After of ${JSON.stringify(value)} is ${seconds} seconds`,
      limited({ date: sentAt, "retry-after": value }),
      { ...rateLimited, retryAfter: Duration.seconds(seconds) },
      { isRetried: false }
    )

  for (const garbage of ["soon", "-7", "7.5.1", "7 seconds", "Infinity", "2015-10-21T07:28:00Z", ""])
    fails(
      `28 a Retry-After of ${JSON.stringify(garbage)} is as good as none`,
      limited({ "retry-after": garbage }),
      rateLimited
    )

  const tooLong = {
    "29 a Retry-After beyond the longest wait fails at once": ["21", {}],
    "29 a Retry-After beyond the deadline fails at once": ["2", { deadline: "1 second" }],
    "29 a Retry-After of centuries fails at once": ["9".repeat(30), {}]
  } as const
  for (const [title, [seconds, policy]] of Object.entries(tooLong))
    it.scopedLive(title, () =>
      Effect.gen(function* () {
        const server = yield* RawServer.make(RawServer.inTurn(limited({ "retry-after": seconds }), ok))
        const update = yield* openNode(server.url)
        const [elapsed, failure] = yield* Effect.timed(
          failureOf(update(request).pipe(RetryPolicy.retry({ baseDelay: 1, ...policy })))
        )
        expectFailure(failure, { ...rateLimited, retryAfter: expect.anything() as never })
        expect(Duration.toMillis(elapsed)).toBeLessThan(900)
        expect(server.requests).toHaveLength(1)
        yield* update(request)
        expect(server.requests).toHaveLength(2)
      })
    )
})

describe("failures of the server", () => {
  for (const status of [500, 502, 503, 504])
    fails(`30 a ${status} may be tried again, and is quoted`, quoting(status), {
      ...serverError,
      status,
      isRetryable: true,
      body: quoted
    })

  const page = "<html><body><h1>502 Bad Gateway</h1></body></html>"
  for (const status of [500, 502, 503, 504])
    fails(
      `30 a proxy's page with a ${status} is quoted as it is`,
      RawServer.send(RawServer.respond(status, { "content-type": "text/html" }, page)),
      { ...serverError, status, isRetryable: true, body: page }
    )

  for (const status of [520, 530, 599, 999])
    fails(`72 a ${status}, which nobody has registered, is like a 500`, quoting(status), {
      ...serverError,
      status,
      isRetryable: true,
      body: quoted
    })

  for (const status of [501, 505, 511])
    fails(`31 a ${status} is not tried again`, quoting(status), {
      ...serverError,
      status,
      isRetryable: false,
      body: quoted
    })
})
