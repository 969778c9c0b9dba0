import * as Either from "effect/Either"
import type * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { Installation } from "../Installation.ts"
import { BadRequest, type Issue } from "../InstallationError.ts"
import { UpdateInstallation } from "../UpdateInstallation.ts"
import { fromParseIssue } from "./issues.ts"

// Compiled once: building a decoder costs far more than running it.
const encode = Schema.encodeUnknownEither(UpdateInstallation, { errors: "all", onExcessProperty: "error" })
const decode = Schema.decodeUnknownEither(Installation, { errors: "all" })

const maxMetadataBytes = 256 * 1024

const isTooLarge = (metadata: unknown, body: string): boolean =>
  // A UTF-16 code unit takes at most three bytes of UTF-8: a short body needs no counting.
  body.length * 3 > maxMetadataBytes &&
  new TextEncoder().encode(JSON.stringify(metadata)).byteLength > maxMetadataBytes

const toIssues = (error: ParseResult.ParseError) => fromParseIssue(error.issue)

const refuse = (issues: ReadonlyArray<Issue>) => new BadRequest({ issues })

/** The request as JSON text. A request that the contract does not know is refused, never sent in part. */
export const encodeUpdate = (request: unknown): Either.Either<string, BadRequest> => {
  try {
    const encoded = encode(request)
    if (Either.isLeft(encoded)) return Either.left(refuse(toIssues(encoded.left)))
    const body = JSON.stringify(encoded.right)
    return isTooLarge(encoded.right.metadata, body)
      ? Either.left(refuse([{ path: ["metadata"], message: "expected at most 256 KiB of JSON" }]))
      : Either.right(body)
  } catch {
    // A getter or a proxy in the caller's metadata threw.
    return Either.left(refuse([{ path: [], message: "could not be read" }]))
  }
}

/** Without an errorCode that is `null`: so many a server says that there is none. */
const withoutNullErrorCode = (body: unknown): unknown => {
  if (typeof body !== "object" || body === null || !("errorCode" in body) || body.errorCode !== null)
    return body
  const { errorCode: _, ...others } = body
  return others
}

/** What the API answered, after `JSON.parse`, as an installation. */
export const decodeInstallation = (body: unknown): Either.Either<Installation, ReadonlyArray<Issue>> =>
  Either.mapLeft(decode(withoutNullErrorCode(body)), toIssues)
