import * as HttpClientError from "@effect/platform/HttpClientError"
import type { HttpClientRequest } from "@effect/platform/HttpClientRequest"
import type { HttpClientResponse } from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import { type Dispatcher, errors } from "undici"
import { BufferedResponse } from "./bufferedResponse.ts"

type ResponseHeaders = Parameters<NonNullable<Dispatcher.DispatchHandler["onResponseStart"]>>[2]

type Settle = (
  result: Effect.Effect<HttpClientResponse, HttpClientError.HttpClientError>,
  /** Whether the socket is good for another request. */
  isReusable: boolean
) => void

/** Of an answer that is no success, as much is kept as tells what happened. */
const maxErrorBodySize = 64 * 1024

/** One request and the whole of its answer, in the form that undici reports to. It settles once. */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #request: HttpClientRequest
  readonly #maxResponseSize: number
  readonly #settle: Settle
  readonly #chunks: Array<Buffer> = []
  #size = 0
  #status = 0
  #headers: ResponseHeaders = {}
  #isSettled = false

  constructor(request: HttpClientRequest, maxResponseSize: number, settle: Settle) {
    this.#request = request
    this.#maxResponseSize = maxResponseSize
    this.#settle = settle
  }

  /** Gives the answer up, if it is not there yet. */
  cancel(): void {
    this.#end(Effect.interrupt, false)
  }

  onRequestStart(): void {}

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: ResponseHeaders): void {
    // An interim answer (RFC 9110 section 15.2) comes before the final one, and is overwritten by it.
    this.#status = status
    this.#headers = headers
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#size += chunk.length
    if (this.#isSuccess) {
      if (this.#size > this.#maxResponseSize) this.#fail(new errors.ResponseExceededMaxSizeError())
    } else if (this.#size > maxErrorBodySize) {
      this.#succeed(false)
    }
  }

  onResponseEnd(): void {
    // A request that follows at once then waits for a turn of the event loop, in which undici sees whether
    // more has come over the socket than this answer.
    setImmediate(() => this.#succeed(true))
  }

  onResponseError(_: Dispatcher.DispatchController, cause: Error): void {
    this.#fail(cause)
  }

  get #isSuccess(): boolean {
    return this.#status >= 200 && this.#status < 300
  }

  /** The answer as far as it has come. */
  get #response(): HttpClientResponse {
    const body = Buffer.concat(this.#chunks)
    return new BufferedResponse(
      this.#request,
      this.#status,
      this.#headers,
      this.#isSuccess ? body : body.subarray(0, maxErrorBodySize)
    )
  }

  #succeed(isReusable: boolean): void {
    this.#end(Effect.succeed(this.#response), isReusable)
  }

  #fail(cause: Error): void {
    const request = this.#request
    if (this.#status < 200) {
      this.#end(Effect.fail(new HttpClientError.RequestError({ request, reason: "Transport", cause })), false)
    } else if (this.#isSuccess) {
      const response = this.#response
      const error = new HttpClientError.ResponseError({ request, response, reason: "Decode", cause })
      this.#end(Effect.fail(error), false)
    } else {
      // The status has said what happened, whatever became of the rest.
      this.#succeed(false)
    }
  }

  // Giving up halfway closes the socket, which ends in another call from it.
  #end(result: Parameters<Settle>[0], isReusable: boolean): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.#settle(result, isReusable)
  }
}
