import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Sandbox from "../src/Sandbox.ts"

export type SandboxService = Sandbox.Sandbox["Type"]

/** A sandbox that runs as long as the scope. */
export const makeSandbox = (options?: Sandbox.Options) =>
  Effect.map(Layer.build(Sandbox.layer(options)), Context.get(Sandbox.Sandbox))

export interface Answer {
  readonly status: number
  readonly body: string
  /** All of it, to look for what must not be there. */
  readonly text: string
}

/** As `request`, where there may be no response. */
export const attempt = (url: string, init?: RequestInit) =>
  Effect.tryPromise(async (signal): Promise<Answer> => {
    const response = await fetch(url, { ...init, signal })
    const body = await response.text()
    const headers: Array<string> = []
    response.headers.forEach((value, name) => {
      headers.push(`${name}: ${value}`)
    })
    return {
      status: response.status,
      body,
      text: [response.status, response.statusText, ...headers, body].join("\n")
    }
  })

export const request = (url: string, init?: RequestInit): Effect.Effect<Answer> =>
  Effect.orDie(attempt(url, init))

/** The update, as `fetch` sends it: with these headers beside its content type. */
export const put = (
  { url }: SandboxService,
  headers: Readonly<Record<string, string>>,
  body: string | null = '{"status":"ACTIVATED"}'
) =>
  request(`${url}/v1/installations/me`, {
    method: "PUT",
    headers: { "content-type": "application/json;charset=UTF-8", ...headers },
    body
  })
