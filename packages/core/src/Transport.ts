/**
 * How requests are sent. To use anything other than an `HttpClient`, implement `Transport`.
 *
 * @since 0.1.0
 * @module
 */
import type * as Either from "effect/Either"

/**
 * A request. Its method and URL are the arguments of `Transport`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Request {
  /** With lowercase names. */
  readonly headers: Readonly<Record<string, string>>
  /** Absent without a body. */
  readonly body?: string | undefined
  /** Whether to use a connection of its own, never shared with another request. */
  readonly freshConnection: boolean
}

/**
 * A response with its body.
 *
 * @since 0.1.0
 * @category models
 */
export interface Response {
  readonly status: number
  /** With lowercase names. */
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  /** Decoded, if it had a content coding. May be truncated unless the status is 2xx. */
  readonly body: Uint8Array
}

/**
 * Why there is no response. The first `code` in the chain of causes is reported.
 *
 * - `Unwritable`: the request is not valid HTTP. Nothing was sent.
 * - `Unsent`: connecting (DNS, TLS, a proxy's tunnel) failed. Nothing was sent.
 * - `Broken`: anything else. The request may have been sent; `headers` are those of an incomplete response.
 *
 * @since 0.1.0
 * @category models
 */
export type Failure =
  | { readonly _tag: "Unwritable" }
  | {
      readonly _tag: "Unsent"
      readonly cause: unknown
      /** The status with which a proxy refused a tunnel. */
      readonly proxyStatus?: number | undefined
    }
  | {
      readonly _tag: "Broken"
      readonly cause: unknown
      readonly headers?: Response["headers"] | undefined
    }

/**
 * Prepares requests to one URL, and sends each without following redirects. `onEnd` is called once, unless the returned
 * function cancels the request first; that returns whether the request may have been sent. A throw is a defect.
 *
 * @since 0.1.0
 * @category models
 */
export type Transport = (
  method: "GET" | "POST" | "PUT" | "DELETE",
  url: URL
) => (request: Request, onEnd: (result: Either.Either<Response, Failure>) => void) => () => boolean
