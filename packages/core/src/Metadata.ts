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

/**
 * How deeply metadata may be nested, itself included. Deeper is refused in both directions, long before a
 * recursive JSON writer would run out of stack.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Metadata } from "@effect-pleo/core"
 * import * as Schema from "effect/Schema"
 *
 * const nested = (depth: number): Metadata.Metadata => (depth === 1 ? {} : { next: nested(depth - 1) })
 *
 * const isMetadata = Schema.is(Metadata.Metadata)
 * assert.ok(isMetadata(nested(Metadata.maxDepth)))
 * assert.ok(!isMetadata(nested(Metadata.maxDepth + 1)))
 * ```
 *
 * @since 0.1.0
 * @category constants
 */
const maxDepth = 128

interface Problem {
  readonly path: ReadonlyArray<PropertyKey>
  readonly expected: string
}

const expected = (expected: string): Problem => ({ path: [], expected })

const under = (key: PropertyKey, { expected, path }: Problem): Problem => ({ path: [key, ...path], expected })

const isPlainObject = (value: object): value is Readonly<Record<string, unknown>> => {
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

/** The first part of a value that is not JSON, or `undefined`. */
const validateValue = (value: unknown, ancestors: Ancestors | undefined): Problem | undefined => {
  switch (typeof value) {
    case "string":
    case "boolean":
      return undefined
    case "number":
      return Number.isFinite(value) ? undefined : expected("a finite number")
    case "object":
      return value === null ? undefined : validateObject(value, ancestors)
    default:
      return expected("a JSON value")
  }
}

const validateObject = (value: object, parent: Ancestors | undefined): Problem | undefined => {
  const depth = parent === undefined ? 1 : parent.depth + 1
  if (isAmong(value, parent)) return expected("a value without circular references")
  if (depth > maxDepth) return expected(`at most ${maxDepth} levels of nesting`)
  const ancestors = { value, depth, parent }
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const problem = validateValue(value[index], ancestors)
      if (problem !== undefined) return under(index, problem)
    }
    return undefined
  }
  if (!isPlainObject(value)) return expected("a plain object")
  for (const key of Reflect.ownKeys(value)) {
    if (typeof key === "symbol") return under(key, expected("string keys only"))
    const problem = validateValue(value[key], ancestors)
    if (problem !== undefined) return under(key, problem)
  }
  return undefined
}

const parse = (input: unknown, _: AST.ParseOptions, ast: AST.Declaration) => {
  const problem =
    typeof input === "object" && input !== null && !Array.isArray(input)
      ? validateObject(input, undefined)
      : expected("a JSON object")
  if (problem === undefined) return ParseResult.succeed(input as Metadata)
  const issue = new ParseResult.Type(
    AST.annotations(ast, { [AST.TitleAnnotationId]: problem.expected }),
    input
  )
  const [head, ...tail] = problem.path
  return ParseResult.fail(head === undefined ? issue : new ParseResult.Pointer([head, ...tail], input, issue))
}

/**
 * A JSON object, nested at most 128 levels deep. Values that JSON cannot hold, such as `NaN` or a class instance, are
 * rejected with their path.
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
  { decode: () => parse, encode: () => parse },
  {
    title: "a JSON object",
    jsonSchema: { type: "object", additionalProperties: {} },
    arbitrary: () => (fc) => fc.dictionary(fc.string(), fc.jsonValue()) as never,
    pretty: () => () => "<metadata>"
  }
)
