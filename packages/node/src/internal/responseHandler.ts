import type * as Transport from "@effect-pleo/core/Transport"
import * as Either from "effect/Either"
import type { Dispatcher } from "undici"
import { BodyBuffer } from "./bodyBuffer.ts"
import { ConnectionError } from "./connectionError.ts"
import { decode } from "./contentCoding.ts"
import { nextTurn } from "./nextTurn.ts"
import { errors } from "./undici.ts"

interface Unsent extends Extract<Transport.Failure, { readonly _tag: "Unsent" }> {
  readonly cause: Error
}

interface Broken extends Extract<Transport.Failure, { readonly _tag: "Broken" }> {
  readonly cause: Error
  /** The received part of a 2xx response. */
  readonly response: Transport.Response | undefined
}

export type Result = Either.Either<Transport.Response, Unsent | Broken>

export const unsent = (cause: Error): Result =>
  Either.left({
    _tag: "Unsent",
    cause,
    proxyStatus: cause instanceof ConnectionError ? cause.proxyStatus : undefined
  })

const broken = (cause: Error, response: Transport.Response | undefined): Result =>
  Either.left({ _tag: "Broken", cause, headers: response?.headers, response })

/** The result, unless the request was canceled, and whether the socket can be reused. */
type Settle = (result: Result | undefined, isReusable: boolean) => void

type ResponseHeaders = Parameters<NonNullable<Dispatcher.DispatchHandler["onResponseStart"]>>[2]

/** The bytes kept of a response that is not 2xx. */
const maxErrorBodySize = 64 * 1024

/** The largest body that those bytes are decoded to. */
const maxDecodedErrorSize = 1024 * 1024

/** Collects the response to one request, as a handler of undici. Settles once. */
export class ResponseHandler implements Dispatcher.DispatchHandler {
  readonly #maxResponseSize: number
  readonly #settle: Settle
  readonly #body = new BodyBuffer()
  #status = 0
  #headers: ResponseHeaders = {}
  #isSent = false
  #isSettled = false

  constructor(maxResponseSize: number, settle: Settle) {
    this.#maxResponseSize = maxResponseSize
    this.#settle = settle
  }

  /** Cancels the response, unless it is complete. Returns whether the request may have been sent. */
  cancel(): boolean {
    this.#end(undefined, false)
    return this.#isSent
  }

  // undici calls it once it has a connection, just before it writes the head.
  onRequestStart(): void {
    this.#isSent = true
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: ResponseHeaders): void {
    // The final response overwrites an interim one (RFC 9110 section 15.2).
    this.#status = status
    this.#headers = headers
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isSettled) return
    if (this.#body.append(chunk, this.#isSuccess ? this.#maxResponseSize : maxErrorBodySize)) return
    if (this.#isSuccess) this.#fail(new errors.ResponseExceededMaxSizeError())
    else this.#succeed(false)
  }

  onResponseEnd(): void {
    // An immediate next request then waits for a turn of the event loop, in which undici sees whether the socket has
    // received more than this response.
    nextTurn(() => this.#succeed(true))
  }

  onResponseError(_: Dispatcher.DispatchController | undefined, cause: Error): void {
    if (this.#isSent) this.#fail(cause)
    else this.#end(unsent(cause), false)
  }

  /** Whether the head of a response has come. */
  get hasResponse(): boolean {
    return this.#status !== 0
  }

  get #isSuccess(): boolean {
    return this.#status >= 200 && this.#status < 300
  }

  /** The received part of the response. */
  get #response(): Transport.Response {
    return { status: this.#status, headers: this.#headers, body: this.#body.bytes }
  }

  #succeed(isReusable: boolean): void {
    if (this.#isSettled) return
    const response = this.#response
    const limit = this.#isSuccess ? this.#maxResponseSize : maxDecodedErrorSize
    const decoded = response.headers["content-encoding"] === undefined ? response : decode(response, limit)
    if (decoded === undefined && this.#isSuccess) this.#fail(new errors.ResponseExceededMaxSizeError())
    else this.#end(Either.right(decoded ?? { ...response, body: Buffer.alloc(0) }), isReusable)
  }

  #fail(cause: Error): void {
    if (this.#status >= 200 && !this.#isSuccess) {
      // The status is enough to report the error.
      this.#succeed(false)
    } else {
      this.#end(broken(cause, this.#isSuccess ? this.#response : undefined), false)
    }
  }

  // Canceling halfway closes the socket, which calls this again.
  #end(result: Result | undefined, isReusable: boolean): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.#settle(result, isReusable)
  }
}
