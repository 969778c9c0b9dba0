import * as Either from "effect/Either"
import { maxDepth } from "../../Metadata.ts"

// An answer holds metadata at its second level.
const maxNesting = maxDepth + 1

// No answer needs as many; each takes twenty times the memory of its brackets.
const maxContainers = 65_536

// What a shorter text can be parsed into is small, whatever it holds.
const alwaysSmall = 4096

const quote = 0x22
const backslash = 0x5c

/** What is wrong with the arrays and objects of a text, counted by the brackets outside of its strings. */
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

/**
 * `JSON.parse`, or what was expected of the text. A mebibyte of brackets would become a hundred of arrays,
 * so a long text is looked through before it is parsed.
 */
export const parse = (text: string): Either.Either<unknown, string> => {
  const problem = text.length > alwaysSmall ? validateNesting(text) : undefined
  if (problem !== undefined) return Either.left(problem)
  try {
    return Either.right(JSON.parse(text))
  } catch {
    return Either.left("expected JSON")
  }
}
