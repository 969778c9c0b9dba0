import type * as ParseResult from "effect/ParseResult"
import * as AST from "effect/SchemaAST"
import type { Issue } from "../../InstallationError.ts"

const isAbsent = (ast: AST.AST): boolean => AST.isUndefinedKeyword(ast)

/** Describes what a schema expects, in JSON's terms. */
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

/**
 * The paths and expectations of a parse error. Effect's own formatters print the value, which may be confidential.
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
    case "Missing":
      return at("is missing")
    case "Unexpected":
      return at("is not part of the contract")
    case "Composite": {
      const issues = [issue.issues].flat()
      if (!AST.isUnion(issue.ast)) return issues.flatMap((inner) => fromParseIssue(inner, path))
      // One per member of the union. That the value is present is not an issue.
      const [first, ...others] = issues.filter((inner) => inner._tag !== "Type" || !isAbsent(inner.ast))
      if (first !== undefined && others.length === 0) return fromParseIssue(first, path)
      break
    }
    case "Refinement":
    case "Transformation":
      if (issue.kind !== "Predicate" && issue.kind !== "Transformation")
        return fromParseIssue(issue.issue, path)
  }
  return at(`expected ${describe(issue.ast)}`)
}
