// Shorter fragments match by coincidence.
const minLength = 4

/** A truncated text may end within a secret. */
const withoutPartialAtEnd = (text: string, secret: string): string => {
  for (let length = Math.min(secret.length - 1, text.length); length >= minLength; length--)
    if (text.endsWith(secret.slice(0, length))) return text.slice(0, -length)
  return text
}

const withoutSecret = (text: string, secret: string): string =>
  withoutPartialAtEnd(text.replaceAll(secret, "<redacted>"), secret)

// Searching every response for more would cost more than an excerpt is worth.
const maxStrings = 1000

/** The strings in a request's metadata, plain and in JSON, longest first. */
const stringsOfMetadata = (body: string): ReadonlyArray<string> => {
  const found = new Set<string>()
  JSON.stringify(JSON.parse(body).metadata, (_, value: unknown) => {
    if (typeof value === "string" && value.length >= minLength)
      found.add(value).add(JSON.stringify(value).slice(1, -1))
    return value
  })
  return [...found].sort((a, b) => b.length - a.length)
}

/**
 * Redacts the credential, in each of its `forms`, and the strings of the metadata in the request's `body`. With too many
 * strings, it redacts everything.
 */
export const make = (forms: ReadonlyArray<string>, body: string): ((text: string) => string) => {
  const strings = stringsOfMetadata(body)
  if (strings.length > maxStrings) return () => "<redacted>"
  const secrets = [...forms, ...strings]
  return (text) => secrets.reduce(withoutSecret, text)
}
