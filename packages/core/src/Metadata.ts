/**
 * What an integration keeps with its installation: a JSON object of its own making.
 *
 * @since 0.1.0
 */
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"

/**
 * Any JSON value, as RFC 8259 has it.
 *
 * @since 0.1.0
 * @category models
 */
export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

/**
 * A JSON object. The contract declares its values as objects while each of its examples holds strings,
 * so any JSON value is sent and accepted.
 *
 * @since 0.1.0
 * @category models
 */
export interface Metadata {
  readonly [key: string]: Json
}

/**
 * How deeply metadata may be nested, itself included. Deeper is refused in both directions, long before a
 * recursive JSON writer would run out of stack.
 *
 * @since 0.1.0
 * @category constants
 */
export const maxDepth = 128

type Path = ReadonlyArray<PropertyKey>

interface Flaw {
  readonly path: Path
  readonly expected: string
}

const isPlainObject = (value: object): value is Readonly<Record<string, unknown>> => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** The first place where a value is not JSON, or `undefined`. `ancestors` are the objects that enclose it. */
const findFlaw = (value: unknown, path: Path, ancestors: ReadonlyArray<object>): Flaw | undefined => {
  switch (typeof value) {
    case "string":
    case "boolean":
      return undefined
    case "number":
      return Number.isFinite(value) ? undefined : { path, expected: "a finite number" }
    case "object":
      return value === null ? undefined : findFlawInObject(value, path, ancestors)
    default:
      return { path, expected: "a JSON value" }
  }
}

const findFlawInObject = (value: object, path: Path, ancestors: ReadonlyArray<object>): Flaw | undefined => {
  if (ancestors.includes(value)) return { path, expected: "a value without circular references" }
  if (ancestors.length === maxDepth) return { path, expected: `at most ${maxDepth} levels of nesting` }
  const enclosing = [...ancestors, value]
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const flaw = findFlaw(value[index], [...path, index], enclosing)
      if (flaw !== undefined) return flaw
    }
    return undefined
  }
  if (!isPlainObject(value)) return { path, expected: "a plain object" }
  for (const key of Reflect.ownKeys(value)) {
    if (typeof key === "symbol") return { path: [...path, key], expected: "string keys only" }
    const flaw = findFlaw(value[key], [...path, key], enclosing)
    if (flaw !== undefined) return flaw
  }
  return undefined
}

const validate = (input: unknown, _: AST.ParseOptions, ast: AST.Declaration) => {
  const flaw =
    typeof input === "object" && input !== null && !Array.isArray(input)
      ? findFlawInObject(input, [], [])
      : { path: [], expected: "a JSON object" }
  if (flaw === undefined) return ParseResult.succeed(input as Metadata)
  const issue = new ParseResult.Type(AST.annotations(ast, { [AST.TitleAnnotationId]: flaw.expected }), input)
  const [head, ...tail] = flaw.path
  return ParseResult.fail(head === undefined ? issue : new ParseResult.Pointer([head, ...tail], input, issue))
}

/**
 * Accepts a JSON object and hands on the same object, uncopied: so keys such as `__proto__` stay own keys.
 * Refuses what JSON cannot hold (functions, symbols, `undefined`, bigints, `NaN`, infinities, class
 * instances, circular references) and names the path.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Metadata: Schema.Schema<Metadata> = Schema.declare(
  [],
  { decode: () => validate, encode: () => validate },
  {
    title: "a JSON object",
    jsonSchema: { type: "object", additionalProperties: {} },
    arbitrary: () => (fc) => fc.dictionary(fc.string(), fc.jsonValue()) as never,
    pretty: () => () => "<metadata>"
  }
)
