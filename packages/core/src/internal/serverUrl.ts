import * as Either from "effect/Either"

const isLoopback = (hostname: string): boolean =>
  hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname)

const parse = (server: string | URL, named: Readonly<Record<string, string>>): URL | undefined => {
  try {
    return new URL((typeof server === "string" && Object.hasOwn(named, server) && named[server]) || server)
  } catch {
    return undefined
  }
}

/** A URL that credentials may be sent to, by its name or as it is; or what is wrong with it. */
export const checkUrl = (
  server: string | URL,
  named: Readonly<Record<string, string>>
): Either.Either<URL, string> => {
  const url = parse(server, named)
  if (url === undefined) return Either.left(`expected ${Object.keys(named).join(", ")} or a URL`)
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback(url.hostname)))
    return Either.left("expected an https URL, or an http URL of this machine (127.0.0.1, localhost)")
  if (url.username !== "" || url.password !== "") return Either.left("expected a URL without user info")
  if (url.search !== "" || url.hash !== "") return Either.left("expected a URL without query and fragment")
  return Either.right(url)
}
