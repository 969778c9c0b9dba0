import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"

/** The values of `Host` that a sandbox on a port of this machine goes by. */
export const hostsOf = (port: number): ReadonlyArray<string> =>
  ["127.0.0.1", "localhost"].map((name) => new URL(`http://${name}:${port}`).host)

const isOwn = ({ headers }: HttpServerRequest.HttpServerRequest, port: number): boolean => {
  const { host = "", origin } = headers
  if (!hostsOf(port).includes(host)) return false
  // After a page without referrer, a browser hides the origin of a form, but not whether it is the same (Fetch, section
  // "append a request Origin header").
  return (
    origin === undefined ||
    origin === `http://${host}` ||
    (origin === "null" && headers["sec-fetch-site"] === "same-origin")
  )
}

/** Refuses requests that another site makes a browser send, be it by a name of its own for this machine. */
export const sameOriginOnly = <E, R>(
  app: HttpApp.Default<E, R>
): HttpApp.Default<E, R | HttpServer.HttpServer> =>
  Effect.gen(function* () {
    const { address } = yield* HttpServer.HttpServer
    const request = yield* HttpServerRequest.HttpServerRequest
    return address._tag === "TcpAddress" && isOwn(request, address.port)
      ? yield* app
      : HttpServerResponse.text("Expected a Host and an Origin of the sandbox itself.\n", { status: 403 })
  })
