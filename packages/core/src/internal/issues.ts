import * as Arr from "effect/Array"
import type { ParseIssue } from "effect/ParseResult"
import * as AST from "effect/SchemaAST"
import type { Issue } from "../InstallationError.ts"

const describe = (ast: AST.AST): string => {
  if (AST.isUnion(ast) && ast.types.every(AST.isLiteral)) return ast.types.map(String).join(" | ")
  return (ast.annotations[AST.TitleAnnotationId] as string | undefined) ?? String(ast)
}

/**
 * Where a value is wrong and what was expected there. The library's own formatters print the value itself,
 * which may be a customer's.
 */
export const fromParseIssue = (
  issue: ParseIssue,
  path: ReadonlyArray<PropertyKey> = []
): ReadonlyArray<Issue> => {
  const at = (message: string): ReadonlyArray<Issue> => [
    { path: path.map((key) => (typeof key === "symbol" ? String(key) : key)), message }
  ]
  switch (issue._tag) {
    case "Pointer":
      return fromParseIssue(issue.issue, path.concat(issue.path))
    case "Composite":
      if (AST.isUnion(issue.ast)) return at(`expected ${describe(issue.ast)}`)
      return Arr.ensure(issue.issues).flatMap((inner) => fromParseIssue(inner, path))
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
