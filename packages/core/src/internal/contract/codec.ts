import * as Either from "effect/Either"
import type * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { BadRequest, type Issue } from "../../InstallationError.ts"
import { fromParseIssue } from "./issues.ts"
import type { OperationOf } from "./operations.ts"

/** Encodes requests, and decodes responses. */
export interface Codec<A> {
  /** The body or the query as JSON, if any. Rejects fields that the contract does not know. */
  readonly encode: (request: unknown) => Either.Either<string | undefined, BadRequest>
  /** `body` is parsed JSON. */
  readonly decode: (body: unknown) => Either.Either<A, ReadonlyArray<Issue>>
  /** Whether the response has a body. */
  readonly hasResponse: boolean
}

const maxMetadataBytes = 256 * 1024

const isTooLarge = (metadata: unknown, body: string): boolean =>
  // A UTF-16 code unit takes at most three bytes of UTF-8: a short body needs no counting.
  body.length * 3 > maxMetadataBytes &&
  new TextEncoder().encode(JSON.stringify(metadata)).byteLength > maxMetadataBytes

const toIssues = (error: ParseResult.ParseError) => fromParseIssue(error.issue)

const refuse = (issues: ReadonlyArray<Issue>) => new BadRequest({ issues })

/** Drops an errorCode of `null`, with which many servers say that there is none. */
const withoutNullErrorCode = (body: unknown): unknown => {
  if (typeof body !== "object" || body === null || !("errorCode" in body) || body.errorCode !== null)
    return body
  const { errorCode: _, ...others } = body
  return others
}

type Encode = (value: unknown) => Either.Either<{ readonly metadata?: unknown }, ParseResult.ParseError>

const encodeBody = (encode: Encode, value: unknown): Either.Either<string, BadRequest> => {
  try {
    const encoded = encode(value)
    if (Either.isLeft(encoded)) return Either.left(refuse(toIssues(encoded.left)))
    // A library may have added it to Object.prototype.
    if ("toJSON" in encoded.right)
      return Either.left(refuse([{ path: [], message: "expected a value without toJSON" }]))
    const body = JSON.stringify(encoded.right)
    return isTooLarge(encoded.right.metadata, body)
      ? Either.left(refuse([{ path: ["metadata"], message: "expected at most 256 KiB of JSON" }]))
      : Either.right(body)
  } catch {
    // A getter or a proxy in the caller's metadata threw.
    return Either.left(refuse([{ path: [], message: "could not be read" }]))
  }
}

const noBody = Either.right(undefined)

/** The codec of an operation. Creating it costs far more than running it. */
export const make = <A>({ query, request = query, response }: OperationOf<A>): Codec<A> => {
  const encode =
    request && (Schema.encodeUnknownEither(request, { errors: "all", onExcessProperty: "error" }) as Encode)
  const decode = Schema.decodeUnknownEither(response ?? (Schema.Unknown as never), { errors: "all" })
  return {
    encode: (value) => (encode === undefined ? noBody : encodeBody(encode, value)),
    decode: (body) => Either.mapLeft(decode(withoutNullErrorCode(body)), toIssues),
    hasResponse: response !== undefined
  }
}
