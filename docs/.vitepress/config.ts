import { readFileSync } from "node:fs"
import { type DefaultTheme, defineConfig } from "vitepress"
import type { Index } from "../src/api.ts"
import { linkCode } from "../src/linkCode.ts"

// `generate` has written it.
const { links, packages }: Index = JSON.parse(
  readFileSync(new URL("../api/index.json", import.meta.url), "utf8")
)

const guides: Array<DefaultTheme.SidebarItem> = [
  { text: "Getting started", link: "/guide/getting-started" },
  { text: "Errors and retries", link: "/guide/errors-and-retries" },
  { text: "Testing", link: "/guide/testing" },
  { text: "Connect a customer", link: "/guide/connect-a-customer" },
  { text: "OAuth and tenants", link: "/guide/oauth-and-tenants" },
  { text: "Observability", link: "/guide/observability" },
  { text: "Sandbox", link: "/guide/sandbox" },
  { text: "Recipes", link: "/guide/recipes" },
  { text: "Migrating from a hand-written client", link: "/guide/migrating" }
]

const modules: Array<DefaultTheme.SidebarItem> = packages.map(({ modules, name }) => ({
  text: name,
  items: modules.map(({ link, name }) => ({ text: name, link }))
}))

export default defineConfig({
  lang: "en",
  title: "effect-pleo",
  description: "Update an installation of the Pleo App Marketplace from an Effect application",
  head: [["link", { rel: "icon", type: "image/svg+xml", href: "/icon.svg" }]],
  srcExclude: ["node_modules/**"],
  markdown: {
    theme: { light: "github-light", dark: "github-dark" },
    config: (md) => {
      md.use(linkCode, new Map(Object.entries(links)))
    }
  },
  themeConfig: {
    logo: "/icon.svg",
    nav: [
      { text: "Guide", link: "/guide/getting-started", activeMatch: "^/guide/" },
      { text: "API", link: "/api/", activeMatch: "^/api/" }
    ],
    sidebar: {
      "/guide/": [{ text: "Guide", items: guides }],
      "/api/": [{ text: "Overview", link: "/api/" }, ...modules]
    },
    outline: [2, 3],
    search: { provider: "local" },
    externalLinkIcon: true,
    footer: { message: "MIT licence. This is not an official Pleo product." }
  }
})
