// Takes each defence out of a copy of the packages and runs the test that is there for it, which has to fail. The
// table in CONTRIBUTING.md names them; this holds the table against what it finds.
import { execFileSync } from "node:child_process"
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

interface Defence {
  readonly name: string
  readonly file: string
  /** What stands there, once, and what it becomes without the defence. */
  readonly code: string
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

/** How many tests of this title passed and failed. */
const run = ({ file, title }: Defence["test"]): { readonly passed: number; readonly failed: number } => {
  const report = join(copy, "report.json")
  const pattern = title.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
  try {
    execFileSync(
      join(home, "node_modules/.bin/vitest"),
      ["run", file, "-t", pattern, "--reporter=json", `--outputFile=${report}`],
      { cwd: copy, stdio: "ignore" }
    )
  } catch {
    // A test failed: that is what this is about.
  }
  const { numFailedTests, numPassedTests } = JSON.parse(readFileSync(report, "utf8"))
  rmSync(report)
  return { passed: numPassedTests, failed: numFailedTests }
}

const table = readFileSync("CONTRIBUTING.md", "utf8").replace(/ +/g, " ")
let held = 0
try {
  for (const { code, file, name, test, without } of defences) {
    const source = readFileSync(join(home, file), "utf8")
    const problems: Array<string> = []
    if (source.split(code).length !== 2) problems.push(`${file} has not exactly one: ${code}`)
    if (!table.includes(`| ${name} | ${test.title} |`)) problems.push("no such row in CONTRIBUTING.md")
    const { failed: failedBefore, passed: passedBefore } = run(test)
    if (passedBefore === 0 || failedBefore > 0) problems.push("its test does not pass with it")
    writeFileSync(
      join(copy, file),
      source.replace(code, () => without)
    )
    if (run(test).failed === 0) problems.push("its test passes without it")
    writeFileSync(join(copy, file), source)
    if (problems.length === 0) held += 1
    console.log(`${problems.length === 0 ? "ok  " : "FAIL"} ${[name, ...problems].join("\n       ")}`)
  }
} finally {
  rmSync(copy, { recursive: true, force: true })
}
console.log(`defences: ${held}/${defences.length}`)
process.exitCode = held === defences.length ? 0 : 1
