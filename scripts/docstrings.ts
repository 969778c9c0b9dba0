// Every export of every public module has a summary, @since, @category and an @example, and every example compiles
// under the strict options of this repository and runs. It exits with 1 when one does not.
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { check } from "./docstrings/check.ts"

/** The modules that a package exports. Its index names the same ones once more. */
const publicModules = (name: string): ReadonlyArray<string> => {
  const directory = fileURLToPath(new URL(`../packages/${name}`, import.meta.url))
  const { exports } = JSON.parse(readFileSync(`${directory}/package.json`, "utf8"))
  return readdirSync(`${directory}/src`)
    .filter((file) => file.endsWith(".ts") && file !== "index.ts")
    .filter((file) => exports[`./${file.replace(/\.ts$/, "")}`] !== null)
    .map((file) => `${directory}/src/${file}`)
}

const { examples, exports, problems } = await check(["core", "node", "sql", "sandbox"].flatMap(publicModules))
for (const problem of problems) console.error(problem)
console.log(`docstrings: ${exports} exports, ${examples} examples, ${problems.length} problems`)
process.exitCode = problems.length === 0 ? 0 : 1
