// What the first example of the README takes of our own code, minified and compressed, against what is recorded.
// Exits with 1 when it takes more. --record records what it takes now, and 3 % more for what is to come.
import { readFileSync, writeFileSync } from "node:fs"
import { bundleOwn } from "../bench/src/footprint/bundle.ts"
import { maxOwnSize, needed } from "../bench/src/footprint/size.ts"

const file = new URL("size.json", import.meta.url)
const { gzipped, size } = await bundleOwn(needed)

if (process.argv.includes("--record")) {
  const budget = Math.min(Math.floor(gzipped * 1.03), maxOwnSize)
  writeFileSync(file, `${JSON.stringify({ recorded: gzipped, budget }, null, 2)}\n`)
}

const { budget, recorded } = JSON.parse(readFileSync(file, "utf8"))
const limit = Math.min(budget, maxOwnSize)
console.log(`${gzipped} bytes gzipped, ${size} minified; ${recorded} were recorded, and ${limit} are allowed`)
if (gzipped > limit) {
  console.error(`${gzipped - limit} bytes too many`)
  process.exitCode = 1
}
