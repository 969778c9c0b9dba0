// Builds the site: the API's pages out of the docstrings, then everything. A link that leads nowhere ends it.
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "vitepress"
import { generate } from "./api.ts"

const dist = fileURLToPath(new URL("../.vitepress/dist", import.meta.url))

/** VitePress itself looks whether there is such a page, and not whether the page has what is after the `#`. */
const deadAnchors = (): ReadonlyArray<string> => {
  const pages = new Map(
    readdirSync(dist, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".html"))
      .map((file) => [`/${file.replaceAll("\\", "/")}`, readFileSync(join(dist, file), "utf8")])
  )
  return Array.from(pages).flatMap(([path, html]) =>
    Array.from(html.matchAll(/<a [^>]*?href="([^"]*#[^"]+)"/g), ([, href = ""]) => href).filter((href) => {
      const { hash, origin, pathname } = new URL(href, `http://localhost${path}`)
      const target = pages.get(pathname.replace(/\/$/, "/index.html"))
      return origin === "http://localhost" && !target?.includes(` id="${decodeURIComponent(hash.slice(1))}"`)
    })
  )
}

try {
  await generate()
  await build(fileURLToPath(new URL("..", import.meta.url)))
  const dead = new Set(deadAnchors())
  if (dead.size > 0) throw new Error(`These lead to nothing on their pages: ${Array.from(dead).join(", ")}`)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
