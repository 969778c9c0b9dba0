import type { Answer, Failure } from "@effect-pleo/core/Transport"
import * as Either from "effect/Either"
import type { Dispatcher } from "undici"
import { errors } from "./undici.ts"

/** How an exchange ends without a whole answer, and the answer as far as it has come. */
export interface BrokenExchange extends Extract<Failure, { readonly _tag: "Broken" }> {
  readonly cause: Error
  readonly answer: Answer | undefined
}

export type Outcome = Either.Either<Answer, BrokenExchange>

export const broken = (cause: Error, answer?: Answer): Outcome =>
  Either.left({ _tag: "Broken", cause, headers: answer?.headers, answer })

/** The answer, if the exchange was not given up, and whether the socket is good for another request. */
type Settle = (outcome: Outcome | undefined, isReusable: boolean) => void

type ResponseHeaders = Parameters<NonNullable<Dispatcher.DispatchHandler["onResponseStart"]>>[2]

/** Of an answer that is no success, as much is kept as tells what happened. */
const maxErrorBodySize = 64 * 1024

/** One request and the whole of its answer, in the form that undici reports to. It settles once. */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #maxResponseSize: number
  readonly #settle: Settle
  readonly #chunks: Array<Buffer> = []
  #size = 0
  #status = 0
  #headers: ResponseHeaders = {}
  #isSettled = false

  constructor(maxResponseSize: number, settle: Settle) {
    this.#maxResponseSize = maxResponseSize
    this.#settle = settle
  }

  /** Gives the answer up, if it is not there yet. */
  cancel(): void {
    this.#end(undefined, false)
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

  onResponseError(_: Dispatcher.DispatchController | undefined, cause: Error): void {
    this.#fail(cause)
  }

  get #isSuccess(): boolean {
    return this.#status >= 200 && this.#status < 300
  }

  /** The answer as far as it has come. */
  get #answer(): Answer {
    const [first] = this.#chunks
    const body = first !== undefined && this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks)
    return {
      status: this.#status,
      headers: this.#headers,
      body: this.#isSuccess ? body : body.subarray(0, maxErrorBodySize)
    }
  }

  #succeed(isReusable: boolean): void {
    // Chunks may still come: the answer is not put together again for each.
    if (!this.#isSettled) this.#end(Either.right(this.#answer), isReusable)
  }

  #fail(cause: Error): void {
    if (this.#status >= 200 && !this.#isSuccess) {
      // The status has said what happened, whatever became of the rest.
      this.#succeed(false)
    } else {
      this.#end(broken(cause, this.#isSuccess ? this.#answer : undefined), false)
    }
  }

  // Giving up halfway closes the socket, which ends in another call from it.
  #end(outcome: Outcome | undefined, isReusable: boolean): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.#settle(outcome, isReusable)
  }
}
