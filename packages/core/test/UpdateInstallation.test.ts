import * as HttpClient from "@effect/platform/HttpClient"
import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Data from "effect/Data"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Installation from "../src/Installation.ts"
import * as InstallationClient from "../src/InstallationClient.ts"
import type { BadRequest } from "../src/InstallationError.ts"
import { update } from "../src/InstallationService.ts"
import * as Codec from "../src/internal/contract/codec.ts"
import { updateInstallation } from "../src/internal/contract/operations.ts"
import { errorCodes, exampleRequest, statuses } from "./support/contract.ts"
import { answering, bearer, bodyOf, installation, send } from "./support/http.ts"
import { cyclic, hostileKeys, jsonObject, nested, notJson } from "./support/json.ts"
import { leaks } from "./support/probes.ts"

// The limit of Metadata.
const maxDepth = 128

const { encode: encodeUpdate } = Codec.make(updateInstallation)

const textOf = (request: unknown): string => Either.getOrThrow(encodeUpdate(request)) ?? ""

const sent = (request: unknown): unknown => JSON.parse(textOf(request))

const refusal = (request: unknown): BadRequest => Either.getOrThrow(Either.flip(encodeUpdate(request)))

const pathsOf = (request: unknown) => refusal(request).issues?.map(({ path }) => path)

const utf8Length = (text: string) => new TextEncoder().encode(text).length

const withMetadata = (metadata: unknown) => ({ status: "ACTIVATED", metadata })

interface Line {
  readonly account: string
  readonly rate: number | null
}

interface Mapping {
  readonly lines: ReadonlyArray<Line>
  readonly first: Line
  readonly note?: string
}

const line: Line = { account: "4000", rate: null }

const mapping: Mapping = { lines: [line], first: line }

describe("the type of metadata", () => {
  it.effect("may be an interface", () =>
    Effect.gen(function* () {
      const { client, requests } = answering(() => installation())
      yield* update({ status: "ACTIVATED", metadata: mapping }).pipe(
        Effect.provide(InstallationClient.layer({ credentials: bearer("token") })),
        Effect.provideService(HttpClient.HttpClient, client)
      )
      expect(JSON.parse(bodyOf(requests[0]))).toEqual({ status: "ACTIVATED", metadata: mapping })
    })
  )

  it("has only what JSON has", () => {
    // @ts-expect-error
    update({ status: "ACTIVATED", metadata: { at: new Date(0) } })
    // @ts-expect-error
    update({ status: "ACTIVATED", metadata: { note: undefined } })
    // @ts-expect-error
    update({ status: "ACTIVATED", metadata: { lines: [{ run: () => line }] } })
    // @ts-expect-error
    update({ status: "ACTIVATED", metadata: { amount: 1n } })
    // @ts-expect-error
    update({ status: "ACTIVATED", metadata: { lines: new Map([["4000", line]]) } })
    // @ts-expect-error
    update({ status: "ACTIVATED", metadata: [line] })
    // @ts-expect-error
    update({ status: "ACTIVATED", metadata: "text" })
    // @ts-expect-error
    update({ status: "ACTIVATED", metadata: null })
    // @ts-expect-error
    update({ status: "ACTIVATED", metadata: { first: line, at: new Date(0) } })
    // @ts-expect-error
    update({ status: "ACTIVATED", metadata: {}, other: 1 })
  })
})

describe("UpdateInstallation", () => {
  it("has an error with a code or without one, as the contract", () => {
    expect(sent({ status: "ERROR" })).toEqual({ status: "ERROR" })
    expect({ status: "ERROR" }).not.toHaveProperty("errorCode")
    expect(sent({ status: "ERROR", metadata: { why: "x" } })).toEqual({
      status: "ERROR",
      metadata: { why: "x" }
    })
    expect(sent({ status: "ERROR", errorCode: "AUTH_ERROR" })).toEqual({
      status: "ERROR",
      errorCode: "AUTH_ERROR"
    })
  })

  it("sends the contract's example: ACTIVATED together with an errorCode", () => {
    expect(exampleRequest).toEqual({
      status: "ACTIVATED",
      errorCode: "NOT_ENTITLED",
      metadata: { externalApplicationId: "123456789" }
    })
    expect(sent(exampleRequest)).toEqual(exampleRequest)
  })

  it.prop("sends exactly what the request says", [Installation.UpdateInstallation], ([request]) => {
    expect(textOf(request)).toBe(JSON.stringify(request))
  })

  it.prop("its JSON text decodes to the same request", [Installation.UpdateInstallation], ([request]) => {
    const decoded = Schema.decodeUnknownSync(Installation.UpdateInstallation)(sent(request))
    expect(textOf(decoded)).toBe(textOf(request))
  })

  describe("status and errorCode", () => {
    it.each(statuses)("%s can be sent with each errorCode and with none", (status) => {
      expect(sent({ status })).toEqual({ status })
      for (const errorCode of errorCodes) expect(sent({ status, errorCode })).toEqual({ status, errorCode })
    })

    it("the contract's five statuses and two error codes were meant", () => {
      expect(statuses).toHaveLength(5)
      expect(errorCodes).toHaveLength(2)
    })

    it.each([
      "SUSPENDED",
      "activated",
      " ACTIVATED",
      "",
      "__proto__",
      "NOT_ENTITLED",
      null,
      0,
      ["ERROR"],
      {}
    ])("a status that the contract does not name is refused: %j", (status) => {
      expect(pathsOf({ status })).toEqual([["status"]])
    })

    it.each(["QUOTA_EXCEEDED", "not_entitled", "", "toString", "ERROR", null, 0, {}])(
      "an errorCode that the contract does not name is refused: %j",
      (errorCode) => {
        expect(pathsOf({ status: "ERROR", errorCode })).toEqual([["errorCode"]])
      }
    )

    it("a refusal names what could be sent instead", () => {
      for (const status of statuses) expect(refusal({ status: "SUSPENDED" }).message).toContain(status)
      for (const code of errorCodes) {
        expect(refusal({ status: "ERROR", errorCode: "QUOTA_EXCEEDED" }).message).toContain(code)
      }
    })
  })

  describe("fields", () => {
    it("undefined fields are not sent", () => {
      expect(textOf({ status: "ACTIVATED", errorCode: undefined, metadata: undefined })).toBe(
        '{"status":"ACTIVATED"}'
      )
    })

    it("a missing status is named", () => {
      expect(refusal({}).issues).toEqual([{ path: ["status"], message: "is missing" }])
      expect(pathsOf({ metadata: {} })).toEqual([["status"]])
    })

    it.each(["id", "Status", "companyId", "__proto__"])(
      "a field beyond the contract is refused: %s",
      (field) => {
        const request = Object.fromEntries([
          ["status", "ACTIVATED"],
          [field, "x"]
        ])
        expect(refusal(request).issues).toEqual([{ path: [field], message: "is not part of the contract" }])
      }
    )

    it("a symbol among the fields is refused", () => {
      expect(pathsOf({ status: "ACTIVATED", [Symbol("secret")]: 1 })).toEqual([["Symbol(secret)"]])
    })

    it.each([null, undefined, [], "ACTIVATED", 1])(
      "a request that is no object is refused: %j",
      (request) => {
        expect(pathsOf(request)).toEqual([[]])
      }
    )

    it("everything wrong is named at once", () => {
      expect(pathsOf({ status: "SUSPENDED", errorCode: 1, extra: true })?.flat().sort()).toEqual([
        "errorCode",
        "extra",
        "status"
      ])
    })

    it("a refusal was never sent: no status, not retryable, not applied", () => {
      const error = refusal({})
      expect(error.status).toBeUndefined()
      expect(error.isRetryable).toBe(false)
      expect(error.mayHaveBeenApplied).toBe(false)
    })
  })

  describe("metadata", () => {
    it.prop("any JSON object is sent as it is", [jsonObject], ([metadata]) => {
      expect(textOf(withMetadata(metadata))).toBe(
        `{"status":"ACTIVATED","metadata":${JSON.stringify(metadata)}}`
      )
    })

    it("empty metadata are sent, not left out", () => {
      expect(textOf(withMetadata({}))).toBe('{"status":"ACTIVATED","metadata":{}}')
    })

    it("keys such as __proto__ and constructor go out as own keys, and no prototype changes", () => {
      const before = Reflect.ownKeys(Object.prototype)
      expect(textOf(withMetadata(JSON.parse(hostileKeys)))).toBe(
        `{"status":"ACTIVATED","metadata":${hostileKeys}}`
      )
      expect(Reflect.ownKeys(Object.prototype)).toEqual(before)
    })

    it("a lone surrogate goes out as valid UTF-8", () => {
      const text = textOf(withMetadata({ key: "a\ud800b", "\udfff": 1 }))
      const bytes = new TextEncoder().encode(text)
      expect(new TextDecoder("utf-8", { fatal: true }).decode(bytes)).toBe(text)
      expect(JSON.parse(text).metadata).toEqual({ key: "a\ud800b", "\udfff": 1 })
    })

    it.each([null, [], "text", 1])("metadata that are no object are refused: %j", (metadata) => {
      expect(pathsOf(withMetadata(metadata))).toEqual([["metadata"]])
    })

    it.each(notJson)("%s inside is refused and its path named", (_, value) => {
      expect(pathsOf(withMetadata({ list: [0, { value }] }))).toEqual([["metadata", "list", 1, "value"]])
    })

    it("a hole in an array is refused and its index named", () => {
      const sparse: Array<number> = [1]
      sparse[2] = 3
      expect(pathsOf(withMetadata({ list: sparse }))).toEqual([["metadata", "list", 1]])
    })

    it.each(cyclic)("%s that encloses itself is refused where the circle closes", (_, metadata, path) => {
      expect(pathsOf(withMetadata(metadata))).toEqual([["metadata", ...path]])
    })

    it.each([maxDepth + 1, 200_000])("%i levels are refused, with the path", (levels) => {
      expect(pathsOf(withMetadata(nested(levels)))?.map((path) => path.length)).toEqual([maxDepth + 1])
    })

    const hidden = (value: object) => Object.defineProperty(value, "toJSON", { value: () => "other" })

    class Amounts extends Array<number> {
      toJSON() {
        return "other"
      }
    }

    it.each<readonly [string, unknown]>([
      ["an array with toJSON", Object.assign([1], { toJSON: () => "other" })],
      ["an array with a hidden toJSON", hidden([1])],
      ["an array of a class with toJSON", Amounts.of(1)],
      ["an object with a hidden toJSON", hidden({ a: 1 })],
      ["an object of a prototype with toJSON", Object.create({ toJSON: () => "other" })],
      ["a Redacted", Redacted.make("canary")],
      ["an Option", Option.some(1)],
      ["a Duration", Duration.seconds(1)],
      ["a DateTime", DateTime.unsafeMake(0)],
      ["a Chunk", Chunk.of(1)],
      ["a Data.struct", Data.struct({ a: 1 })],
      ["a boxed number", Object(1)],
      ["an invalid Date", new Date(Number.NaN)]
    ])("%s is refused, and its path named", (_, value) => {
      expect(pathsOf(withMetadata({ list: [0, { value }] }))).toEqual([["metadata", "list", 1, "value"]])
    })

    it.each([Object.prototype, Array.prototype])(
      "nothing is sent through a toJSON that a library has added to %o",
      (prototype) => {
        Object.defineProperty(prototype, "toJSON", { configurable: true, value: () => "other" })
        try {
          const bare = Object.assign(Object.create(null), { a: 1 })
          expect(Either.isLeft(encodeUpdate(withMetadata({ list: [1] })))).toBe(true)
          expect(Either.isLeft(encodeUpdate(withMetadata(bare)))).toBe(prototype === Object.prototype)
          expect(Either.isLeft(encodeUpdate({ status: "ACTIVATED" }))).toBe(prototype === Object.prototype)
        } finally {
          Reflect.deleteProperty(prototype, "toJSON")
        }
      }
    )

    it("a property that JSON.stringify leaves out is not sent either", () => {
      const metadata = Object.defineProperty({ shown: 1 }, "hidden", { value: 2 })
      expect(sent(withMetadata(metadata))).toEqual(withMetadata({ shown: 1 }))
    })

    it.each([
      // biome-ignore lint/correctness/noPrecisionLoss: this is about such numbers
      653247040368672768,
      Number.MAX_SAFE_INTEGER + 1,
      Number.MIN_SAFE_INTEGER - 1,
      1e300
    ])("%d, which JavaScript may have rounded, is refused, and its path named", (id) => {
      expect(refusal(withMetadata({ order: { id } })).issues).toEqual([
        {
          path: ["metadata", "order", "id"],
          message: "expected a number up to 2^53 - 1: send a larger one as a string"
        }
      ])
    })

    it("the largest safe integers and fractions are sent exactly", () => {
      const metadata = { max: Number.MAX_SAFE_INTEGER, min: Number.MIN_SAFE_INTEGER, small: 1e-7 }
      expect(sent(withMetadata(metadata))).toEqual(withMetadata(metadata))
    })

    it("the refusal says what was expected there", () => {
      expect(refusal(withMetadata({ rate: Number.NaN })).issues).toEqual([
        { path: ["metadata", "rate"], message: "expected a finite number" }
      ])
    })

    it("a refusal never holds the value", () => {
      const canary = "canary-5f1c"
      const error = refusal(withMetadata({ token: canary, wrong: [canary, () => canary] }))
      expect(error.issues).toHaveLength(1)
      expect(JSON.stringify(error)).not.toContain(canary)
    })

    const maxBytes = 256 * 1024

    /** Metadata that take that many bytes as JSON, most of them for one character again and again. */
    const ofSize = (bytes: number, character = "x"): Readonly<Record<string, string>> => {
      const each = utf8Length(character)
      const left = bytes - utf8Length(JSON.stringify({ key: "" }))
      return { key: character.repeat(Math.floor(left / each)) + "x".repeat(left % each) }
    }

    it.each(["x", "é", "€", "🧾"])("256 KiB of them are sent, and not a byte more: %s", (character) => {
      const fitting = ofSize(maxBytes, character)
      expect(utf8Length(JSON.stringify(fitting))).toBe(maxBytes)
      expect(sent(withMetadata(fitting))).toEqual(withMetadata(fitting))

      const tooLarge = ofSize(maxBytes + 1, character)
      expect(utf8Length(JSON.stringify(tooLarge))).toBe(maxBytes + 1)
      expect(refusal(withMetadata(tooLarge)).issues).toEqual([
        { path: ["metadata"], message: "expected at most 256 KiB of JSON" }
      ])
    })

    it("their size is that of their JSON: what has to be escaped takes six bytes", () => {
      const zeros = (count: number) => withMetadata({ key: "\0".repeat(count) })
      const fitting = Math.floor((maxBytes - '{"key":""}'.length) / 6)
      expect(textOf(zeros(fitting)).length).toBeGreaterThan(maxBytes)
      expect(pathsOf(zeros(fitting + 1))).toEqual([["metadata"]])
    })

    it("their keys count too", () => {
      const key = "k".repeat(maxBytes - '{"":0}'.length)
      expect(sent(withMetadata({ [key]: 0 }))).toEqual(withMetadata({ [key]: 0 }))
      expect(pathsOf(withMetadata({ [`${key}k`]: 0 }))).toEqual([["metadata"]])
    })

    it.effect("that are too large are never sent", () =>
      Effect.gen(function* () {
        const { client, requests } = answering(() => installation())
        const error = yield* Effect.flip(
          send(client, { request: { status: "ACTIVATED", metadata: ofSize(maxBytes + 1) } })
        )
        expect(error.toJSON()).toMatchObject({ _tag: "BadRequest", mayHaveBeenApplied: false })
        expect(error.status).toBeUndefined()
        expect(requests).toEqual([])
        yield* send(client, { request: { status: "ACTIVATED", metadata: ofSize(maxBytes) } })
        expect(requests).toHaveLength(1)
      })
    )

    const throwing = () => {
      throw new Error("canary-5f1c")
    }
    const revoked = () => {
      const { proxy, revoke } = Proxy.revocable({}, {})
      revoke()
      return proxy
    }
    const endless: Record<string, unknown> = {
      get deeper(): unknown {
        return this["deeper"]
      }
    }

    it.effect.each<{ readonly name: string; readonly hostile: object }>([
      {
        name: "a getter that throws",
        hostile: Object.defineProperty({}, "x", { enumerable: true, get: throwing })
      },
      { name: "a getter that calls itself", hostile: endless },
      { name: "a proxy whose keys throw", hostile: new Proxy({}, { ownKeys: throwing }) },
      { name: "a proxy whose values throw", hostile: new Proxy({ x: 1 }, { get: throwing }) },
      { name: "a proxy whose prototype throws", hostile: new Proxy({}, { getPrototypeOf: throwing }) },
      { name: "a revoked proxy", hostile: revoked() }
    ])("$name among them is a BadRequest, not a defect, and never sent", ({ hostile }) =>
      Effect.gen(function* () {
        const { client, requests } = answering(() => installation())
        for (const metadata of [hostile, { list: [1, { hostile }] }]) {
          const exit = yield* Effect.exit(send(client, { request: withMetadata(metadata) as never }))
          expect(exit).toMatchObject({ _tag: "Failure", cause: { _tag: "Fail" } })
          const error = refusal(withMetadata(metadata))
          expect(error._tag).toBe("BadRequest")
          expect(error.issues).toEqual([{ path: [], message: "could not be read" }])
          expect(leaks(exit, "canary-5f1c")).toEqual([])
        }
        expect(requests).toEqual([])
      })
    )

    it("a request that cannot be read is refused in the same way", () => {
      const request = { get: throwing }
      expect(pathsOf(new Proxy({}, { ownKeys: throwing }))).toEqual([[]])
      expect(pathsOf(Object.defineProperty({}, "status", { enumerable: true, ...request }))).toEqual([[]])
      expect(pathsOf(revoked())).toEqual([[]])
    })

    it("a value that changes each time it is read is sent as it was validated", () => {
      const values: Array<unknown> = ["text", 1n, 1n, 1n]
      const metadata = {
        get key(): unknown {
          return values.shift()
        }
      }
      expect(sent(withMetadata(metadata))).toEqual(withMetadata({ key: "text" }))
      expect(values).toHaveLength(3)
      let reads = 0
      const list = new Proxy([1, 2], { get: (_, key) => (key === "length" ? 2 : `read ${++reads}`) })
      expect(sent(withMetadata({ list }))).toEqual(withMetadata({ list: ["read 1", "read 2"] }))
    })

    it("a getter that throws is a refusal, not a defect, and its error is not quoted", () => {
      const metadata = {
        get secret(): string {
          throw new Error("canary-5f1c")
        }
      }
      expect(pathsOf(withMetadata(metadata))).toEqual([[]])
      expect(JSON.stringify(refusal(withMetadata(metadata)))).not.toContain("canary-5f1c")
    })
  })
})
