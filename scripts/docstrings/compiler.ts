import ts from "typescript"
import { root } from "../support/modules.ts"

/** An error in the file of an example. Without a line, the cause is elsewhere. */
export interface Finding {
  readonly file: string
  readonly line?: number | undefined
  readonly message: string
}

// As strict as the rest of the repository.
const { config } = ts.readConfigFile(`${root}/tsconfig.json`, ts.sys.readFile)
const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, root)

const host = ts.createCompilerHost(options)

// Parsing the declarations of Effect takes longer than checking all examples, so it is done once.
const parsed = new Map<string, ts.SourceFile | undefined>()
const { getSourceFile } = host
host.getSourceFile = (file, ...args) => {
  if (!parsed.has(file)) parsed.set(file, getSourceFile(file, ...args))
  return parsed.get(file)
}

export const compile = (files: ReadonlyArray<string>, more: ts.CompilerOptions = {}): ts.Program =>
  ts.createProgram(files, { ...options, ...more }, host)

const toFinding = ({ file, messageText, start }: ts.Diagnostic): Finding => {
  const message = ts.flattenDiagnosticMessageText(messageText, "\n")
  if (file === undefined) return { file: "tsc", message }
  const { line } = ts.getLineAndCharacterOfPosition(file, start ?? 0)
  return { file: file.fileName, line: line + 1, message }
}

/** The errors in these files, but not in their imports. An example may declare a name that it does not use. */
export const typeCheck = (files: ReadonlyArray<string>): ReadonlyArray<Finding> => {
  const program = compile(files, { noUnusedLocals: false })
  const diagnostics = files.flatMap((name) => {
    const file = program.getSourceFile(name)
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]
  })
  return [...program.getOptionsDiagnostics(), ...diagnostics].map(toFinding)
}
