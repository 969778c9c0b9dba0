// Every TypeScript block of the documentation is a file that CI compiles and runs: a comment before the block
// names it. This holds the blocks against the files, and with --write puts the files into the blocks.
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { packages } from "./support/modules.ts"

const ofPackages = packages.map((name) => `packages/${name}/README.md`)
const guides = readdirSync("docs/guide").map((name) => `docs/guide/${name}`)
const documents = ["README.md", "CONTRIBUTING.md", "docs/index.md", ...guides, ...ofPackages]
const block = /(?:<!-- (?<path>\S+) -->\n)?```(?:ts|typescript|js)\n(?<code>[\s\S]*?)```/g
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
  if (write) writeFileSync(name, updated)

  for (const line of text.split("\n").filter((line) => /\b(npm|pnpm|yarn|bun) (install|add|i) /.test(line)))
    if (!/ effect@3(\s|$)/.test(line)) problems.push(`${name}: an install line without effect@3: ${line}`)
}

for (const problem of problems) console.error(problem)
process.exitCode = problems.length === 0 ? 0 : 1
