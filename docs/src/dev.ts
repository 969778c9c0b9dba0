// The site while it is written: guides change in the browser as they are saved, the API with its sources.
import { watch } from "node:fs"
import { fileURLToPath } from "node:url"
import { createServer } from "vitepress"
import { packages } from "../../scripts/support/modules.ts"
import { generate } from "./api.ts"

await generate()
const server = await createServer(fileURLToPath(new URL("..", import.meta.url)))
await server.listen()
server.printUrls()

let last: Promise<void> = Promise.resolve()
let timer: NodeJS.Timeout | undefined
const regenerate = () => {
  clearTimeout(timer)
  // A save is several events, and a docstring in the middle of a sentence is no reason to stop.
  timer = setTimeout(() => {
    last = last.then(generate).catch((error) => console.error(error))
  }, 200)
}
for (const name of packages)
  watch(fileURLToPath(new URL(`../../packages/${name}/src`, import.meta.url)), regenerate)
