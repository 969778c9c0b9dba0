// Builds the site: the API's pages out of the docstrings, then everything. A link that leads nowhere ends it.
import { fileURLToPath } from "node:url"
import { build } from "vitepress"
import { generate } from "./api.ts"

await generate()
await build(fileURLToPath(new URL("..", import.meta.url)))
