import * as Http from "node:http"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/TestClock"
import { commandOf } from "../src/internal/browser.ts"
import { redirect } from "../src/internal/connect.ts"
import { listen } from "../src/internal/loopback.ts"

const state = "state-of-the-test"

interface Response {
  readonly status: number
  readonly headers: Http.IncomingHttpHeaders
  readonly body: string
}

/** `fetch` sends no other `Host`, and no other target. */
const send = (origin: string, path: string, options: Http.RequestOptions = {}) =>
  Effect.async<Response>((resume) => {
    const { hostname, port } = new URL(origin)
    const request = Http.request({ hostname, port, path, ...options }, (response) => {
      let body = ""
      response.on("data", (chunk) => {
        body += chunk
      })
      response.on("end", () => {
        const { headers, statusCode = 0 } = response
        resume(Effect.succeed({ status: statusCode, headers, body }))
      })
    })
    request.on("error", (error) => resume(Effect.die(error)))
    request.end()
  })

const waiting = Effect.gen(function* () {
  const { callback, redirectUri } = yield* listen(0)
  const fiber = yield* Effect.fork(callback(Redacted.make(state)))
  yield* Effect.yieldNow()
  return { fiber, origin: new URL(redirectUri).origin, redirectUri }
})

const valid = `/callback?code=a&state=${state}`

const refused: ReadonlyArray<
  readonly [title: string, status: number, path: string, options?: Http.RequestOptions]
> = [
  ["for another host", 403, valid, { headers: { host: "attacker.example" } }],
  ["for another port of this host", 403, valid, { headers: { host: "127.0.0.1:1" } }],
  ["from a page of another origin", 403, valid, { headers: { origin: "https://attacker.example" } }],
  ["from a page without an origin", 403, valid, { headers: { origin: "null" } }],
  ["with an absolute target", 400, `http://attacker.example${valid}`],
  ["with a target of another host", 404, `//attacker.example${valid}`],
  ["to another path", 404, `/favicon.ico?state=${state}`],
  ["by another method", 405, valid, { method: "POST" }],
  ["with another state", 400, "/callback?code=a&state=other"],
  ["without a state", 400, "/callback?code=a"],
  ["with two states", 400, `/callback?code=a&state=${state}&state=${state}`]
]

describe("the redirect of a consent", () => {
  for (const [title, status, path, options] of refused)
    it.scopedLive(`is still awaited after a request ${title}, which is refused`, () =>
      Effect.gen(function* () {
        const { fiber, origin } = yield* waiting
        const response = yield* send(origin, path, options)
        expect(response.status).toBe(status)
        expect(response.body).not.toContain(state)

        const redirected = yield* Effect.fork(send(origin, valid))
        const callback = yield* Fiber.join(fiber)
        expect(callback.url).toBe(valid)
        yield* callback.respond("Done.")
        expect((yield* Fiber.join(redirected)).status).toBe(200)
      })
    )

  it.scopedLive("is refused before the consent was asked for", () =>
    Effect.gen(function* () {
      const { redirectUri } = yield* listen(0)
      expect((yield* send(redirectUri, "/callback?state=")).status).toBe(400)
    })
  )

  it.scopedLive("counts once", () =>
    Effect.gen(function* () {
      const { fiber, origin } = yield* waiting
      yield* Effect.fork(send(origin, valid))
      yield* Fiber.join(fiber)
      expect((yield* send(origin, valid)).status).toBe(410)
    })
  )

  it.scopedLive("shows an escaped page that keeps its address to itself", () =>
    Effect.gen(function* () {
      const { fiber, origin } = yield* waiting
      const redirected = yield* Effect.fork(send(origin, valid))
      const callback = yield* Fiber.join(fiber)
      yield* callback.respond(`<script>alert("&'")</script>`)
      const { body, headers } = yield* Fiber.join(redirected)
      expect(body).toContain("&#60;script&#62;alert(&#34;&#38;&#39;&#34;)&#60;/script&#62;")
      expect(body).toContain("You can close this window.")
      expect(headers).toMatchObject({
        "cache-control": "no-store",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
        "referrer-policy": "no-referrer"
      })
    })
  )

  it.scopedLive("is received on 127.0.0.1 only, until the scope ends", () =>
    Effect.gen(function* () {
      const { redirectUri } = yield* Effect.scoped(listen(0))
      expect(redirectUri).toMatch(/^http:\/\/localhost:\d+\/callback$/)
      const exit = yield* Effect.exit(send(redirectUri, valid))
      expect(String(exit)).toContain("ECONNREFUSED")
    })
  )

  it.scopedLive("cannot be received on a port that is taken", () =>
    Effect.gen(function* () {
      const { redirectUri } = yield* listen(0)
      const error = yield* Effect.flip(listen(Number(new URL(redirectUri).port)))
      expect(error.message).toContain("EADDRINUSE")
    })
  )

  it.scoped("is awaited for five minutes", () =>
    Effect.gen(function* () {
      const listener = yield* listen(0)
      const pending = {
        state: Redacted.make(state),
        codeVerifier: Redacted.make("verifier"),
        redirectUri: listener.redirectUri
      }
      const fiber = yield* Effect.fork(Effect.flip(redirect(listener, pending)))
      yield* TestClock.adjust("299 seconds")
      expect(fiber.unsafePoll()).toBeNull()
      yield* TestClock.adjust("1 second")
      expect((yield* Fiber.join(fiber)).message).toBe("The browser was not redirected back within 5m")
    })
  )
})

describe("the browser", () => {
  it("is opened without a shell on every system", () => {
    const url = "https://auth.pleo.io/oauth/authorize?a=b&c=d"
    expect(commandOf("darwin", url)).toEqual(["open", url])
    expect(commandOf("win32", url)).toEqual(["rundll32", "url.dll,FileProtocolHandler", url])
    expect(commandOf("linux", url)).toEqual(["xdg-open", url])
  })
})
