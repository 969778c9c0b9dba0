// Reads docstrings with TypeDoc, as the site's API pages do.
import { readFileSync } from "node:fs"
import { relative } from "node:path"
import {
  Application,
  type Comment,
  type DeclarationReflection,
  type DocumentationEntryPoint,
  Logger,
  LogLevel,
  type ProjectReflection,
  ReflectionKind,
  type TypeDocOptions
} from "typedoc"
import ts from "typescript"
import { root } from "../support/modules.ts"
import { compile } from "./compiler.ts"

export interface Example {
  /** The module, relative to the root of the repository. */
  readonly file: string
  /** The export. */
  readonly name: string
  /** Where the code begins in the module. */
  readonly line: number
  readonly code: string
}

export interface ModuleDocstrings {
  /** Relative to the root of the repository. */
  readonly file: string
  readonly exports: number
}

interface Docstrings {
  readonly modules: ReadonlyArray<ModuleDocstrings>
  readonly examples: ReadonlyArray<Example>
  readonly problems: ReadonlyArray<string>
}

const maxExampleLines = 6

class Warnings extends Logger {
  readonly messages: Array<string> = []
  override log(message: string, level: LogLevel): void {
    super.log(message, level)
    if (level >= LogLevel.Warn) this.messages.push(message)
  }
}

/** Of a function, TypeDoc keeps the comment with the signature. */
const commentsOf = ({ comment, signatures = [] }: DeclarationReflection): ReadonlyArray<Comment> =>
  [comment, ...signatures.map(({ comment }) => comment)].filter((comment) => comment !== undefined)

const has = (comments: ReadonlyArray<Comment>, tag: `@${string}`): boolean =>
  comments.some((comment) => comment.getTag(tag)?.content.some(({ text }) => text.trim() !== "") ?? false)

const opening = "```ts\n"

/** The code of a fenced ts block. */
const codeOf = (text: string): string | undefined =>
  text.startsWith(opening) ? text.slice(opening.length).replace(/```$/, "") : undefined

/** The line of the code, in the last docstring that contains it before the end of the declaration. */
const lineOf = (code: string, source: string, declaration: number): number | undefined => {
  const before = source.split("\n").slice(0, declaration).join("\n")
  const block = `${opening}${code}`.trimEnd().replaceAll(/^.*$/gm, (line) => ` * ${line}`.trimEnd())
  const at = before.lastIndexOf(block)
  return at === -1 ? undefined : before.slice(0, at).split("\n").length + 1
}

const isType = ({ kind }: DeclarationReflection): boolean =>
  kind === ReflectionKind.Interface || kind === ReflectionKind.TypeAlias

/** Problems of an editor's hover over a call. */
const signatureProblems = (
  checker: ts.TypeChecker,
  sourceFile: ts.SourceFile,
  name: string
): ReadonlyArray<string> => {
  const module = checker.getSymbolAtLocation(sourceFile)
  const symbol = module?.exports?.get(ts.escapeLeadingUnderscores(name))
  if (symbol?.valueDeclaration === undefined) return []
  const signatures = checker
    .getTypeOfSymbolAtLocation(symbol, sourceFile)
    .getCallSignatures()
    .filter(({ declaration }) => declaration?.getSourceFile() === sourceFile)
  return [
    signatures.length > 1 && signatures.some((it) => it.getDocumentationComment(checker).length === 0)
      ? "an overload without a docstring"
      : [],
    signatures.some(({ declaration }) =>
      declaration?.parameters.some((it) => ts.isParameter(it) && !ts.isIdentifier(it.name))
    )
      ? "a destructured parameter"
      : []
  ].flat()
}

/** Values and types of the same name are one export: any of them may have the docstring. */
const readExport = (
  name: string,
  declarations: ReadonlyArray<DeclarationReflection>,
  ofSignatures: ReadonlyArray<string>
) => {
  const examples: Array<Example> = []
  const missing: Array<string> = [...ofSignatures]
  const places = declarations.flatMap(({ sources = [] }) => sources)
  // That of the declaration, which a module may only pass on.
  const file = relative(root, places[0]?.fullFileName ?? "")
  const source = readFileSync(`${root}/${file}`, "utf8")
  const all = declarations.flatMap(commentsOf)
  if (!all.some(({ summary }) => summary.length > 0)) missing.push("no summary")
  for (const tag of ["@since", "@category"] as const) if (!has(all, tag)) missing.push(`no ${tag}`)
  const tags = new Set(all.flatMap(({ blockTags }) => blockTags).filter(({ tag }) => tag === "@example"))
  if (tags.size === 0 && !declarations.every(isType)) missing.push("no @example")
  const lines = places.map(({ line }) => line)
  for (const { content } of tags) {
    const codes = content.flatMap(({ kind, text }) => (kind === "code" ? (codeOf(text) ?? []) : []))
    // TypeDoc accepts an unfenced example as a block.
    const found = codes.map((code) => ({ code, line: lineOf(code, source, Math.max(...lines)) }))
    if (found.length === 0) missing.push("an @example without a block of ts")
    for (const { code, line } of found) {
      if (line === undefined) missing.push("an @example that is no block of ts")
      else {
        examples.push({ file, name, line, code })
        const length = code.trimEnd().split("\n").length
        if (length > maxExampleLines)
          missing.push(`an @example of ${length} lines: at most ${maxExampleLines}`)
        if (/^import |\bassert\b/m.test(code)) missing.push("an @example with imports or asserts")
      }
    }
  }
  return { examples, problems: missing.map((what) => `${file}:${Math.min(...lines)} ${name}: ${what}`) }
}

const readModule = (
  module: DeclarationReflection,
  { program, sourceFile }: DocumentationEntryPoint
): Docstrings => {
  const file = relative(root, module.sources?.[0]?.fullFileName ?? "")
  const exports = new Map<string, ReadonlyArray<DeclarationReflection>>()
  for (const declaration of module.children ?? [])
    exports.set(declaration.name, [...(exports.get(declaration.name) ?? []), declaration])
  const comments = commentsOf(module)
  const missing = [
    ...(comments.some(({ summary }) => summary.length > 0) ? [] : ["no summary of the module, with @module"]),
    ...(has(comments, "@since") ? [] : ["no @since of the module"])
  ]
  const checker = program.getTypeChecker()
  const found = [...exports].map(([name, declarations]) =>
    readExport(name, declarations, signatureProblems(checker, sourceFile, name))
  )
  return {
    modules: [{ file, exports: exports.size }],
    examples: found.flatMap(({ examples }) => examples),
    problems: [...missing.map((what) => `${file}:1: ${what}`), ...found.flatMap(({ problems }) => problems)]
  }
}

/** Modules as TypeDoc and TypeScript know them. */
interface Converted {
  readonly app: Application
  readonly project: ProjectReflection
  /** In the order of the modules, which are named by their paths. */
  readonly entryPoints: ReadonlyArray<DocumentationEntryPoint>
  /** TypeDoc's warnings, also later ones. */
  readonly warnings: ReadonlyArray<string>
}

export const convert = async (
  modules: ReadonlyArray<string>,
  options: TypeDocOptions = {}
): Promise<Converted> => {
  // Without readers: no file but this one and its callers has a say.
  const app = await Application.bootstrap(
    { alwaysCreateEntryPointModule: true, excludeExternals: true, sort: ["source-order"], ...options },
    []
  )
  const warnings = new Warnings()
  app.logger = warnings
  const program = compile(modules)
  const entryPoints = modules.map((displayName) => {
    const sourceFile = program.getSourceFile(displayName)
    if (sourceFile === undefined) throw new Error(`There is no ${displayName}`)
    return { displayName, program, sourceFile }
  })
  const project = app.converter.convert(entryPoints)
  return { app, project, entryPoints, warnings: warnings.messages }
}

/** The docstrings of modules: their examples, problems, and warnings. */
export const docstringsOf = ({ entryPoints, project, warnings }: Converted): Docstrings => {
  const found = entryPoints.flatMap((entryPoint) => {
    const module = project.children?.find(({ name }) => name === entryPoint.displayName)
    return module === undefined ? [] : readModule(module, entryPoint)
  })
  return {
    modules: found.flatMap(({ modules }) => modules),
    examples: found.flatMap(({ examples }) => examples),
    problems: [...warnings, ...found.flatMap(({ problems }) => problems)]
  }
}
