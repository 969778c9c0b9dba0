// Every TypeScript block of the documentation is a file that CI compiles and runs: a comment before the block
// names it. This holds the blocks against the files, and with --write puts the files into the blocks. It does
// the same with the table of errors. It also bounds the README, and checks its links, commands and versions.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { published } from "./support/modules.ts"
import { reasons } from "./support/reasons.ts"

const ofPackages = published.map((name) => `packages/${name}/README.md`)
const guides = readdirSync("docs/guide").map((name) => `docs/guide/${name}`)
const documents = ["README.md", "CONTRIBUTING.md", "docs/index.md", ...guides, ...ofPackages]
const block = /(?:<!-- (?<path>\S+) -->\n)?```(?:ts|typescript|js)\n(?<code>[\s\S]*?)```/g
const table = /<!-- reasons -->\n\n(?:\|.*\n)*\n*/
/** A table as it was before it was formatted. */
const unaligned = (text: string) => text.replaceAll(/ +\|/g, " |").replaceAll(/-{3,}/g, "---")

const write = process.argv.includes("--write")
const problems: Array<string> = []

for (const name of documents) {
  const text = readFileSync(name, "utf8")
  const updated = text.replaceAll(block, (whole, path: string | undefined, code: string) => {
    if (path === undefined) {
      problems.push(`${name}: a block of code has no comment that names its file:\n${code}`)
      return whole
    }
    const source = readFileSync(path, "utf8")
    if (source !== code && !write) problems.push(`${name}: the block of ${path} differs from the file`)
    return `<!-- ${path} -->\n\`\`\`ts\n${source}\`\`\``
  })
  const generated = updated.replace(table, (whole) => {
    const expected = `<!-- reasons -->\n\n${reasons}\n\n`
    if (unaligned(whole) === expected) return whole
    if (!write) problems.push(`${name}: the table of reasons differs from the code`)
    return expected
  })
  if (write) writeFileSync(name, generated)

  for (const line of text.split("\n").filter((line) => /\b(npm|pnpm|yarn|bun) (install|add|i) /.test(line)))
    if (!/ effect@3(\s|$)/.test(line)) problems.push(`${name}: an install line without effect@3: ${line}`)
}

/** Words that a newcomer reads in four minutes, beside the code. */
const maxWords = 1000

// A row that is longer is cut off at GitHub's width.
const maxRowLength = 130

const readme = readFileSync("README.md", "utf8")
const prose = readme.replaceAll(/^```[\s\S]*?^```/gm, "")
const words = prose.split(/\s+/).filter((word) => /\w/.test(word)).length
if (words > maxWords) problems.push(`README.md: ${words} words, at most ${maxWords}`)
for (const row of prose.split("\n").filter((line) => line.startsWith("|")))
  if (row.length > maxRowLength)
    problems.push(`README.md: a row of ${row.length} characters, at most ${maxRowLength}: ${row}`)

/** The anchors that GitHub gives to the headings of a document. */
const anchorsOf = (text: string): ReadonlyArray<string> =>
  Array.from(text.matchAll(/^#+ (.+)$/gm), ([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-")
  )

for (const [, target = ""] of readme.matchAll(/\]\((?!https:)([^)]+)\)/g)) {
  const [file = "", anchor] = target.split("#")
  if (!existsSync(file)) problems.push(`README.md: there is no ${file}`)
  else if (anchor !== undefined && !anchorsOf(readFileSync(file, "utf8")).includes(anchor))
    problems.push(`README.md: ${file} has no heading ${anchor}`)
}

const { packageManager, scripts } = JSON.parse(readFileSync("package.json", "utf8"))
for (const [command, version, script = ""] of readme.matchAll(/npx -y (\S+) ([\w:]+)/g))
  if (version !== packageManager || !Object.hasOwn(scripts, script))
    problems.push(`README.md: there is no command ${command}`)

const catalog = readFileSync("pnpm-workspace.yaml", "utf8")
for (const [, name = "", version = ""] of readme.matchAll(
  /(@effect\/[\w-]+|vitest)(?:`? *\| |@|` )(\d[\d.]*)/g
))
  if (!new RegExp(`^  "?${name}"?: ${version.replaceAll(".", "\\.")}\\b`, "m").test(catalog))
    problems.push(`README.md: ${name} is not ${version}`)

for (const problem of problems) console.error(problem)
process.exitCode = problems.length === 0 ? 0 : 1
