import * as Cookies from "@effect/platform/Cookies"
import * as Headers from "@effect/platform/Headers"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type { HttpClientRequest } from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as HttpIncomingMessage from "@effect/platform/HttpIncomingMessage"
import * as UrlParams from "@effect/platform/UrlParams"
import type * as Transport from "@effect-pleo/core/Transport"
import * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"

/** A response with its body in memory, which may be read repeatedly. */
export class BufferedResponse extends Inspectable.Class implements HttpClientResponse.HttpClientResponse {
  readonly [HttpIncomingMessage.TypeId]: HttpIncomingMessage.TypeId = HttpIncomingMessage.TypeId
  readonly [HttpClientResponse.TypeId]: HttpClientResponse.TypeId = HttpClientResponse.TypeId
  readonly remoteAddress: Option.Option<string> = Option.none()
  readonly request: HttpClientRequest
  readonly status: number
  readonly headers: Headers.Headers
  readonly #response: Transport.Response

  constructor(request: HttpClientRequest, response: Transport.Response) {
    super()
    this.request = request
    this.status = response.status
    this.headers = Headers.fromInput(response.headers)
    this.#response = response
  }

  get cookies(): Cookies.Cookies {
    return Cookies.fromSetCookie(this.#response.headers["set-cookie"] ?? [])
  }

  get text() {
    return this.#read((body) => body.text())
  }

  get json() {
    return this.#read(async (body): Promise<unknown> => {
      const text = await body.text()
      return text === "" ? null : JSON.parse(text)
    })
  }

  get urlParamsBody() {
    return this.#read(async (body) => UrlParams.fromInput(new URLSearchParams(await body.text())))
  }

  get arrayBuffer() {
    return this.#read((body) => body.arrayBuffer())
  }

  get formData() {
    return this.#read((body) => body.formData())
  }

  get stream(): Stream.Stream<Uint8Array> {
    return Stream.sync(() => this.#bytes)
  }

  toJSON(): unknown {
    return HttpIncomingMessage.inspect(this, {
      _id: "@effect/platform/HttpClientResponse",
      request: this.request.toJSON(),
      status: this.status
    })
  }

  // A copy, since it may be part of a larger chunk.
  get #bytes() {
    return new Uint8Array(this.#response.body)
  }

  #read<A>(read: (body: Response) => Promise<A>): Effect.Effect<A, HttpClientError.ResponseError> {
    const { headers, request } = this
    return Effect.tryPromise({
      try: () =>
        read(new Response(this.#bytes, { headers: { "content-type": headers["content-type"] ?? "" } })),
      catch: (cause) =>
        new HttpClientError.ResponseError({ request, response: this, reason: "Decode", cause })
    })
  }
}
