import * as Undici from "undici"
import { fromPromise } from "../support/fromPromise.ts"
import { headersOf, type InstallationResponse, path } from "../support/installation.ts"

/** As one writes it by hand: no validation. */
export const request = fromPromise(({ server, sockets }) => {
  const url = server + path
  if (sockets !== undefined) Undici.setGlobalDispatcher(new Undici.Agent({ connections: sockets }))
  return async (token, update) => {
    const { body, statusCode } = await Undici.request(url, {
      method: "PUT",
      headers: headersOf(token),
      body: JSON.stringify(update)
    })
    if (statusCode !== 200) throw new Error(`status ${statusCode}`)
    return (await body.json()) as InstallationResponse
  }
})

class Handler implements Undici.Dispatcher.DispatchHandler {
  readonly #resolve: (response: InstallationResponse) => void
  readonly #reject: (error: unknown) => void
  readonly #chunks: Array<Buffer> = []
  #status = 0

  constructor(resolve: (response: InstallationResponse) => void, reject: (error: unknown) => void) {
    this.#resolve = resolve
    this.#reject = reject
  }

  onRequestStart(): void {}

  onResponseStart(_: Undici.Dispatcher.DispatchController, status: number): void {
    this.#status = status
  }

  onResponseData(_: Undici.Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk)
  }

  onResponseEnd(): void {
    try {
      if (this.#status !== 200) throw new Error(`status ${this.#status}`)
      this.#resolve(JSON.parse(Buffer.concat(this.#chunks).toString()))
    } catch (error) {
      this.#reject(error)
    }
  }

  onResponseError(_: Undici.Dispatcher.DispatchController, error: Error): void {
    this.#reject(error)
  }
}

/** The least that can be done with undici. */
export const dispatch = fromPromise(({ server }) => {
  const agent = new Undici.Agent()
  const url = new URL(server + path)
  return (token, update) =>
    new Promise((resolve, reject) => {
      agent.dispatch(
        {
          origin: url.origin,
          path: url.pathname,
          method: "PUT",
          headers: headersOf(token),
          body: JSON.stringify(update)
        },
        new Handler(resolve, reject)
      )
    })
})
