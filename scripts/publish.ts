// Publishes the tarballs of a directory, each after those of them that it depends on. A version that is published
// already is left alone, so a release that stopped half way can be run again. Further arguments are npm's.
// It needs Node.js and npm and nothing else: where there is the right to publish, nothing has to be installed.
import { execFileSync, spawnSync } from "node:child_process"
import { readdirSync } from "node:fs"
import { join } from "node:path"

interface Package {
  readonly file: string
  readonly name: string
  readonly version: string
  readonly dependencies: ReadonlyArray<string>
}

const read = (file: string): Package => {
  const text = execFileSync("tar", ["-xOf", file, "package/package.json"], { encoding: "utf8" })
  const inner = /"(?:workspace|catalog):[^"]*"/.exec(text)
  if (inner !== null) throw new Error(`${file} has ${inner[0]}, which only this repository understands`)
  const { dependencies = {}, name, version } = JSON.parse(text)
  return { file, name, version, dependencies: Object.keys(dependencies) }
}

const inOrder = (packages: ReadonlyArray<Package>): ReadonlySet<Package> => {
  const ordered = new Set<Package>()
  const add = (each: Package): void => {
    for (const other of packages) if (each.dependencies.includes(other.name)) add(other)
    ordered.add(each)
  }
  packages.forEach(add)
  return ordered
}

const isPublished = ({ name, version }: Package): boolean => {
  const { error, status, stdout } = spawnSync("npm", ["view", `${name}@${version}`, "version", "--json"], {
    encoding: "utf8"
  })
  if (error !== undefined) throw error
  // Of a package without this version it says nothing, and of one without any that it is not found.
  if (status === 0) return stdout.trim() !== ""
  const said = JSON.parse(stdout).error
  if (said?.code !== "E404") throw new Error(`npm view ${name}: ${said?.code} ${said?.summary}`)
  return false
}

const [directory, ...options] = process.argv.slice(2)
if (directory === undefined) throw new Error("which directory are the tarballs in?")
const files = readdirSync(directory).filter((name) => name.endsWith(".tgz"))
if (files.length === 0) throw new Error(`there are no tarballs in ${directory}`)

for (const each of inOrder(files.map((name) => read(join(directory, name))))) {
  const title = `${each.name}@${each.version}`
  if (isPublished(each)) {
    console.log(`${title} is published already`)
    continue
  }
  const { error, status } = spawnSync("npm", ["publish", each.file, ...options], {
    stdio: "inherit"
  })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`npm could not publish ${title}`)
  console.log(`${title} is published`)
}
