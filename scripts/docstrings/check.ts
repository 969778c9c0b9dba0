import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { root } from "../support/modules.ts"
import { type Finding, typeCheck } from "./compiler.ts"
import { convert, docstringsOf, type Example } from "./read.ts"
import { run } from "./run.ts"

// All packages, and what they run on, are dependencies there.
const home = join(root, "examples/.cache")

interface Report {
  readonly exports: number
  readonly examples: number
  /** Each says where, as `file:line name`, and what. */
  readonly problems: ReadonlyArray<string>
}

const indent = (text: string): string => text.trimEnd().replaceAll(/\n(?=.)/g, "\n    ")

/**
 * Checks the docstrings of these modules, and that the examples in them compile and run. `patience` is how many
 * milliseconds each may take: more than any does, although the first of a process loads all of Effect.
 */
export const check = async (modules: ReadonlyArray<string>, patience = 15_000): Promise<Report> => {
  const { examples, exports, problems } = docstringsOf(await convert(modules))

  mkdirSync(home, { recursive: true })
  const directory = mkdtempSync(join(home, "docstrings-"))
  const files = new Map<string, Example>()
  for (const example of examples) {
    const file = join(directory, `${files.size}.${basename(example.file, ".ts")}.${example.name}.ts`)
    // On the lines that it has in its docstring, so that errors name those.
    writeFileSync(file, "\n".repeat(example.line - 1) + example.code)
    files.set(file, example)
  }
  const locate = ({ file, line, message }: Finding): string => {
    const example = files.get(file)
    const place = example === undefined ? file : `${example.file}:${line ?? example.line} ${example.name}`
    return `${place}: ${indent(message)}`
  }

  try {
    const names = [...files.keys()]
    // In a process of its own, beside the compiler in this one.
    const running = run(names, patience)
    const findings = [...typeCheck(names), ...(await running)]
    return {
      exports,
      examples: examples.length,
      problems: [...problems, ...findings.map(locate)]
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
