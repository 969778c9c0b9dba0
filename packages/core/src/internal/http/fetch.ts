import * as Either from "effect/Either"
import type * as Transport from "../../Transport.ts"
import { fromCause } from "./failure.ts"
import { isSuccess } from "./response.ts"

/** The bytes kept of a response that is not 2xx. */
const maxErrorBodySize = 64 * 1024

/** The headers that this library reads. */
const headerNames = [
  "content-encoding",
  "content-length",
  "transfer-encoding",
  "date",
  "retry-after",
  "x-request-id"
]

// undici's code for a response that is too large.
const tooLarge = { code: "UND_ERR_RES_EXCEEDED_MAX_SIZE" }

/** The bytes of a body up to a limit, and whether there are more. */
const readUpTo = async (
  body: ReadableStream<Uint8Array>,
  limit: number
): Promise<readonly [bytes: Uint8Array, isWhole: boolean]> => {
  const reader = body.getReader()
  let bytes = new Uint8Array(0)
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return [bytes.subarray(0, size), true]
    if (size + value.length > limit) {
      reader.cancel().catch(() => {})
      return [bytes.subarray(0, size), false]
    }
    // Doubles, since a body may arrive one byte at a time.
    if (size + value.length > bytes.length) {
      const larger = new Uint8Array(Math.max(size + value.length, Math.min(limit, 2 * bytes.length)))
      larger.set(bytes.subarray(0, size))
      bytes = larger
    }
    bytes.set(value, size)
    size += value.length
  }
}

/** Whether the body certainly fits a limit. An encoded body is longer than its length. */
const isShort = ({ headers }: Response, limit: number): boolean => {
  const length = headers.get("content-length")
  return (
    length !== null && /^\d+$/.test(length) && Number(length) <= limit && !headers.has("content-encoding")
  )
}

/** Reads the headers when they are asked for: to look all of them up takes some 30 µs, and only an error needs them. */
class FetchResponse implements Transport.Response {
  readonly status: number
  readonly body: Uint8Array
  readonly #headers: Headers

  constructor({ headers, status }: Response, body: Uint8Array = new Uint8Array()) {
    this.status = status
    this.body = body
    this.#headers = headers
  }

  get headers(): Transport.Response["headers"] {
    return Object.fromEntries(headerNames.map((name) => [name, this.#headers.get(name) ?? undefined]))
  }
}

const read = async (
  response: Response,
  maxResponseSize: number
): Promise<Either.Either<Transport.Response, Transport.Failure>> => {
  const { body } = response
  const isOfSuccess = isSuccess(response)
  const limit = isOfSuccess ? maxResponseSize : maxErrorBodySize
  const responseOf = (bytes?: Uint8Array) => new FetchResponse(response, bytes)
  try {
    if (body === null) return Either.right(responseOf())
    const [bytes, isWhole] = isShort(response, limit)
      ? [new Uint8Array(await response.arrayBuffer()), true]
      : await readUpTo(body, limit)
    return isWhole || !isOfSuccess
      ? Either.right(responseOf(bytes))
      : Either.left({ _tag: "Broken", cause: tooLarge, headers: responseOf().headers })
  } catch (cause) {
    // The status is enough to report the error.
    return isOfSuccess
      ? Either.left({ _tag: "Broken", cause, headers: responseOf().headers })
      : Either.right(responseOf())
  }
}

/** Sends requests with the global `fetch`, read at each request. */
export const transport =
  (maxResponseSize: number): Transport.Transport =>
  (method, { href }) =>
  ({ body, headers }, onEnd) => {
    const controller = new AbortController()
    const { signal } = controller
    // fetch follows redirects by default, and could send the credential elsewhere.
    fetch(href, { method, headers, body: body ?? null, redirect: "manual", signal })
      .then(
        (response) => read(response, maxResponseSize),
        (cause: unknown) => Either.left(fromCause(cause))
      )
      .then((end) => {
        if (!signal.aborted) onEnd(end)
      })
    return () => {
      controller.abort()
      // fetch does not report whether the request was sent.
      return true
    }
  }
