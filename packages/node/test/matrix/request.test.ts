import { describe, expect, it } from "@effect/vitest"
import * as Credentials from "@effect-pleo/core/Credentials"
import type { UpdateInstallation } from "@effect-pleo/core/Installation"
import * as RetryPolicy from "@effect-pleo/core/RetryPolicy"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import {
  bearer,
  expectFailure,
  failureOf,
  metadataCanary,
  ok,
  onEachSide,
  open,
  openNode,
  refused,
  request
} from "../support/faults.ts"
import * as RawServer from "../support/rawServer.ts"

/** Tests on each side that a request is refused with this issue before a socket is opened. */
const refuses = (
  title: string,
  make: () => object,
  path: ReadonlyArray<string | number>,
  message?: unknown
) =>
  onEachSide(title, (side) =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(ok)
      const update = yield* open(side, server.url)
      const bad = make() as UpdateInstallation
      for (const attempt of [update(bad), update(bad).pipe(RetryPolicy.retry())])
        expectFailure(
          yield* failureOf(attempt),
          { _tag: "BadRequest", ...refused, issues: [{ path, message: message ?? expect.any(String) }] },
          side.credential.secrets
        )
      expect(server.sockets.opened).toBe(0)
      yield* update(request)
      expect(server.requests).toHaveLength(1)
    })
  )

const withNote = (metadata: Record<string, unknown>) => () => ({
  status: "ACTIVATED",
  metadata: { note: metadataCanary, ...metadata }
})

describe("requests that the contract does not know", () => {
  for (const status of ["BROKEN", "activated", "", null, 1, metadataCanary])
    refuses(
      `52 a status of ${JSON.stringify(status)} is refused before anything is sent`,
      () => ({ ...request, status }),
      ["status"]
    )
  refuses("52 a request without a status is refused before anything is sent", () => ({}), ["status"])
})

const secret = "canary-of-a-credential-4d3c2b1a"

describe("credentials that cannot be sent", () => {
  const cases: ReadonlyArray<readonly [title: string, value: string]> = [
    ["53 a credential with CR and LF", `${secret}\r\nx-injected: 1`],
    ["53 a credential with CR", `${secret}\r`],
    ["53 a credential with LF", `${secret}\n`],
    ["53 a credential with NUL", `${secret}\0`],
    ["54 an empty credential", ""],
    ["55 a credential with é", `${secret}é`],
    ["56 a credential with €", `${secret}€`]
  ]
  for (const [title, value] of cases)
    for (const [kind, make] of [
      ["accessToken", Credentials.bearer],
      ["apiKey", Credentials.apiKey]
    ] as const)
      it.scopedLive(`${title} is refused when it is made, and nothing is sent (${kind})`, () =>
        Effect.gen(function* () {
          const server = yield* RawServer.make(ok)
          const credentials = make(Redacted.make(value))
          const update = yield* openNode(server.url)
          for (const refusal of [
            Effect.asVoid(credentials),
            Effect.asVoid(open({ transport: "node", credential: { ...bearer, credentials } }, server.url)),
            Effect.asVoid(Credentials.use(update(request), credentials)),
            Effect.asVoid(update(request).pipe(Credentials.use(credentials), RetryPolicy.retry()))
          ])
            expectFailure(
              yield* failureOf(refusal),
              {
                _tag: "Unauthorized",
                reason: "Unauthenticated",
                ...refused,
                server: undefined,
                issues: [
                  {
                    path: [kind],
                    message: expect.stringMatching(
                      /^(is empty|expected visible ASCII.*|ends with a line break)$/
                    )
                  }
                ]
              },
              [secret, metadataCanary]
            )
          expect(server.sockets.opened).toBe(0)
          yield* update(request)
          expect(server.requests).toHaveLength(1)
        })
      )
})

describe("metadata that cannot be sent", () => {
  refuses(
    "57 circular metadata is refused before anything is sent",
    () => {
      const inner: Record<string, unknown> = {}
      inner["again"] = [inner]
      return withNote({ inner })()
    },
    ["metadata", "inner", "again", 0],
    "expected a value without circular references"
  )

  for (const [title, value, message] of [
    ["58 a BigInt", 1n, "expected a JSON value"],
    ["58 a function", () => {}, "expected a JSON value"],
    ["58 a symbol", Symbol(metadataCanary), "expected a JSON value"],
    ["58 NaN", Number.NaN, "expected a finite number"],
    ["58 Infinity", Number.POSITIVE_INFINITY, "expected a finite number"],
    ["82 a value with toJSON", new Date(0), "expected a plain object"],
    ["82 an array with toJSON", Object.assign([1], { toJSON: () => "1" }), "expected a value without toJSON"],
    ["82 an object with toJSON", { toJSON: () => "1" }, "expected a value without toJSON"],
    [
      "83 an integer that JavaScript rounds",
      2 ** 53,
      "expected a number up to 2^53 - 1: send a larger one as a string"
    ]
  ] as const)
    refuses(
      `${title} in metadata is refused before anything is sent, by its path`,
      withNote({ deep: [0, { value }] }),
      ["metadata", "deep", 1, "value"],
      message
    )

  it.scopedLive("59 a lone surrogate is valid UTF-8 on the wire, with an exact length", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(ok)
      const update = yield* openNode(server.url)
      const metadata = {
        "lone \ud800 surrogate \udc00": "\udfff",
        text: "Smørrebrød €\u2028 😀",
        nul: "\u0000"
      }
      yield* update({ status: "ACTIVATED", metadata })
      const [sent] = server.requests
      const text = new TextDecoder("utf-8", { fatal: true }).decode(sent?.body)
      expect(JSON.parse(text)).toEqual({ status: "ACTIVATED", metadata })
      // A decoder that replaces what is not UTF-8 would have let it through.
      expect(text).not.toContain("\ufffd")
      expect(sent?.headers).toContainEqual(["content-length", String(Buffer.byteLength(text))])
      yield* update(request)
      expect(server.requests).toHaveLength(2)
    })
  )

  // The quotes, braces and names around the two values take the rest.
  const sized = (bytes: number) => ({
    note: metadataCanary,
    large: "é".repeat((bytes - JSON.stringify({ note: metadataCanary, large: "" }).length) / 2)
  })
  const limit = 256 * 1024

  refuses(
    "60 metadata over 256 KiB is refused before anything is sent",
    withNote(sized(limit + 2)),
    ["metadata"],
    "expected at most 256 KiB of JSON"
  )

  onEachSide("60 metadata of just 256 KiB is sent", (side) =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(ok)
      const update = yield* open(side, server.url)
      const metadata = sized(limit)
      const size = Buffer.byteLength(JSON.stringify(metadata))
      expect([limit - 1, limit]).toContain(size)
      yield* update({ status: "ACTIVATED", metadata })
      expect(JSON.parse(String(server.requests[0]?.body))).toEqual({ status: "ACTIVATED", metadata })
    })
  )
})
