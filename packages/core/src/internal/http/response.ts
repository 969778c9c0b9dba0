// The one place where a response becomes a value or a domain error.
import * as Either from "effect/Either"
import type { InstallationError, Issue } from "../../InstallationError.ts"
import type * as Transport from "../../Transport.ts"
import type { Codec } from "../contract/codec.ts"
import { fromInvalidBody, fromStatus, header } from "./failure.ts"
import * as Json from "./json.ts"

const strictUtf8 = new TextDecoder("utf-8", { fatal: true })

// Enough bytes for an excerpt, even after redacting credentials.
const quotable = (body: Uint8Array): string => new TextDecoder().decode(body.subarray(0, 16 * 1024))

type MakeRedact = () => (text: string) => string

const decodeUtf8 = (
  { body, headers }: Transport.Response,
  makeRedact: MakeRedact
): Either.Either<string, string> => {
  if (body.length === 0) return Either.left("expected a body")
  try {
    return Either.right(strictUtf8.decode(body))
  } catch {
    const coding = header(headers, "content-encoding")
    const but = coding === undefined ? "" : `, not the content coding ${makeRedact()(coding).slice(0, 64)}`
    return Either.left(`expected UTF-8${but}`)
  }
}

const parseBody = (
  response: Transport.Response,
  makeRedact: MakeRedact
): Either.Either<unknown, ReadonlyArray<Issue>> =>
  Either.mapLeft(Either.flatMap(decodeUtf8(response, makeRedact), Json.parse), (message) => [
    { path: [], message }
  ])

export const isSuccess = ({ status }: { readonly status: number }): boolean => status >= 200 && status < 300

/** `now` is in milliseconds since the epoch. `onDecoded` gets a value, and the body that it was decoded from. */
export const interpret = <A>(
  response: Transport.Response,
  { decode, hasResponse }: Codec<A>,
  now: number,
  makeRedact: MakeRedact,
  onDecoded: (value: A, body: unknown) => void
): Either.Either<A, InstallationError> => {
  if (!isSuccess(response))
    return Either.left(fromStatus(response, quotable(response.body), now, makeRedact()))
  if (!hasResponse) return Either.right(undefined as A)
  const body = parseBody(response, makeRedact)
  const decoded = Either.flatMap(body, decode)
  if (Either.isLeft(decoded))
    return Either.left(fromInvalidBody(response, quotable(response.body), decoded.left, makeRedact()))
  onDecoded(decoded.right, Either.getOrThrow(body))
  return Either.right(decoded.right)
}
