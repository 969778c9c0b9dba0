import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { root } from "../support/modules.ts"
import { type Finding, typeCheck } from "./compiler.ts"
import { importsFor } from "./imports.ts"
import { convert, docstringsOf, type Example, type ModuleDocstrings } from "./read.ts"

// All packages, and their peers, are dependencies there.
const home = join(root, "examples/.cache")

interface Report {
  readonly modules: ReadonlyArray<ModuleDocstrings>
  readonly examples: number
  /** Each with its place, as `file:line name`. */
  readonly problems: ReadonlyArray<string>
}

const indent = (text: string): string => text.trimEnd().replaceAll(/\n(?=.)/g, "\n    ")

/** Checks the docstrings of modules, and compiles their examples. */
export const check = async (modules: ReadonlyArray<string>): Promise<Report> => {
  const { examples, modules: read, problems } = docstringsOf(await convert(modules))

  mkdirSync(home, { recursive: true })
  const directory = mkdtempSync(join(home, "docstrings-"))
  const files = new Map<string, Example>()
  for (const example of examples) {
    const file = join(directory, `${files.size}.${basename(example.file, ".ts")}.${example.name}.ts`)
    // On the lines of the docstring, so that errors name those, with all imports on the first.
    writeFileSync(file, importsFor(example.code) + "\n".repeat(example.line - 1) + example.code)
    files.set(file, example)
  }
  const locate = ({ file, line, message }: Finding): string => {
    const example = files.get(file)
    const place = example === undefined ? file : `${example.file}:${line ?? example.line} ${example.name}`
    return `${place}: ${indent(message)}`
  }

  try {
    const findings = typeCheck([...files.keys()])
    return { modules: read, examples: examples.length, problems: [...problems, ...findings.map(locate)] }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** The lines of a file that are docstrings, and the other lines that are not empty. */
export const countLines = (file: string): { readonly docstrings: number; readonly code: number } => {
  const lines = readFileSync(join(root, file), "utf8")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
  const docstrings = lines.filter((line) => line.startsWith("/**") || line.startsWith("*")).length
  return { docstrings, code: lines.length - docstrings }
}
