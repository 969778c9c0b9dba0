// Removes each safeguard in defences.json from a copy of the packages and runs its test, which must fail. With the
// safeguards in place, `test` shows that they all pass.
import { spawnSync } from "node:child_process"
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

interface Defence {
  readonly name: string
  readonly file: string
  /** Occurs once in the file. */
  readonly code: string
  /** Replaces the code. */
  readonly without: string
  readonly test: { readonly file: string; readonly title: string }
}

const defences: ReadonlyArray<Defence> = JSON.parse(
  readFileSync(new URL("defences.json", import.meta.url), "utf8")
)

const home = process.cwd()
const copy = mkdtempSync(join(tmpdir(), "defences-"))

// Links between the packages are relative, so the copy's lead to the copy.
for (const name of [
  "packages",
  "package.json",
  "tsconfig.base.json",
  "tsconfig.json",
  "vitest.config.ts",
  "vitest.setup.ts"
])
  cpSync(join(home, name), join(copy, name), { recursive: true, verbatimSymlinks: true })
symlinkSync(join(home, "node_modules"), join(copy, "node_modules"))

/** The number of tests with this title that fail. */
const countFailures = ({ file, title }: Defence["test"]): number => {
  const report = join(copy, "report.json")
  const pattern = title.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
  spawnSync(
    join(home, "node_modules/.bin/vitest"),
    ["run", file, "-t", pattern, "--reporter=json", `--outputFile=${report}`],
    { cwd: copy, stdio: "ignore" }
  )
  const { numFailedTests } = JSON.parse(readFileSync(report, "utf8"))
  rmSync(report)
  return numFailedTests
}

const check = ({ code, file, test, without }: Defence): string | undefined => {
  const source = readFileSync(join(home, file), "utf8")
  if (source.split(code).length !== 2) return `${file} does not contain this exactly once: ${code}`
  writeFileSync(
    join(copy, file),
    source.replace(code, () => without)
  )
  const failures = countFailures(test)
  writeFileSync(join(copy, file), source)
  return failures > 0 ? undefined : `no test fails without it: ${test.title}`
}

let held = 0
try {
  for (const defence of defences) {
    const problem = check(defence)
    if (problem === undefined) held += 1
    console.log(problem === undefined ? `ok   ${defence.name}` : `FAIL ${defence.name}\n       ${problem}`)
  }
} finally {
  rmSync(copy, { recursive: true, force: true })
}
console.log(`defences: ${held}/${defences.length}`)
process.exitCode = held === defences.length ? 0 : 1
