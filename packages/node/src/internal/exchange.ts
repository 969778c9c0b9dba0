import * as HttpClientError from "@effect/platform/HttpClientError"
import type { HttpClientRequest } from "@effect/platform/HttpClientRequest"
import type { HttpClientResponse } from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import { type Dispatcher, errors } from "undici"
import { BufferedResponse } from "./bufferedResponse.ts"

type ResponseHeaders = Parameters<NonNullable<Dispatcher.DispatchHandler["onResponseStart"]>>[2]

type Resume = (effect: Effect.Effect<HttpClientResponse, HttpClientError.RequestError>) => void

/** Of an answer that is no success, as much is kept as tells what happened. */
const maxErrorBodySize = 64 * 1024

/** One request and the whole of its answer, in the form that undici reports to. */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #request: HttpClientRequest
  readonly #maxResponseSize: number
  readonly #resume: Resume
  readonly #chunks: Array<Buffer> = []
  #size = 0
  #status = 0
  #headers: ResponseHeaders = {}
  #controller: Dispatcher.DispatchController | undefined
  #cancelled = false

  constructor(request: HttpClientRequest, maxResponseSize: number, resume: Resume) {
    this.#request = request
    this.#maxResponseSize = maxResponseSize
    this.#resume = resume
  }

  /** Gives the socket back at once: closed, if the request had been written to it. */
  cancel(): void {
    this.#cancelled = true
    this.#controller?.abort(new errors.RequestAbortedError())
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    // It was still waiting for a socket when it was cancelled.
    if (this.#cancelled) this.cancel()
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: ResponseHeaders): void {
    // An interim answer (RFC 9110 section 15.2) comes before the final one, and is overwritten by it.
    this.#status = status
    this.#headers = headers
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#size += chunk.length
    if (this.#isSuccess) {
      if (this.#size > this.#maxResponseSize) controller.abort(new errors.ResponseExceededMaxSizeError())
    } else if (this.#size > maxErrorBodySize) {
      this.#succeed()
      controller.abort(new errors.RequestAbortedError())
    }
  }

  onResponseEnd(): void {
    this.#succeed()
  }

  onResponseError(_: Dispatcher.DispatchController, cause: Error): void {
    this.#resume(
      Effect.fail(new HttpClientError.RequestError({ request: this.#request, reason: "Transport", cause }))
    )
  }

  get #isSuccess(): boolean {
    return this.#status >= 200 && this.#status < 300
  }

  #succeed(): void {
    const body = Buffer.concat(this.#chunks)
    this.#resume(
      Effect.succeed(
        new BufferedResponse(
          this.#request,
          this.#status,
          this.#headers,
          this.#isSuccess ? body : body.subarray(0, maxErrorBodySize)
        )
      )
    )
  }
}
