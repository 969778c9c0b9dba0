// Less of a secret than this tells nothing, and stands in many a text by chance.
const minLength = 4

/** A text that was cut off may end in the middle of a secret. */
const withoutPartialAtEnd = (text: string, secret: string): string => {
  for (let length = Math.min(secret.length - 1, text.length); length >= minLength; length--)
    if (text.endsWith(secret.slice(0, length))) return text.slice(0, -length)
  return text
}

const withoutSecret = (text: string, secret: string): string =>
  withoutPartialAtEnd(text.replaceAll(secret, "<redacted>"), secret)

// Looking for more than this in every answer would take longer than the excerpt is worth.
const maxStrings = 1000

/** The strings in the metadata of a request, as they are and as JSON writes them, longest first. */
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
 * Redacts in a response what it may quote from the request: the credential, in each of its `forms`, and the strings of
 * the customer's metadata in `body`. Where there are too many, nothing is quoted.
 */
export const make = (forms: ReadonlyArray<string>, body: string): ((text: string) => string) => {
  const strings = stringsOfMetadata(body)
  if (strings.length > maxStrings) return () => "<redacted>"
  const secrets = [...forms, ...strings]
  return (text) => secrets.reduce(withoutSecret, text)
}
