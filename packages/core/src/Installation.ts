/**
 * An installation of an app in a Pleo company, as the App Marketplace API shows it.
 *
 * @since 0.1.0
 * @module
 */
import * as DateTime from "effect/DateTime"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { Metadata } from "./Metadata.ts"

/**
 * The status an installation can be given.
 *
 * - `ACTIVATED`: it works.
 * - `INACTIVE`: it is not in use at present.
 * - `AUTHORIZED`: the user has let the app in, but it cannot be used yet.
 * - `PENDING_INTEGRATION`: the integration synchronises (tags, tax codes, vendors) or does other background work.
 * - `ERROR`: it does not work; the error code says why.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Installation } from "@effect-pleo/core"
 * import * as Schema from "effect/Schema"
 *
 * // Of an argument of a command, say.
 * const isStatus = Schema.is(Installation.InstallationStatus)
 * assert.ok(isStatus("PENDING_INTEGRATION"))
 * assert.ok(!isStatus("pending"))
 * assert.ok(Installation.InstallationStatus.literals.every(isStatus))
 * ```
 *
 * @since 0.1.0
 * @category schemas
 */
export const InstallationStatus = Schema.Literal(
  "ACTIVATED",
  "INACTIVE",
  "AUTHORIZED",
  "PENDING_INTEGRATION",
  "ERROR"
).annotations({
  identifier: "InstallationStatus"
})

/**
 * @since 0.1.0
 * @category models
 */
export type InstallationStatus = typeof InstallationStatus.Type

/**
 * Why an installation does not work.
 *
 * - `NOT_ENTITLED`: this installation may not use the app.
 * - `AUTH_ERROR`: authentication failed while it was being installed.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { type Installation, UpdateInstallation } from "@effect-pleo/core"
 *
 * const errorCodeOf = (status: 401 | 403): Installation.InstallationErrorCode =>
 *   status === 401 ? "AUTH_ERROR" : "NOT_ENTITLED"
 *
 * // What the other system, which the app connects Pleo with, answered.
 * assert.deepEqual(UpdateInstallation.error(errorCodeOf(403)), {
 *   status: "ERROR",
 *   errorCode: "NOT_ENTITLED"
 * })
 * ```
 *
 * @since 0.1.0
 * @category schemas
 */
export const InstallationErrorCode = Schema.Literal("NOT_ENTITLED", "AUTH_ERROR").annotations({
  identifier: "InstallationErrorCode"
})

/**
 * @since 0.1.0
 * @category models
 */
export type InstallationErrorCode = typeof InstallationErrorCode.Type

// The contract types both as plain strings in a response: a value added there later is no error here.
const OpenStatus: Schema.Schema<InstallationStatus | (string & {}), string> = Schema.String
const OpenErrorCode: Schema.Schema<InstallationErrorCode | (string & {}), string> = Schema.String

// RFC 3339 section 5.6, but seconds may be left out, as Java's OffsetDateTime does. An offset may not:
// without one, JavaScript would read the time in the zone of the machine.
const rfc3339 = /^(\d{4})-(\d{2})-(\d{2})T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/i

/** Milliseconds since the epoch, or `NaN`. */
const parseTimestamp = (text: string): number => {
  const match = rfc3339.exec(text)
  if (match === null) return Number.NaN
  const [, year, month, day] = match
  // JavaScript takes the 30th of February for a day in March.
  const isDay =
    Number(day) <= 28 || Number(day) <= new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate()
  if (!isDay) return Number.NaN
  // A leap second (RFC 3339 section 5.7) is the next one to JavaScript, which knows none.
  const isLeap = text.slice(16, 19) === ":60"
  return Date.parse((isLeap ? text.replace(":60", ":59") : text).toUpperCase()) + (isLeap ? 1000 : 0)
}

const Timestamp = Schema.transformOrFail(
  Schema.String.annotations({ jsonSchema: { type: "string", format: "date-time" } }),
  Schema.DateTimeUtcFromSelf.annotations({
    arbitrary: () => (fc) =>
      fc
        .date({ min: new Date("0001-01-01"), max: new Date("9999-12-31"), noInvalidDate: true })
        .map((date) => DateTime.unsafeFromDate(date))
  }),
  {
    strict: true,
    decode: (text, _, ast) => {
      const millis = parseTimestamp(text)
      return Number.isNaN(millis)
        ? ParseResult.fail(new ParseResult.Type(ast, text))
        : ParseResult.succeed(DateTime.unsafeFromDate(new Date(millis)))
    },
    encode: (at) => ParseResult.succeed(DateTime.formatIso(at))
  }
).annotations({ title: "an RFC 3339 date-time" })

/**
 * An installation, decoded from the contract's `InstallationResponse`. Fields the contract does not name
 * are ignored. `status` and `errorCode` are open: a value this version does not know is kept as it is.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Installation } from "@effect-pleo/core"
 * import * as DateTime from "effect/DateTime"
 * import * as Schema from "effect/Schema"
 *
 * const installation = Schema.decodeUnknownSync(Installation.Installation)({
 *   id: "7c2b7a4e-3f0f-4f0e-9d57-6f1f4b1a1c11",
 *   applicationId: "0b9d8a52-52a5-4a68-8f0a-5f1d9a1c2e22",
 *   resource: "urn:pleo:company:123e4567-e89b-12d3-a456-426614174000",
 *   status: "ACTIVATED",
 *   metadata: { externalApplicationId: "123456789" },
 *   createdAt: "2026-01-01T12:00:00+01:00",
 *   updatedAt: "2026-01-02T12:00:00Z"
 * })
 * assert.equal(DateTime.formatIso(installation.createdAt), "2026-01-01T11:00:00.000Z")
 * ```
 *
 * @since 0.1.0
 * @category schemas
 */
export const Installation = Schema.Struct({
  id: Schema.UUID,
  applicationId: Schema.UUID,
  /** A URN, such as `urn:pleo:company:123e4567-e89b-12d3-a456-426614174000`. */
  resource: Schema.String,
  status: OpenStatus,
  errorCode: Schema.optionalWith(OpenErrorCode, { exact: true }),
  metadata: Metadata,
  createdAt: Timestamp,
  updatedAt: Timestamp
}).annotations({ identifier: "InstallationResponse" })

/**
 * @since 0.1.0
 * @category models
 */
export interface Installation extends Schema.Schema.Type<typeof Installation> {}
