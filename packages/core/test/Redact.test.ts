import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Redact from "../src/internal/http/redact.ts"

const hex = (code: number, length: number) => code.toString(16).padStart(length, "0")

const percentEncode = (text: string) =>
  Array.from(new TextEncoder().encode(text), (byte) => `%${hex(byte, 2)}`).join("")

/** The ways in which a server writes a text that it quotes. */
const escapings: Readonly<Record<string, (text: string) => string>> = {
  "as it is": (text) => text,
  JSON: (text) => JSON.stringify(text).slice(1, -1),
  "PHP's JSON": (text) => JSON.stringify(text).slice(1, -1).replaceAll("/", "\\/"),
  "Go's JSON": (text) =>
    JSON.stringify(text)
      .slice(1, -1)
      .replace(/[<>&]/g, (char) => `\\u${hex(char.charCodeAt(0), 4)}`),
  "JSON in ASCII": (text) =>
    JSON.stringify(text)
      .slice(1, -1)
      .replace(/[^ -~]/g, (char) => `\\u${hex(char.charCodeAt(0), 4).toUpperCase()}`),
  "named HTML entities": (text) =>
    text
      .replaceAll("&", "&amp;")
      .replaceAll("<", "&lt;")
      .replaceAll(">", "&gt;")
      .replaceAll('"', "&quot;")
      .replaceAll("'", "&apos;"),
  "decimal HTML entities": (text) => text.replace(/[^A-Za-z0-9]/gu, (char) => `&#${char.codePointAt(0)};`),
  "hexadecimal HTML entities": (text) =>
    text.replace(/[^A-Za-z0-9]/gu, (char) => `&#x${hex(char.codePointAt(0) ?? 0, 2).toUpperCase()};`),
  "a URL": (text) => encodeURIComponent(text),
  "a form": (text) => new URLSearchParams({ text }).toString().slice("text=".length),
  "a URL, each character": percentEncode,
  "a JavaScript string": (text) =>
    text.replace(/[^A-Za-z0-9]/g, (char) => {
      const code = char.charCodeAt(0)
      return code < 256 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`
    }),
  "JSON in HTML": (text) =>
    JSON.stringify(text).slice(1, -1).replaceAll("&", "&amp;").replaceAll('"', "&quot;"),
  "JSON in JSON": (text) => JSON.stringify(JSON.stringify(text)).slice(3, -3)
}

const secret = FastCheck.string({ minLength: 8, maxLength: 60, unit: "grapheme-ascii" })
const customer = FastCheck.string({ minLength: 4, maxLength: 40, unit: "grapheme" }).filter(
  // A text cut off in the middle of a character is not the same text.
  (text) => !/\p{Surrogate}/u.test(text) && text.length >= 4
)

describe.each(Object.entries(escapings))("a secret written as %s", (_, escaped) => {
  it.prop("is redacted where a response quotes a credential", [secret], ([secret]) => {
    const redact = Redact.make([secret], "{}")
    expect(redact(`before ${escaped(secret)} after`)).toBe("before <redacted> after")
  })

  it.prop("is redacted where a response quotes metadata", [customer], ([text]) => {
    const redact = Redact.make([], JSON.stringify({ metadata: { text } }))
    expect(redact(`[${escaped(text)}]`)).toBe("[<redacted>]")
  })

  it.prop(
    "is redacted as far as a text goes that was cut off",
    [secret, FastCheck.nat({ max: 100 })],
    ([secret, cut]) => {
      const redact = Redact.make([secret], "{}")
      const whole = escaped(secret)
      const redacted = redact(`before ${whole.slice(0, Math.max(1, cut % whole.length))}`)
      // As much as stands there all the same is less than four characters of the secret, escaped.
      expect(redacted.length).toBeLessThanOrEqual("before ".length + Math.max("<redacted>".length, 4 * 12))
      if (redacted.includes("<redacted>")) expect(redacted).toBe("before <redacted>")
    }
  )
})

describe("a response without secrets", () => {
  it.prop("is quoted as it is", [FastCheck.string({ unit: "grapheme" })], ([text]) => {
    expect(Redact.make(["a secret that nobody quotes"], "{}")(text)).toBe(text)
  })
})
