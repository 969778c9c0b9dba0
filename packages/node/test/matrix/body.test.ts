import { execFile } from "node:child_process"
import { Readable } from "node:stream"
import { buffer } from "node:stream/consumers"
import { promisify } from "node:util"
import * as Zlib from "node:zlib"
import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import type { Installation } from "@effect-pleo/core/Installation"
import * as Effect from "effect/Effect"
import {
  answer,
  answerText,
  expectFailure,
  fails,
  failureOf,
  incomprehensible,
  metadataCanary,
  notAnInstallation,
  ok,
  openNode,
  overNode,
  quoted,
  quoting,
  request,
  succeeds
} from "../support/faults.ts"
import { compile } from "../support/program.ts"
import * as RawServer from "../support/rawServer.ts"

const mebibyte = 1024 * 1024

/** An installation that keeps what the failures of these tests must not show. */
const installation = { ...RawServer.installation, metadata: { note: metadataCanary } }

const json = (fields: object = {}) => JSON.stringify({ ...installation, ...fields })

describe("a body that is not JSON", () => {
  fails(
    "36 a proxy's page with a 200 is no installation, and is quoted without the credential",
    quoting(200, { "content-type": "text/html" }),
    { ...notAnInstallation("expected JSON"), body: quoted }
  )

  const page = "<!doctype html><html><body>Please log in</body></html>"
  fails(
    "36 an HTML page with a 200 is no installation, and may have been applied",
    answerText(page, { "content-type": "text/html" }),
    { ...notAnInstallation("expected JSON"), body: page }
  )

  for (const contentType of ["text/plain", "text/html", "application/octet-stream", "not a media type"])
    succeeds(
      `37 JSON is accepted under the label ${contentType}`,
      answer({}, { "content-type": contentType })
    )
  succeeds("37 JSON is accepted without a label", answer())

  succeeds("38 a byte order mark before the JSON is accepted", answerText(`\ufeff${json()}`))

  const utf16 = Buffer.from(json(), "utf16le")
  const swapped = Buffer.from(utf16).swap16()
  for (const [title, bytes, message] of [
    ["39 UTF-16 with its mark", [Buffer.from([0xff, 0xfe]), utf16], "expected UTF-8"],
    ["39 big-endian UTF-16 with its mark", [Buffer.from([0xfe, 0xff]), swapped], "expected UTF-8"],
    ["39 UTF-16 without a mark", [utf16], "expected JSON"],
    ["39 big-endian UTF-16 without a mark", [swapped], "expected JSON"]
  ] as const)
    fails(
      `${title} is no installation`,
      answerText(Buffer.concat(bytes), { "content-type": "application/json;charset=UTF-16" }),
      notAnInstallation(message)
    )

  const note = (...bytes: ReadonlyArray<number>) => {
    const [start = "", end = ""] = json({ metadata: { note: metadataCanary, text: "|" } }).split("|")
    return Buffer.concat([Buffer.from(start), Buffer.from(bytes), Buffer.from(end)])
  }
  for (const [title, bytes] of [
    ["40 Latin-1", [0x73, 0x6d, 0xf8, 0x72]],
    ["40 a truncated sequence of UTF-8", [0xe2, 0x82]],
    ["40 an overlong sequence of UTF-8", [0xc0, 0xaf]],
    ["40 a surrogate in UTF-8", [0xed, 0xa0, 0x80]]
  ] as const)
    fails(
      `${title} is refused, never replaced`,
      answerText(note(...bytes)),
      notAnInstallation("expected UTF-8")
    )
})

describe("a body that is too large", () => {
  /** The most memory that this process takes while an effect runs, over what it takes before. */
  const growthDuring = <A, E, R>(self: Effect.Effect<A, E, R>) =>
    Effect.suspend(() => {
      const before = process.memoryUsage.rss()
      let peak = before
      const sample = () => {
        peak = Math.max(peak, process.memoryUsage.rss())
      }
      const timer = setInterval(sample, 1)
      return Effect.map(
        Effect.ensuring(
          self,
          Effect.sync(() => clearInterval(timer))
        ),
        (value) => {
          sample()
          return [peak - before, value] as const
        }
      )
    })

  // An installation after more spaces than the limit on memory.
  const unpackedSize = 128 * mebibyte
  const unpacked = () =>
    Readable.from(
      (function* () {
        const spaces = Buffer.alloc(mebibyte, " ")
        for (let size = 0; size < unpackedSize; size += mebibyte) yield spaces
        yield Buffer.from(json())
      })()
    )
  const sizeOf = (stream: Readable) =>
    Effect.promise(async () => {
      let size = 0
      for await (const chunk of stream) size += chunk.length
      return size
    })
  const brotliOptions = { params: { [Zlib.constants.BROTLI_PARAM_QUALITY]: 1 } }

  for (const [encoding, pack, unpack] of [
    ["gzip", () => Zlib.createGzip({ level: 1 }), () => Zlib.createGunzip()],
    ["br", () => Zlib.createBrotliCompress(brotliOptions), () => Zlib.createBrotliDecompress()]
  ] as const)
    it.scopedLive(`41 a bomb in ${encoding} is refused at the limit of its decoded size`, () =>
      Effect.gen(function* () {
        const bomb = yield* Effect.promise(() => buffer(unpacked().pipe(pack())))
        expect(bomb.length).toBeLessThan(mebibyte)
        expect(yield* sizeOf(Readable.from([bomb]).pipe(unpack()))).toBeGreaterThan(unpackedSize)
        const server = yield* RawServer.make(
          RawServer.inTurn(answerText(bomb, { "content-encoding": encoding }), ok)
        )
        const update = yield* openNode(server.url)
        const [growth, failure] = yield* growthDuring(failureOf(update(request)))
        expectFailure(failure, { ...incomprehensible, code: "UND_ERR_RES_EXCEEDED_MAX_SIZE" })
        expect(growth).toBeLessThan(32 * mebibyte)
        yield* update(request)
        expect(server.requests).toHaveLength(2)
      })
    )

  const endless = 100 * mebibyte
  for (const [framing, headers, frame] of [
    ["of known length", { "content-length": String(endless) }, (chunk: Buffer) => chunk],
    [
      "in chunks",
      { "transfer-encoding": "chunked" },
      (chunk: Buffer) =>
        Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from("\r\n")])
    ]
  ] as const)
    for (const { credential } of overNode)
      it.scopedLive(`42 a body of 100 MB ${framing} is given up at the limit (${credential.scheme})`, () =>
        Effect.gen(function* () {
          let written = 0
          const flood: RawServer.Handler = (_, socket) => {
            const chunk = frame(Buffer.alloc(64 * 1024, " "))
            const pour = () => {
              while (written < endless && !socket.destroyed) {
                written += chunk.length
                if (!socket.write(chunk)) return
              }
            }
            socket.on("drain", pour)
            socket.write(RawServer.head(200, headers))
            pour()
          }
          const server = yield* RawServer.make(RawServer.inTurn(flood, ok))
          const update = yield* openNode(server.url)
          const [growth, failure] = yield* growthDuring(failureOf(update(request)))
          expectFailure(failure, { ...incomprehensible, code: "UND_ERR_RES_EXCEEDED_MAX_SIZE" })
          yield* server.until(({ sockets }) => sockets.open === 0)
          expect(written).toBeGreaterThan(mebibyte)
          expect(written).toBeLessThan(endless / 4)
          expect(growth).toBeLessThan(32 * mebibyte)
          yield* update(request)
          expect(server.requests.map(({ connection }) => connection)).toEqual([0, 1])
        })
      )

  it.scopedLive(
    "42 a body of the limit in chunks of one byte takes no more memory than in one piece",
    () =>
      Effect.gen(function* () {
        const one = RawServer.respond(200, {}, " ".repeat(mebibyte))
        const head = RawServer.head(200, { "transfer-encoding": "chunked" })
        const many = `${head}${"1\r\n \r\n".repeat(mebibyte)}0\r\n\r\n`
        const server = yield* RawServer.make(({ requestLine }, socket) => {
          socket.write(requestLine.includes("/many") ? many : one)
        })
        const program = yield* Effect.promise(() =>
          compile(new URL("../support/hostileProcess.ts", import.meta.url))
        )
        const { stdout } = yield* Effect.promise(() =>
          promisify(execFile)(process.execPath, [
            // What V8 sets aside for new objects would grow with their number, not with what is kept.
            "--max-semi-space-size=1",
            program,
            `${server.url}/one`,
            `${server.url}/many`
          ])
        )
        const { chunked, whole } = JSON.parse(stdout)
        expect(chunked - whole).toBeLessThan(8)
      }),
    60_000
  )

  fails(
    "42 a body just above the limit is refused",
    answerText(`"${"x".repeat(mebibyte)}"`),
    { ...incomprehensible, code: "UND_ERR_RES_EXCEEDED_MAX_SIZE" },
    { sides: overNode }
  )
  succeeds("42 a body of just the limit is accepted", answerText(json().padEnd(mebibyte)))
})

describe("JSON that is odd", () => {
  succeeds(
    "43 of duplicate keys the last wins",
    answerText(
      json({ status: "INACTIVE", metadata: {} })
        .replace('"metadata":{}', '"metadata":{"key":1,"key":2}')
        .replace(/}$/, ',"status":"ERROR"}')
    ),
    ({ metadata, status }) => expect({ metadata, status }).toEqual({ metadata: { key: 2 }, status: "ERROR" })
  )

  for (const number of ["1e999", "-1e999"])
    fails(
      `44 a number of ${number} is refused`,
      answerText(json({ metadata: { deep: [0, "|"] } }).replace('"|"', number)),
      notAnInstallation("expected a finite number", "metadata", "deep", 1)
    )

  const levels = 200_000
  for (const [title, nested] of [
    ["45 nesting of 200 000 levels", "[".repeat(levels) + "]".repeat(levels)],
    ["45 nesting of 200 000 levels that is never closed", "[".repeat(levels)],
    ["45 nesting of 200 000 levels of objects that is never closed", '{"":'.repeat(levels)]
  ] as const)
    fails(
      `${title} is refused`,
      answerText(json({ metadata: { deep: "|" } }).replace('"|"', nested)),
      notAnInstallation("expected at most 129 levels of nesting")
    )

  const hostile = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":"text"}'

  it.scopedLive("46 keys such as __proto__ are kept as own keys in both directions, and change nothing", () =>
    Effect.gen(function* () {
      const prototypes = () => [Object.prototype, Array.prototype, Function.prototype].map(Reflect.ownKeys)
      const before = prototypes()
      // Gives back the metadata as it came, and says the same about the installation as a whole.
      const server = yield* RawServer.make(({ body }, socket) => {
        const [, metadata = ""] = /"metadata":(.*)}$/.exec(String(body)) ?? []
        const text = json({ metadata: "|" }).replace('"|"', metadata)
        socket.write(RawServer.respond(200, {}, `${text.slice(0, -1)},${hostile.slice(1)}`))
      })
      const update = yield* openNode(server.url)
      const { metadata, ...rest } = yield* update({ status: "ACTIVATED", metadata: JSON.parse(hostile) })
      expect(String(server.requests[0]?.body)).toBe(`{"status":"ACTIVATED","metadata":${hostile}}`)
      expect(Object.keys(metadata)).toEqual(["__proto__", "constructor", "toString"])
      expect(JSON.stringify(metadata)).toBe(hostile)
      expect(Object.getPrototypeOf(metadata)).toBe(Object.prototype)
      expect(Object.getPrototypeOf(rest)).toBe(Object.prototype)
      expect(Object.keys(rest).toSorted()).toEqual(
        Object.keys(installation)
          .filter((key) => key !== "metadata")
          .toSorted()
      )
      expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined()
      expect(prototypes()).toEqual(before)
      yield* update(request)
      expect(server.requests).toHaveLength(2)
    })
  )
})

describe("JSON that is not quite an installation", () => {
  for (const field of Object.keys(installation))
    fails(
      `47 a response without ${field} names it`,
      answer({ metadata: installation.metadata, [field]: undefined }),
      notAnInstallation("is missing", field)
    )
  for (const [title, text, quoted] of [
    ["47 null", "null", { body: "null" }],
    ["47 a string", `"${metadataCanary}"`, {}],
    ["47 an array of installations", `[${json()}]`, {}]
  ] as const)
    fails(`${title} is no installation`, answerText(text), {
      ...notAnInstallation(expect.stringMatching(/^expected /) as never),
      ...quoted
    })
  fails("47 an empty object lacks every field", answerText("{}"), {
    ...incomprehensible,
    status: 200,
    issues: expect.arrayContaining(
      Object.keys(installation).map((field) => ({ path: [field], message: "is missing" }))
    )
  })

  for (const field of ["createdAt", "updatedAt"])
    for (const at of ["yesterday", "2024-01-02", "2024-02-30T03:04:05Z", "2024-01-02T03:04:05"])
      fails(
        `48 a date-time of ${JSON.stringify(at)} in ${field} is refused, by its path`,
        answer({ metadata: installation.metadata, [field]: at }),
        notAnInstallation("expected an RFC 3339 date-time", field),
        { sides: overNode.slice(0, 1) }
      )
  for (const field of ["id", "applicationId"])
    for (const id of ["", "123", `${installation.id}0`, 7])
      fails(
        `48 a uuid of ${JSON.stringify(id)} in ${field} is refused, by its path`,
        answer({ metadata: installation.metadata, [field]: id }),
        notAnInstallation(expect.stringMatching(/^expected /) as never, field),
        { sides: overNode.slice(0, 1) }
      )

  succeeds("49 an error code of null reads as absent", answer({ errorCode: null }), (installation) =>
    expect("errorCode" in installation).toBe(false)
  )
  succeeds(
    "50 fields that the contract does not name are ignored",
    answer({ extra: { deep: [1] }, metadata2: null, "": "" }),
    (installation) =>
      expect(Object.keys(installation).toSorted()).toEqual(Object.keys(RawServer.installation).toSorted())
  )
  succeeds(
    "51 a status and an error code that this version does not know are kept as they are",
    answer({ status: "HIBERNATING", errorCode: "QUOTA_EXCEEDED" }),
    ({ errorCode, status }) => {
      expect({ errorCode, status }).toEqual({ errorCode: "QUOTA_EXCEEDED", status: "HIBERNATING" })
      expectTypeOf<string>().toExtend<Installation["status"]>()
      expectTypeOf<string>().toExtend<NonNullable<Installation["errorCode"]>>()
    }
  )
})
