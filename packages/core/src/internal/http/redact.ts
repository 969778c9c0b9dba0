// Shorter fragments match by coincidence.
const minLength = 4

/** A text as it was written, or with its escapes decoded. */
interface Layer {
  readonly text: string
  /** Where each character begins and ends in the text as it was written. */
  readonly starts: ReadonlyArray<number>
  readonly ends: ReadonlyArray<number>
}

// Of JSON and other languages with backslashes, of URLs, and of HTML.
const escapeSequence =
  /\\u(?<unicode>[0-9a-f]{4})|\\x(?<byte>[0-9a-f]{2})|\\(?<single>["'\\/bfnrt])|(?<percent>(?:%[0-9a-f]{2})+)|&#x(?<hex>[0-9a-f]{1,6});|&#(?<decimal>\d{1,7});|&(?<entity>lt|gt|amp|quot|apos);/gis

const controls: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" }
const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" }

const fromCodePoint = (code: number): string => (code > 0x10ffff ? "" : String.fromCodePoint(code))

const fromPercent = (text: string): string => {
  const bytes = Uint8Array.from(text.slice(1).split("%"), (byte) => Number.parseInt(byte, 16))
  return new TextDecoder().decode(bytes)
}

const decode = (groups: Readonly<Record<string, string | undefined>>): string => {
  const { byte, decimal, entity, hex, percent, single, unicode } = groups
  const code = unicode ?? byte ?? hex
  if (code !== undefined) return fromCodePoint(Number.parseInt(code, 16))
  if (decimal !== undefined) return fromCodePoint(Number(decimal))
  if (entity !== undefined) return entities[entity.toLowerCase()] ?? ""
  return percent === undefined ? (controls[single ?? ""] ?? single ?? "") : fromPercent(percent)
}

/** The next layer, or `undefined` when nothing is escaped. */
const decodeLayer = (layer: Layer): Layer | undefined => {
  const starts: Array<number> = []
  const ends: Array<number> = []
  let text = ""
  let at = 0
  /** Adds what stands for the characters from `at` to `end`: each for all of them, unless they stand for themselves. */
  const add = (part: string, end: number, isSame: boolean) => {
    for (let index = 0; index < part.length; index++) {
      starts.push(layer.starts[isSame ? at + index : at] ?? 0)
      ends.push(layer.ends[isSame ? at + index : end - 1] ?? 0)
    }
    text += part
    at = end
  }
  for (const { 0: match, groups = {}, index } of layer.text.matchAll(escapeSequence)) {
    add(layer.text.slice(at, index), index, true)
    add(decode(groups), index + match.length, false)
  }
  if (at === 0) return undefined
  add(layer.text.slice(at), layer.text.length, true)
  return { text, starts, ends }
}

// An escape inside of an escape, as JSON in HTML has it, and one more.
const maxLayers = 4

const layersOf = (text: string): ReadonlyArray<Layer> => {
  const starts = Array.from({ length: text.length }, (_, index) => index)
  const layers: Array<Layer> = []
  const ends = starts.map((start) => start + 1)
  for (
    let layer: Layer | undefined = { text, starts, ends };
    layer !== undefined && layers.length < maxLayers;
    layer = decodeLayer(layer)
  )
    layers.push(layer)
  // A form has a plus where a space was.
  return layers.flatMap((layer) =>
    layer.text.includes("+") ? [layer, { ...layer, text: layer.text.replaceAll("+", " ") }] : [layer]
  )
}

type Range = readonly [start: number, end: number]

/** Where a secret stands, and its beginning at the end of a text that was cut off. */
const findIn = ({ ends, starts, text }: Layer, secret: string): ReadonlyArray<Range> => {
  const found: Array<Range> = []
  const add = (from: number, to: number) => found.push([starts[from] ?? 0, ends[to - 1] ?? 0])
  for (let at = text.indexOf(secret); at !== -1; at = text.indexOf(secret, at + secret.length))
    add(at, at + secret.length)
  for (let length = Math.min(secret.length - 1, text.length); length >= minLength; length--)
    if (text.endsWith(secret.slice(0, length))) {
      add(text.length - length, text.length)
      break
    }
  return found
}

const replace = (text: string, ranges: ReadonlyArray<Range>): string => {
  let redacted = ""
  let at = 0
  for (const [start, end] of [...ranges].sort(([a], [b]) => a - b)) {
    if (start >= at) redacted += `${text.slice(at, start)}<redacted>`
    at = Math.max(at, end)
  }
  return redacted + text.slice(at)
}

// Such as a text ends with that was cut off in the middle of one.
const partialEscape = /(?:\\(?:u[0-9a-f]{0,3}|x[0-9a-f]?)?|%[0-9a-f]?|&(?:#x?[0-9a-f]*|[a-z]{0,4}))$/i

// Looking for more than this in every response would take longer than the excerpt is worth.
const maxStrings = 1000

/** The strings in the metadata of a request. */
const stringsOfMetadata = (body: string): ReadonlyArray<string> => {
  const found = new Set<string>()
  JSON.stringify(JSON.parse(body).metadata, (_, value: unknown) => {
    if (typeof value === "string" && value.length >= minLength) found.add(value)
    return value
  })
  return [...found]
}

/**
 * Redacts in a response what it may quote from the request, as it is or escaped: the credential, in each of its `forms`,
 * and the strings of the customer's metadata in `body`. Where there are too many, nothing is quoted.
 */
export const make = (forms: ReadonlyArray<string>, body: string): ((text: string) => string) => {
  const strings = stringsOfMetadata(body)
  if (strings.length > maxStrings) return () => "<redacted>"
  // A secret may itself hold what looks like an escape, and is decoded with the rest.
  const written = [...forms, ...strings]
  const decoded = written
    .flatMap((secret) => layersOf(secret).slice(1))
    .flatMap(({ text }) => (text.length < minLength ? [] : [text]))
  const secrets = [...new Set([...written, ...decoded])]
  return (text) => {
    const whole = text.replace(partialEscape, "")
    const found = layersOf(whole).flatMap((layer) => secrets.flatMap((secret) => findIn(layer, secret)))
    return found.length === 0 ? text : replace(whole, found)
  }
}
