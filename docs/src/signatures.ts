// How an export is declared, as its page shows it: without bodies, with the comments of its members.
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import ts from "typescript"

/** The declarations of a module's exports by their names, values before types. */
export type Signatures = ReadonlyMap<string, ReadonlyArray<string>>

interface Entry {
  readonly program: ts.Program
  readonly sourceFile: ts.SourceFile
}

const withoutExport = (text: string): string => text.replace(/^export /, "")

const print = (checker: ts.TypeChecker, type: ts.Type, at: ts.Node, flags = 0): string =>
  checker
    .typeToString(type, at, ts.TypeFormatFlags.NoTruncation | flags)
    // A module of Effect that the source does not import is named as it would be if it did.
    .replaceAll(/import\("[^"]*?(\w+)"\)\./g, "$1.")

const commentOf = (node: ts.Node): string => {
  const { text } = node.getSourceFile()
  const [range] = (ts.getLeadingCommentRanges(text, node.pos) ?? []).slice(-1)
  return range === undefined ? "" : `${text.slice(range.pos, range.end)}\n`
}

const ofVariable = (checker: ts.TypeChecker, node: ts.VariableDeclaration): string => {
  const { initializer, name, type } = node
  const inferred = checker.getTypeAtLocation(node)
  const isExpression =
    initializer !== undefined && (ts.isCallExpression(initializer) || ts.isLiteralExpression(initializer))
  return type === undefined && isExpression && inferred.getCallSignatures().length === 0
    ? // The expression of a schema says what it is; its type says the same at five times the length.
      withoutExport(node.parent.parent.getText())
    : `declare const ${name.getText()}: ${type?.getText() ?? print(checker, inferred, node)}`
}

const ofClass = (node: ts.ClassDeclaration): string => {
  const heritage = (node.heritageClauses ?? []).map((clause) => clause.getText()).join(" ")
  const getters = node.members
    .filter(ts.isGetAccessorDeclaration)
    .filter(({ name }) => !ts.isPrivateIdentifier(name))
    .map((it) => `${commentOf(it)}get ${it.name.getText()}(): ${it.type?.getText() ?? "unknown"}`)
  return `declare class ${node.name?.text} ${heritage} {\n${getters.join("\n")}\n}`
}

/** The type of a schema says `typeof`: here, what that comes to. */
const ofDerived = (checker: ts.TypeChecker, node: ts.InterfaceDeclaration): string => {
  const fields = checker.getPropertiesOfType(checker.getTypeAtLocation(node)).map((property) => {
    const comment = property.valueDeclaration === undefined ? "" : commentOf(property.valueDeclaration)
    const optional = property.flags & ts.SymbolFlags.Optional ? "?" : ""
    const type = print(checker, checker.getTypeOfSymbolAtLocation(property, node), node)
    return `${comment}readonly ${property.name}${optional}: ${type}`
  })
  return `interface ${node.name.text} {\n${fields.join("\n")}\n}`
}

const ofInterface = (checker: ts.TypeChecker, node: ts.InterfaceDeclaration): string => {
  const [heritage] = node.heritageClauses ?? []
  if (node.members.length === 0 && /^extends Schema\.Schema\.Type</.test(heritage?.getText() ?? ""))
    return ofDerived(checker, node)
  // A member that is named by a symbol of ours is nobody's to use.
  return node.members.some(({ name }) => name !== undefined && ts.isComputedPropertyName(name))
    ? `interface ${node.name.text} {\n// opaque\n}`
    : withoutExport(node.getText())
}

const ofTypeAlias = (checker: ts.TypeChecker, node: ts.TypeAliasDeclaration): string =>
  ts.isTypeQueryNode(node.type)
    ? `type ${node.name.text} = ${print(checker, checker.getTypeAtLocation(node), node, ts.TypeFormatFlags.InTypeAlias)}`
    : withoutExport(node.getText())

const ofDeclaration = (checker: ts.TypeChecker, node: ts.Declaration): string => {
  if (ts.isVariableDeclaration(node)) return ofVariable(checker, node)
  if (ts.isClassDeclaration(node)) return ofClass(node)
  if (ts.isInterfaceDeclaration(node)) return ofInterface(checker, node)
  if (ts.isTypeAliasDeclaration(node)) return ofTypeAlias(checker, node)
  throw new Error(`There is no way yet to show a ${ts.SyntaxKind[node.kind]}: ${node.getText()}`)
}

/** The types that a declaration names, that are of its own module and not exported: they have no page. */
const hiddenIn = (
  checker: ts.TypeChecker,
  node: ts.Node,
  exported: ReadonlySet<ts.Symbol>,
  found = new Set<ts.Declaration>()
): ReadonlySet<ts.Declaration> => {
  const visit = (child: ts.Node): void => {
    if (ts.isBlock(child)) return
    const symbol = ts.isTypeReferenceNode(child) ? checker.getSymbolAtLocation(child.typeName) : undefined
    for (const it of symbol === undefined || exported.has(symbol) ? [] : (symbol.declarations ?? [])) {
      const isType = ts.isInterfaceDeclaration(it) || ts.isTypeAliasDeclaration(it)
      if (!isType || it.getSourceFile() !== node.getSourceFile() || found.has(it)) continue
      found.add(it)
      hiddenIn(checker, it, exported, found)
    }
    ts.forEachChild(child, visit)
  }
  visit(node)
  return found
}

const isType = (node: ts.Declaration): boolean =>
  ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)

const ofModule = ({
  program,
  sourceFile
}: Entry): ReadonlyArray<readonly [string, ReadonlyArray<string>]> => {
  const checker = program.getTypeChecker()
  const module = checker.getSymbolAtLocation(sourceFile)
  const symbols = (module === undefined ? [] : checker.getExportsOfModule(module)).map((symbol) =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
  )
  const exported = new Set(symbols)
  return symbols.map(({ declarations = [], name }) => {
    const own = declarations.toSorted((a, b) => Number(isType(a)) - Number(isType(b)))
    const hidden = own.flatMap((it) => [...hiddenIn(checker, it, exported)])
    return [name, [...own, ...hidden].map((it) => ofDeclaration(checker, it))]
  })
}

const width = 78

/** The comments of the sources are as wide as the sources. */
const wrapComments = (text: string): string =>
  text.replaceAll(/^( *)\/\*\*([\s\S]*?)\*\//gm, (_, indent: string, comment: string) => {
    const words = comment
      .replaceAll(/\n *\*/g, " ")
      .trim()
      .split(/\s+/)
    if (indent.length + comment.length + 5 <= width && !comment.includes("\n"))
      return `${indent}/** ${words.join(" ")} */`
    const lines = [""]
    for (const word of words) {
      const line = lines.at(-1) ?? ""
      if (indent.length + line.length + word.length + 4 > width) lines.push(` ${word}`)
      else lines[lines.length - 1] = `${line} ${word}`
    }
    return [`${indent}/**`, ...lines.map((line) => `${indent} *${line}`), `${indent} */`].join("\n")
  })

const biome = createRequire(import.meta.url).resolve("@biomejs/biome/bin/biome")

const configuration = {
  root: true,
  formatter: { indentStyle: "space", lineWidth: width },
  javascript: { formatter: { semicolons: "asNeeded", trailingCommas: "none" } }
}

/** In the style of the sources, in lines that fit on a page. */
const format = (texts: ReadonlyArray<string>): ReadonlyArray<string> => {
  const directory = mkdtempSync(join(tmpdir(), "effect-pleo-docs-"))
  const file = (index: number) => join(directory, `${index}.ts`)
  try {
    writeFileSync(join(directory, "biome.json"), JSON.stringify(configuration))
    for (const [index, text] of texts.entries()) writeFileSync(file(index), text)
    execFileSync(process.execPath, [biome, "format", "--write", "--log-level=error", "."], {
      cwd: directory,
      stdio: "pipe"
    })
    return texts.map((_, index) =>
      wrapComments(
        readFileSync(file(index), "utf8")
          .trim()
          .replace(/^declare /, "")
      )
    )
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** The signatures of each module, in the order of the modules. */
export const signaturesOf = (entries: ReadonlyArray<Entry>): ReadonlyArray<Signatures> => {
  const modules = entries.map(ofModule)
  const formatted = format(modules.flatMap((module) => module.flatMap(([, texts]) => texts))).values()
  return modules.map(
    (module) => new Map(module.map(([name, texts]) => [name, texts.map(() => formatted.next().value ?? "")]))
  )
}
