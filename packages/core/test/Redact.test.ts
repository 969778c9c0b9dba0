import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Redact from "../src/internal/http/redact.ts"
import { escapings } from "./support/escapings.ts"

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
