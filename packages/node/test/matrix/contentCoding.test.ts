import * as Zlib from "node:zlib"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as NodeHttpClient from "../../src/NodeHttpClient.ts"
import {
  fails,
  incomprehensible,
  notAnInstallation,
  overBoth,
  overNode,
  overNodeAndClient,
  serverError,
  succeeds
} from "../support/faults.ts"
import * as OAuth from "../support/oauth.ts"
import * as RawServer from "../support/rawServer.ts"

const mebibyte = 1024 * 1024

const json = JSON.stringify(RawServer.installation)

const codings: ReadonlyArray<readonly [coding: string, encode: (body: string) => Buffer]> = [
  ["gzip", Zlib.gzipSync],
  ["X-GZip", Zlib.gzipSync],
  ["deflate", Zlib.deflateSync],
  ["br", Zlib.brotliCompressSync]
]

const coded = (coding: string, body: string | Uint8Array, status = 200) =>
  RawServer.send(RawServer.respond(status, { "content-encoding": coding }, body))

describe("78 the coded body of a success", () => {
  // fetch decodes it by itself.
  for (const [coding, encode] of codings)
    succeeds(`is decoded from ${coding}`, coded(coding, encode(json)), undefined, {
      sides: [...overBoth, ...overNodeAndClient.slice(-1)]
    })

  for (const [title, coding, body] of [
    ["from deflate without the zlib header", "deflate", Zlib.deflateRawSync(json)],
    ["from several codings in turn", "gzip,  br", Zlib.brotliCompressSync(Zlib.gzipSync(json))],
    ["from gzip that lacks its checksum", "gzip", Zlib.gzipSync(json).subarray(0, -8)]
  ] as const)
    succeeds(`is decoded ${title}`, coded(coding, body))

  for (const coding of ["gzip", "identity", "gzip, identity"])
    succeeds(`is read as it is if it is ${coding} in name only`, coded(coding, json), undefined, {
      sides: overNode
    })
  succeeds("may decode to just the limit", coded("gzip", Zlib.gzipSync(json.padEnd(mebibyte))))
  fails(
    "may not decode to more than the limit",
    coded("gzip", Zlib.gzipSync(json.padEnd(mebibyte + 1))),
    { ...incomprehensible, code: "UND_ERR_RES_EXCEEDED_MAX_SIZE" },
    { sides: overBoth.slice(0, 3) }
  )

  const quoted = { body: expect.anything() }
  fails("is refused in an unknown coding, which the error names", coded("sdch", Buffer.from([0xff])), {
    ...notAnInstallation("expected UTF-8, not the content coding sdch"),
    ...quoted
  })
  fails(
    "is refused in a coding that holds a secret, which the error omits",
    (request, socket) => {
      const [coding = ""] = RawServer.authorizationsOf(request)
      socket.write(RawServer.respond(200, { "content-encoding": coding }, Buffer.from([0xff])))
    },
    {
      ...notAnInstallation(expect.stringMatching(/^expected UTF-8, not .* \w+ <redacted>$/) as never),
      ...quoted
    }
  )
  const six = Array.from({ length: 6 }, () => "gzip")
  fails(
    "is refused in more codings than any server needs",
    coded(
      String(six),
      six.reduce<Uint8Array>((body) => Zlib.gzipSync(body), Buffer.from(json))
    ),
    { ...notAnInstallation(`expected UTF-8, not the content coding ${six}`), ...quoted },
    { sides: overNodeAndClient }
  )
})

describe("78 the coded body of an error", () => {
  const page = "<h1>Maintenance</h1>"
  const unavailable = { ...serverError, status: 503, isRetryable: true } as const
  for (const [coding, encode] of codings)
    fails(`is decoded from ${coding}`, coded(coding, encode(page), 503), { ...unavailable, body: page })
  fails(
    "is decoded from its start if it is too long",
    coded("gzip", Zlib.gzipSync(page + Zlib.gzipSync(json).toString("hex").repeat(800), { level: 0 }), 503),
    { ...unavailable, body: expect.stringMatching(/^<h1>Maintenance/) }
  )
  fails(
    "is not quoted if it is a bomb",
    coded("gzip", Zlib.gzipSync(page + " ".repeat(8 * mebibyte)), 503),
    unavailable,
    { sides: overNode }
  )
})

it.scopedLive.each(codings)("new tokens are decoded from %s", ([coding, encode]) =>
  Effect.gen(function* () {
    const tokens = { access_token: "access-2", refresh_token: "refresh-2", expires_in: 3600 }
    const server = yield* RawServer.make((request, socket) =>
      request.requestLine.startsWith("POST")
        ? coded(coding, encode(JSON.stringify(tokens)))(request, socket)
        : RawServer.send(RawServer.updated)(request, socket)
    )
    const store = yield* OAuth.makeMemoryStore
    yield* OAuth.storeTokens(server.url, store, {
      accessToken: Redacted.make("access-1"),
      refreshToken: Redacted.make("refresh-1"),
      expiresIn: 0
    })
    const update = yield* OAuth.open("node", server.url, store)
    yield* update({ status: "ACTIVATED" })
    expect(server.requests.flatMap(RawServer.authorizationsOf)).toEqual(["Bearer access-2"])
  })
)

it.scopedLive("a decoded response of NodeHttpClient has no header of its coded form", () =>
  Effect.gen(function* () {
    const server = yield* RawServer.make(coded("gzip", Zlib.gzipSync(json)))
    const client = yield* NodeHttpClient.make()
    const response = yield* client.get(server.url)
    expect(yield* response.text).toBe(json)
    expect({ ...response.headers }).toEqual({})
  })
)
