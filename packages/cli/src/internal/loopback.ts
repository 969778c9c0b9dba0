// The redirect of a consent (RFC 8252 section 7.3): one request to a port of 127.0.0.1, from the user's own browser.
// Web pages and other programs of the machine can send requests there too, and those are refused.
import { createHash, timingSafeEqual } from "node:crypto"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { type CommandError, cannotListen } from "./failure.ts"

const path = "/callback"

export interface Callback {
  /** Its path and query. */
  readonly url: string
  /** Shows a page to the user. Succeeds once it is sent, or nobody waits for it. */
  readonly respond: (text: string) => Effect.Effect<void>
}

export interface Listener {
  readonly redirectUri: string
  /** The first request with this state. */
  readonly callback: (state: Redacted.Redacted) => Effect.Effect<Callback>
}

const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

const page = (text: string): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>effect-pleo</title>
<p>${escapeHtml(text)}</p>
<p>You can close this window.</p>
</html>
`

const headers = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  // The address of the page has the code.
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
  connection: "close"
}

const send = (response: Http.ServerResponse, status: number, text: string): Effect.Effect<void> =>
  Effect.async((resume) => {
    const done = () => resume(Effect.void)
    if (response.destroyed) return done()
    response.once("close", done)
    response.writeHead(status, headers)
    response.end(page(text), done)
  })

const hash = (text: string) => createHash("sha256").update(text).digest()

const isEqual = (actual: string, expected: string): boolean => timingSafeEqual(hash(actual), hash(expected))

const parseUrl = (target: string | undefined, origin: string): URL | undefined =>
  target?.startsWith("/") && URL.canParse(target, origin) ? new URL(target, origin) : undefined

/** The status with which a request is refused, or nothing for the redirect. */
const refusalOf = (
  { headers, method, url: target }: Http.IncomingMessage,
  origin: string,
  state: Redacted.Redacted | undefined
): number | undefined => {
  // A page whose name resolves to 127.0.0.1 sends its own name (DNS rebinding).
  if (headers.host !== new URL(origin).host) return 403
  if (headers.origin !== undefined && headers.origin !== origin) return 403
  const url = parseUrl(target, origin)
  if (url === undefined) return 400
  if (url.origin !== origin || url.pathname !== path) return 404
  if (method !== "GET") return 405
  const [given, ...others] = url.searchParams.getAll("state")
  return state !== undefined &&
    given !== undefined &&
    others.length === 0 &&
    isEqual(given, Redacted.value(state))
    ? undefined
    : 400
}

const open = (port: number) =>
  Effect.acquireRelease(
    Effect.async<Http.Server, CommandError>((resume) => {
      const server = Http.createServer()
      server.once("error", (error) => resume(Effect.fail(cannotListen(port, error))))
      server.listen({ host: "127.0.0.1", port }, () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )

/** Listens on the port, or any free one if it is 0, until the scope ends. */
export const listen = (port: number): Effect.Effect<Listener, CommandError, Scope.Scope> =>
  Effect.gen(function* () {
    const server = yield* open(port)
    // As Pleo lets an app register it: http is for localhost.
    const origin = `http://localhost:${(server.address() as AddressInfo).port}`
    const received = yield* Deferred.make<Callback>()
    let expected: Redacted.Redacted | undefined
    let isReceived = false
    server.on("request", (request, response) => {
      const refusal = refusalOf(request, origin, expected) ?? (isReceived ? 410 : undefined)
      if (refusal !== undefined) {
        Effect.runFork(send(response, refusal, "This request was refused."))
        return
      }
      isReceived = true
      Deferred.unsafeDone(
        received,
        Effect.succeed({ url: request.url ?? "", respond: (text) => send(response, 200, text) })
      )
    })
    return {
      redirectUri: `${origin}${path}`,
      callback: (state) =>
        Effect.suspend(() => {
          expected = state
          return Deferred.await(received)
        })
    }
  })
