import * as Either from "effect/Either"

export const servers = {
  production: "https://external.pleo.io",
  staging: "https://external.staging.pleo.io"
} as const

/** The name or the URL of a server. */
export type Server = keyof typeof servers | (string & {}) | URL

export const tokenEndpoints = {
  production: "https://auth.pleo.io/oauth/token",
  staging: "https://auth.staging.pleo.io/oauth/token"
} as const

const isLoopback = (hostname: string): boolean =>
  hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname)

/** Whether credentials may be sent there. */
export const isSecure = ({ hostname, protocol }: URL): boolean =>
  protocol === "https:" || (protocol === "http:" && isLoopback(hostname))

const parse = (server: string | URL, named: Readonly<Record<string, string>>): URL | undefined => {
  try {
    return new URL((typeof server === "string" && Object.hasOwn(named, server) && named[server]) || server)
  } catch {
    return undefined
  }
}

/** The URL of a named or given server if credentials may be sent there, or why not. */
export const checkUrl = (
  server: string | URL,
  named: Readonly<Record<string, string>>
): Either.Either<URL, string> => {
  const url = parse(server, named)
  if (url === undefined) return Either.left(`expected ${Object.keys(named).join(", ")} or a URL`)
  if (!isSecure(url))
    return Either.left("expected an https URL, or an http URL of this machine (127.0.0.1, localhost)")
  if (url.username !== "" || url.password !== "") return Either.left("expected a URL without user info")
  if (url.search !== "" || url.hash !== "") return Either.left("expected a URL without query and fragment")
  return Either.right(url)
}

/** The base URL of a server, without a trailing slash, or why it is invalid. */
export const baseUrl = (server: string | URL): Either.Either<string, string> =>
  Either.map(checkUrl(server, servers), (url) => url.origin + url.pathname.replace(/\/+$/, ""))
