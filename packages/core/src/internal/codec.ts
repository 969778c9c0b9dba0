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

const toIssues = (error: ParseResult.ParseError) => fromParseIssue(error.issue)

const refuse = (issues: ReadonlyArray<Issue>) => new BadRequest({ issues })

/** The request as JSON text. A request that the contract does not know is refused, never sent in part. */
export const encodeUpdate = (request: unknown): Either.Either<string, BadRequest> => {
  try {
    const encoded = encode(request)
    return Either.isLeft(encoded)
      ? Either.left(refuse(toIssues(encoded.left)))
      : Either.right(JSON.stringify(encoded.right))
  } catch {
    // A getter or a proxy in the caller's metadata threw.
    return Either.left(refuse([{ path: [], message: "could not be read" }]))
  }
}

/** What the API answered, after `JSON.parse`, as an installation. */
export const decodeInstallation = (body: unknown): Either.Either<Installation, ReadonlyArray<Issue>> =>
  Either.mapLeft(decode(body), toIssues)
