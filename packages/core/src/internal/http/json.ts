import * as Either from "effect/Either"

// Metadata, which may be 128 levels deep, is at the second level of a response.
const maxNesting = 129

// No response needs as many; each takes twenty times the memory of its brackets.
const maxContainers = 65_536

// A shorter text cannot be parsed into anything large.
const alwaysSmall = 4096

const quote = 0x22
const backslash = 0x5c

/** Checks the number and nesting of arrays and objects, by the brackets outside of strings. */
const validateNesting = (text: string): string | undefined => {
  let depth = 0
  let containers = 0
  let inString = false
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (inString) {
      if (code === backslash) index++
      else if (code === quote) inString = false
    } else if (code === quote) {
      inString = true
    } else if ((code | 0x20) === 0x7b) {
      // An opening bracket, 0x5b or 0x7b.
      if (++depth > maxNesting) return `expected at most ${maxNesting} levels of nesting`
      if (++containers > maxContainers) return `expected at most ${maxContainers} arrays and objects`
    } else if ((code | 0x20) === 0x7d) {
      depth--
    }
  }
  return undefined
}

/** `JSON.parse`. A mebibyte of brackets would parse into a hundred of arrays, so a long text is checked first. */
export const parse = (text: string): Either.Either<unknown, string> => {
  const problem = text.length > alwaysSmall ? validateNesting(text) : undefined
  if (problem !== undefined) return Either.left(problem)
  try {
    return Either.right(JSON.parse(text))
  } catch {
    return Either.left("expected JSON")
  }
}
