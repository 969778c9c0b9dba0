// Checks the docstrings of every public module, compiles their examples under the strict options of this repository, and
// bounds the size of the docstrings and of the public surface. It exits with 1 when a check fails.
import { check, countLines } from "./docstrings/check.ts"
import { publicModules } from "./support/modules.ts"

/** The most names that all packages export together. */
const maxExports = 126

// A docstring with its tags and an example of one line has 10 lines, so a module of one-line exports cannot do with
// fewer docstring lines than code lines.
const linesPerExport = 14

const { examples, modules, problems } = await check(publicModules().map(({ path }) => path))
const exports = modules.reduce((sum, { exports }) => sum + exports, 0)

const core = modules
  .filter(({ file }) => file.startsWith("packages/core/"))
  .map((module) => ({ ...module, ...countLines(module.file) }))
const docstringLines = core.reduce((sum, { docstrings }) => sum + docstrings, 0)
const codeLines = core.reduce((sum, { code }) => sum + code, 0)

const excesses = [
  ...core
    .filter(({ code, docstrings, exports }) => docstrings > Math.max(code, exports * linesPerExport))
    .map(({ code, docstrings, file }) => `${file}: ${docstrings} docstring lines for ${code} lines of code`),
  docstringLines > codeLines ? `core: ${docstringLines} docstring lines for ${codeLines} lines of code` : [],
  exports > maxExports ? `${exports} exports: at most ${maxExports}` : []
].flat()

for (const problem of [...problems, ...excesses]) console.error(problem)
console.log(
  `docstrings: ${exports} exports, ${examples} examples, ${docstringLines} docstring lines for ` +
    `${codeLines} lines of code in core, ${problems.length + excesses.length} problems`
)
process.exitCode = problems.length + excesses.length === 0 ? 0 : 1
