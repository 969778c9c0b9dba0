// Every export of every public module has a summary, @since, @category and an @example, and every example compiles
// under the strict options of this repository and runs. It exits with 1 when one does not.
import { check } from "./docstrings/check.ts"
import { publicModules } from "./support/modules.ts"

const { examples, exports, problems } = await check(publicModules().map(({ path }) => path))
for (const problem of problems) console.error(problem)
console.log(`docstrings: ${exports} exports, ${examples} examples, ${problems.length} problems`)
process.exitCode = problems.length === 0 ? 0 : 1
