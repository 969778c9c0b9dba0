// Compares the size of our own code in the first example of the README, minified and compressed, with the recorded one.
// Exits with 1 when it is larger. --record records it, and a budget of 3 % more.
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
