import { describe, expect, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { Installation, InstallationErrorCode, InstallationStatus } from "../src/Installation.ts"
import type { Issue } from "../src/InstallationError.ts"
import * as Codec from "../src/internal/contract/codec.ts"
import { updateInstallation } from "../src/internal/contract/operations.ts"
import {
  errorCodes,
  exampleResponse,
  exampleWithout,
  requiredInResponse,
  statuses
} from "./support/contract.ts"

const { decode: decodeInstallation } = Codec.make(updateInstallation)

const decode = (changes: Readonly<Record<string, unknown>> = {}): Installation =>
  Either.getOrThrowWith(decodeInstallation({ ...exampleResponse, ...changes }), (issues) =>
    Error(JSON.stringify(issues))
  )

const issuesOf = (body: unknown): ReadonlyArray<Issue> =>
  Either.getOrThrow(Either.flip(decodeInstallation(body)))

const pathsOf = (body: unknown) => issuesOf(body).map(({ path }) => path)

describe("Installation", () => {
  it("reads the contract's example", () => {
    expect(decode()).toEqual({
      id: "123e4567-e89b-12d3-a456-426614174000",
      applicationId: "123e4567-e89b-12d3-a456-426614174000",
      resource: "urn:pleo:company:123e4567-e89b-12d3-a456-426614174000",
      status: "ACTIVATED",
      errorCode: "NOT_ENTITLED",
      metadata: { key: "value" },
      createdAt: DateTime.unsafeMake("2021-01-01T00:00:00Z"),
      updatedAt: DateTime.unsafeMake("2021-01-01T00:00:00Z")
    })
  })

  it("names the statuses and error codes of the contract, and no others", () => {
    expect(InstallationStatus.literals).toEqual(statuses)
    expect(InstallationErrorCode.literals).toEqual(errorCodes)
  })

  it.prop("gives back what it was given, through JSON text", [Installation], ([installation]) => {
    const text = JSON.stringify(Schema.encodeSync(Installation)(installation))
    const decoded = Either.getOrThrow(decodeInstallation(JSON.parse(text)))
    expect(JSON.stringify(Schema.encodeSync(Installation)(decoded))).toBe(text)
    expect(DateTime.Equivalence(decoded.createdAt, installation.createdAt)).toBe(true)
    expect(decoded.status).toBe(installation.status)
  })

  describe("status and errorCode", () => {
    it.each(["SUSPENDED", "activated", "", "__proto__"])(
      "an unknown status is kept as it is: %j",
      (status) => {
        expect(decode({ status }).status).toBe(status)
      }
    )

    it("an unknown errorCode is kept as it is", () => {
      expect(decode({ errorCode: "QUOTA_EXCEEDED" }).errorCode).toBe("QUOTA_EXCEEDED")
    })

    it("an errorCode that is null reads as absent", () => {
      expect(decode({ errorCode: null })).not.toHaveProperty("errorCode")
    })

    it("an errorCode that is absent stays absent", () => {
      const installation = Either.getOrThrow(decodeInstallation(exampleWithout("errorCode")))
      expect(installation).not.toHaveProperty("errorCode")
    })

    it.each([
      ["status", null],
      ["status", 1],
      ["status", ["ACTIVATED"]],
      ["errorCode", 1],
      ["errorCode", {}]
    ])("a %s that is no string is refused: %j", (field, value) => {
      expect(pathsOf({ ...exampleResponse, [field]: value })).toEqual([[field]])
    })
  })

  describe("fields", () => {
    it("fields that the contract does not name are ignored", () => {
      const installation = decode({ name: "new", tags: [1], nested: { status: "ERROR" } })
      expect(Object.keys(installation).sort()).toEqual(Object.keys(exampleResponse).sort())
    })

    it("a __proto__ field changes nothing", () => {
      const body = JSON.parse(
        `{"__proto__": {"errorCode": "INJECTED", "polluted": true}, ${JSON.stringify(exampleWithout("errorCode")).slice(1)}`
      )
      const installation = Either.getOrThrow(decodeInstallation(body))
      expect(installation.errorCode).toBeUndefined()
      expect(Object.getPrototypeOf(installation)).toBe(Object.prototype)
      expect({}).not.toHaveProperty("polluted")
    })

    it.each(requiredInResponse)("a missing %s is named", (field) => {
      expect(issuesOf(exampleWithout(field))).toEqual([{ path: [field], message: "is missing" }])
    })

    it("all missing fields are named at once", () => {
      expect(pathsOf({}).flat().sort()).toEqual([...requiredInResponse].sort())
    })

    it.each(["id", "applicationId"])("a bad uuid is named: %s", (field) => {
      for (const value of ["", "123", "123e4567-e89b-12d3-a456-42661417400", "not-a-uuid", 1, null]) {
        expect(pathsOf({ ...exampleResponse, [field]: value }), String(value)).toEqual([[field]])
      }
    })

    it("a uuid in capitals is a uuid", () => {
      expect(decode({ id: "123E4567-E89B-12D3-A456-426614174000" }).id).toBe(
        "123E4567-E89B-12D3-A456-426614174000"
      )
    })

    it("a resource of any form is a resource", () => {
      expect(decode({ resource: "urn:pleo:organization:1" }).resource).toBe("urn:pleo:organization:1")
    })

    it.each([null, [], "text", 1, true, [exampleResponse]])(
      "a body that is no object is refused: %j",
      (body) => {
        expect(pathsOf(body)).toEqual([[]])
      }
    )

    it("expectations of a body are described in JSON's terms", () => {
      expect(issuesOf(null)[0]?.message).not.toMatch(/Struct|Encoded|InstallationResponse/)
    })

    it.each([null, [], "text", 1])("metadata that is no object is refused: %j", (metadata) => {
      expect(issuesOf({ ...exampleResponse, metadata })).toEqual([
        { path: ["metadata"], message: "expected a JSON object" }
      ])
    })

    it("issues never hold the value", () => {
      const canary = "canary-5f1c"
      const body = Object.fromEntries(
        Object.keys(exampleResponse).map((name) => [name, name === "metadata" ? canary : [canary]])
      )
      const issues = issuesOf(body)
      expect(issues).toHaveLength(Object.keys(exampleResponse).length)
      expect(JSON.stringify(issues)).not.toContain(canary)
    })
  })

  describe("date-times", () => {
    it.each([
      ["2021-01-01T00:00:00Z", "2021-01-01T00:00:00.000Z"],
      ["2021-01-01T00:00:00.1Z", "2021-01-01T00:00:00.100Z"],
      ["2021-01-01T00:00:00.123456789Z", "2021-01-01T00:00:00.123Z"],
      ["2021-01-01T02:30:00+02:30", "2021-01-01T00:00:00.000Z"],
      ["2020-12-31T19:00:00-05:00", "2021-01-01T00:00:00.000Z"],
      ["2021-01-01T00:00:00-00:00", "2021-01-01T00:00:00.000Z"],
      ["2021-01-01T00:00Z", "2021-01-01T00:00:00.000Z"],
      ["2024-02-29T23:59:59Z", "2024-02-29T23:59:59.000Z"],
      // RFC 3339 section 5.7: a leap second.
      ["2026-12-31T23:59:60Z", "2027-01-01T00:00:00.000Z"],
      ["2026-12-31T23:59:60.5Z", "2027-01-01T00:00:00.500Z"],
      ["2027-01-01T01:59:60+02:00", "2027-01-01T00:00:00.000Z"],
      // RFC 3339 section 5.6: T and Z may be in lower case.
      ["2021-01-01t00:00:00z", "2021-01-01T00:00:00.000Z"]
    ])("%s is %s", (text, utc) => {
      const { createdAt, updatedAt } = decode({ createdAt: text, updatedAt: text })
      expect(DateTime.isUtc(createdAt)).toBe(true)
      expect(DateTime.formatIso(createdAt)).toBe(utc)
      expect(DateTime.formatIso(updatedAt)).toBe(utc)
    })

    it.prop(
      "an offset is taken off",
      [
        FastCheck.integer({ min: -86_400_000 * 20_000, max: 86_400_000 * 20_000 }),
        FastCheck.integer({ min: -23 * 60 - 59, max: 23 * 60 + 59 })
      ],
      ([millis, offset]) => {
        const local = new Date(millis + offset * 60_000).toISOString().replace("Z", "")
        const digits = (value: number) => String(value).padStart(2, "0")
        const minutes = Math.abs(offset)
        const sign = offset < 0 ? "-" : "+"
        const createdAt = `${local}${sign}${digits(Math.floor(minutes / 60))}:${digits(minutes % 60)}`
        expect(decode({ createdAt }).createdAt.epochMillis).toBe(millis)
      }
    )

    it.each([
      "2021-01-01T00:00:00",
      "2021-01-01",
      "2021-01-01 00:00:00Z",
      "2021-01-01T00:00:00+0200",
      "2021-01-01T00:00:00+02",
      "2021-01-01T00:00:00.Z",
      "2021-13-01T00:00:00Z",
      "2021-01-32T00:00:00Z",
      "2021-02-30T00:00:00Z",
      "2021-02-29T00:00:00Z",
      "2021-01-01T25:00:00Z",
      "2021-01-01T00:60:00Z",
      "2021-01-01T00:00:00+24:00",
      "1609459200000",
      "Fri, 01 Jan 2021 00:00:00 GMT",
      "yesterday",
      "",
      1609459200000,
      null,
      {}
    ])("%j is no date-time, and its field is named", (value) => {
      for (const field of ["createdAt", "updatedAt"]) {
        expect(pathsOf({ ...exampleResponse, [field]: value })).toEqual([[field]])
      }
    })
  })
})
