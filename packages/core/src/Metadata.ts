/**
 * The JSON object that an integration stores with its installation.
 *
 * @since 0.1.0
 * @module
 */
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"

/**
 * Any JSON value (RFC 8259).
 *
 * @since 0.1.0
 * @category models
 */
export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

export interface Metadata {
  readonly [key: string]: Json
}

// A recursive JSON writer would run out of stack much deeper.
const maxDepth = 128

/** The first part of a value that is invalid. */
class Problem {
  readonly expected: string
  readonly path: ReadonlyArray<PropertyKey>

  constructor(expected: string, path: ReadonlyArray<PropertyKey> = []) {
    this.expected = expected
    this.path = path
  }

  under(key: PropertyKey): Problem {
    return new Problem(this.expected, [key, ...this.path])
  }
}

const isPlainObject = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** The objects around a value, innermost first. */
interface Ancestors {
  readonly value: object
  readonly depth: number
  readonly parent: Ancestors | undefined
}

const isAmong = (value: object, ancestors: Ancestors | undefined): boolean => {
  for (let each = ancestors; each !== undefined; each = each.parent) if (each.value === value) return true
  return false
}

/**
 * A value if it is JSON. On its way out it is a copy, which reads each property once: a getter, a proxy or a `toJSON` could
 * give the writer of JSON something else than what was validated.
 */
const validate = (value: unknown, isOut: boolean, parent?: Ancestors): unknown => {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value
    case "number":
      if (!Number.isFinite(value)) return new Problem("a finite number")
      return isOut && Math.abs(value) > Number.MAX_SAFE_INTEGER
        ? new Problem("a number up to 2^53 - 1: send a larger one as a string")
        : value
    case "object":
      return value === null ? value : validateObject(value, isOut, parent)
    default:
      return new Problem("a JSON value")
  }
}

const validateObject = (value: object, isOut: boolean, parent: Ancestors | undefined): unknown => {
  const depth = parent === undefined ? 1 : parent.depth + 1
  if (isAmong(value, parent)) return new Problem("a value without circular references")
  if (depth > maxDepth) return new Problem(`at most ${maxDepth} levels of nesting`)
  const isArray = Array.isArray(value)
  if (!isArray && !isPlainObject(value)) return new Problem("a plain object")
  if (isOut && "toJSON" in value && typeof value.toJSON === "function")
    return new Problem("a value without toJSON")
  const ancestors = { value, depth, parent }
  if (isArray) {
    const copy: Array<unknown> = []
    for (let index = 0, { length } = value; index < length; index++) {
      const item = validate(value[index], isOut, ancestors)
      if (item instanceof Problem) return item.under(index)
      if (isOut) copy.push(item)
    }
    return isOut ? copy : value
  }
  const [symbol] = Object.getOwnPropertySymbols(value)
  if (symbol !== undefined) return new Problem("string keys only", [symbol])
  const copy: Record<string, unknown> = {}
  for (const key of Object.keys(value)) {
    const property = validate((value as Record<string, unknown>)[key], isOut, ancestors)
    if (property instanceof Problem) return property.under(key)
    if (!isOut) continue
    if (key === "__proto__") Object.defineProperty(copy, key, { value: property, enumerable: true })
    else copy[key] = property
  }
  return isOut ? copy : value
}

const parse = (isOut: boolean) => () => (input: unknown, _: AST.ParseOptions, ast: AST.Declaration) => {
  const result =
    typeof input === "object" && input !== null && !Array.isArray(input)
      ? validateObject(input, isOut, undefined)
      : new Problem("a JSON object")
  if (!(result instanceof Problem)) return ParseResult.succeed(result as Metadata)
  const issue = new ParseResult.Type(
    AST.annotations(ast, { [AST.TitleAnnotationId]: result.expected }),
    input
  )
  const [head, ...tail] = result.path
  return ParseResult.fail(head === undefined ? issue : new ParseResult.Pointer([head, ...tail], input, issue))
}

const withSafeNumbers = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value), (_, each) =>
    typeof each === "number" && Math.abs(each) > Number.MAX_SAFE_INTEGER ? 1 / each : each
  )

/**
 * A JSON object, nested at most 128 levels deep. Values that JSON cannot hold, such as `NaN` or a class instance, are
 * rejected with their path; so are numbers beyond 2^53 in a request, while `onDrift` reports those in a response.
 *
 * @example
 * ```ts
 * const metadata: Metadata.Metadata = { externalApplicationId: "123456789", accounts: ["4000", "4010"] }
 * ```
 * @since 0.1.0
 * @category schemas
 */
export const Metadata: Schema.Schema<Metadata> = Schema.declare(
  [],
  { decode: parse(false), encode: parse(true) },
  {
    title: "a JSON object",
    jsonSchema: { type: "object", additionalProperties: {} },
    arbitrary: () => (fc) => fc.dictionary(fc.string(), fc.jsonValue().map(withSafeNumbers)) as never,
    pretty: () => () => "<metadata>"
  }
)
