/**
 * An installation of an app in a Pleo company, as the App Marketplace API returns it.
 *
 * @since 0.1.0
 * @module
 */
import * as DateTime from "effect/DateTime"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { Metadata } from "./Metadata.ts"

/**
 * The status of an installation.
 *
 * - `ACTIVATED`: it works.
 * - `INACTIVE`: it is not in use.
 * - `AUTHORIZED`: the user has authorized the app, but cannot use it yet.
 * - `PENDING_INTEGRATION`: it is synchronizing (tags, tax codes, vendors) or doing other background work.
 * - `ERROR`: it does not work; the error code says why.
 *
 * @example
 * ```ts
 * const isStatus = Schema.is(Installation.InstallationStatus)
 * isStatus("PENDING_INTEGRATION") // true
 * ```
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

export type InstallationStatus = typeof InstallationStatus.Type

/**
 * Why an installation does not work: `NOT_ENTITLED`, it may not use the app; `AUTH_ERROR`, authentication failed
 * during installation.
 *
 * @example
 * ```ts
 * const isErrorCode = Schema.is(Installation.InstallationErrorCode)
 * isErrorCode("AUTH_ERROR") // true
 * ```
 * @since 0.1.0
 * @category schemas
 */
export const InstallationErrorCode = Schema.Literal("NOT_ENTITLED", "AUTH_ERROR").annotations({
  identifier: "InstallationErrorCode"
})

export type InstallationErrorCode = typeof InstallationErrorCode.Type

// The contract types both as plain strings in a response, so that values may be added.
const OpenStatus: Schema.Schema<InstallationStatus | (string & {}), string> = Schema.String
const OpenErrorCode: Schema.Schema<InstallationErrorCode | (string & {}), string> = Schema.String

// RFC 3339 section 5.6, with optional seconds, which Java's OffsetDateTime may omit. The offset is required: without one,
// JavaScript would use the machine's time zone.
const rfc3339 = /^(\d{4})-(\d{2})-(\d{2})T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/i

/** Milliseconds since the epoch, or `NaN`. */
const parseTimestamp = (text: string): number => {
  const match = rfc3339.exec(text)
  if (match === null) return Number.NaN
  const [, year, month, day] = match
  // JavaScript reads February 30 as a day in March.
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
 * An installation, decoded from the contract's `InstallationResponse`. Unknown fields are ignored; unknown values of
 * `status` and `errorCode` are kept.
 *
 * @example
 * ```ts
 * const describe = ({ resource, status }: Installation.Installation) => `${resource} is ${status}`
 * ```
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

export interface Installation extends Schema.Schema.Type<typeof Installation> {}

/**
 * The body of `PUT /v1/installations/me`: a plain object. The contract does not say whether Pleo keeps or clears fields
 * that are left out.
 *
 * @example
 * ```ts
 * const request: Installation.UpdateInstallation = { status: "ERROR", errorCode: "AUTH_ERROR" }
 * ```
 * @since 0.1.0
 * @category schemas
 */
export const UpdateInstallation = Schema.Struct({
  status: InstallationStatus,
  errorCode: Schema.optional(InstallationErrorCode),
  metadata: Schema.optional(Metadata)
}).annotations({ identifier: "UpdateInstallationRequest" })

export interface UpdateInstallation extends Schema.Schema.Type<typeof UpdateInstallation> {}

/**
 * The body of `POST /v1/installations/me`; every field may be left out.
 *
 * @example
 * ```ts
 * const request: Installation.CreateInstallation = { status: "PENDING_INTEGRATION" }
 * ```
 * @since 0.1.0
 * @category schemas
 */
export const CreateInstallation = Schema.Struct({
  status: Schema.optional(InstallationStatus),
  metadata: Schema.optional(Metadata)
}).annotations({ identifier: "CreateInstallationRequest" })

export interface CreateInstallation extends Schema.Schema.Type<typeof CreateInstallation> {}

/**
 * A value or a field in a response that this version does not know or cannot represent. It never fails an update.
 *
 * @since 0.1.0
 * @category models
 */
export interface SchemaDrift {
  /**
   * An unknown value of `status` or `errorCode`, an unknown field, or a number in `metadata` beyond 2^53, whose last digits
   * JavaScript may have rounded.
   */
  readonly kind: "status" | "errorCode" | "field" | "number"
  /** The value, or the path of the field or the number: at most 128 characters, without the secrets of the request. */
  readonly name: string
}
