import * as Arr from "effect/Array"
import type * as ParseResult from "effect/ParseResult"
import * as AST from "effect/SchemaAST"
import type { Issue } from "../InstallationError.ts"

const isAbsent = (ast: AST.AST): boolean => AST.isUndefinedKeyword(ast)

/** What a schema expects, in the words of JSON. */
const describe = (ast: AST.AST): string => {
  const title = ast.annotations[AST.TitleAnnotationId]
  if (typeof title === "string") return title
  if (AST.isUnion(ast))
    return ast.types
      .filter((type) => !isAbsent(type))
      .map(describe)
      .join(" | ")
  return AST.isTypeLiteral(ast) || AST.isTransformation(ast) ? "a JSON object" : String(ast)
}

/** Of what is wrong for each member of a union, that which is not just about the value being there. */
const membersAtFault = (issue: ParseResult.Composite): ReadonlyArray<ParseResult.ParseIssue> =>
  Arr.ensure(issue.issues).filter((inner) => !(inner._tag === "Type" && isAbsent(inner.ast)))

/**
 * Where a value is wrong and what was expected there. The library's own formatters print the value itself,
 * which may be a customer's.
 */
export const fromParseIssue = (
  issue: ParseResult.ParseIssue,
  path: ReadonlyArray<PropertyKey> = []
): ReadonlyArray<Issue> => {
  const at = (message: string): ReadonlyArray<Issue> => [
    { path: path.map((key) => (typeof key === "symbol" ? String(key) : key)), message }
  ]
  switch (issue._tag) {
    case "Pointer":
      return fromParseIssue(issue.issue, path.concat(issue.path))
    case "Composite":
      if (!AST.isUnion(issue.ast))
        return Arr.ensure(issue.issues).flatMap((inner) => fromParseIssue(inner, path))
      return Arr.match(membersAtFault(issue), {
        onEmpty: () => at(`expected ${describe(issue.ast)}`),
        onNonEmpty: ([first, ...others]) =>
          others.length === 0 ? fromParseIssue(first, path) : at(`expected ${describe(issue.ast)}`)
      })
    case "Refinement":
      return issue.kind === "Predicate"
        ? at(`expected ${describe(issue.ast)}`)
        : fromParseIssue(issue.issue, path)
    case "Transformation":
      return issue.kind === "Transformation"
        ? at(`expected ${describe(issue.ast)}`)
        : fromParseIssue(issue.issue, path)
    case "Missing":
      return at("is missing")
    case "Unexpected":
      return at("is not part of the contract")
    case "Type":
    case "Forbidden":
      return at(`expected ${describe(issue.ast)}`)
  }
}
