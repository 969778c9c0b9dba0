// The imports of an example, which it leaves out.
import { readdirSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { publicModules, root } from "../support/modules.ts"

const resolve = createRequire(join(root, "examples/package.json")).resolve

/** Earlier packages win where two have a module of the same name. */
const libraries = [
  "effect",
  "@effect/platform",
  "@effect/platform-node",
  "@effect/sql",
  "@effect/sql-pg",
  "@effect/sql-libsql"
]

const modulesOf = (library: string): ReadonlyArray<readonly [name: string, specifier: string]> =>
  readdirSync(join(dirname(resolve(`${library}/package.json`)), "dist/dts"))
    .filter((file) => /^[A-Z]\w*\.d\.ts$/.test(file))
    .map((file) => file.replace(".d.ts", ""))
    .map((name) => [name, `${library}/${name}`])

const specifiers: ReadonlyMap<string, string> = new Map([
  ...libraries.toReversed().flatMap(modulesOf),
  ...publicModules().map((module) => [module.name, `@effect-pleo/${module.package}/${module.name}`] as const)
])

/** On one line. An example that has imports gets no others. */
export const importsFor = (code: string): string => {
  if (/^import /m.test(code)) return ""
  const names = new Set(
    Array.from(code.matchAll(/(?<![\w.$"'])([A-Z]\w*)(?=\.\w)/g), ([, name = ""]) => name)
  )
  return Array.from(names)
    .filter((name) => specifiers.has(name))
    .map((name) => `import * as ${name} from "${specifiers.get(name)}";`)
    .join(" ")
}
