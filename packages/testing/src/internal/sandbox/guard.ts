import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import { tokenPath } from "./api.ts"

/** The values of `Host` that a sandbox on a port of this machine goes by. */
export const hostsOf = (port: number): ReadonlyArray<string> =>
  ["127.0.0.1", "localhost"].map((name) => new URL(`http://${name}:${port}`).host)

// These ask for credentials, so a page of another site gains nothing by a name of its own for this machine.
const isForAnyHost = (url: string): boolean => url.startsWith("/v1/") || url === tokenPath

const isOwnOrigin = ({ headers }: HttpServerRequest.HttpServerRequest): boolean => {
  const { host, origin } = headers
  return (
    origin === undefined ||
    origin === `http://${host}` ||
    // After a page without referrer, a browser hides the origin of a form, but not whether it is the same (Fetch
    // standard, "append a request Origin header").
    (origin === "null" && headers["sec-fetch-site"] === "same-origin")
  )
}

/** Which header shows that another site makes a browser send a request, if one does, and what was expected. */
export const issueOf = (
  request: HttpServerRequest.HttpServerRequest,
  port: number
): { readonly path: string; readonly message: string } | undefined => {
  const hosts = hostsOf(port)
  if (!isForAnyHost(request.url) && !hosts.includes(request.headers["host"] ?? ""))
    return { path: "Host", message: `Expected ${hosts.join(" or ")}` }
  return isOwnOrigin(request)
    ? undefined
    : { path: "Origin", message: "Expected that of the sandbox, or none" }
}
