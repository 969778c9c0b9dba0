import { readFileSync } from "node:fs"
import { type DefaultTheme, defineConfig } from "vitepress"
import type { Index } from "../src/api.ts"
import { linkCode } from "../src/linkCode.ts"

// `generate` has written it.
const { links, packages }: Index = JSON.parse(
  readFileSync(new URL("../api/index.json", import.meta.url), "utf8")
)

const { version }: { readonly version: string } = JSON.parse(
  readFileSync(new URL("../../packages/core/package.json", import.meta.url), "utf8")
)

const guides: Array<DefaultTheme.SidebarItem> = [
  { text: "Getting started", link: "/guide/getting-started" },
  { text: "Errors and retries", link: "/guide/errors-and-retries" },
  { text: "Testing", link: "/guide/testing" },
  { text: "Connect a customer", link: "/guide/connect-a-customer" },
  { text: "OAuth and tenants", link: "/guide/oauth-and-tenants" },
  { text: "Many installations at once", link: "/guide/fleet" },
  { text: "Observability", link: "/guide/observability" },
  { text: "Sandbox", link: "/guide/sandbox" },
  { text: "Recipes", link: "/guide/recipes" },
  { text: "Migrating from a hand-written client", link: "/guide/migrating" }
]

const modules: Array<DefaultTheme.SidebarItem> = packages.map(({ modules, name }) => ({
  text: name,
  items: modules.map(({ link, name }) => ({ text: name, link }))
}))

const description = "Report the status of a Pleo App Marketplace installation from an Effect application"

export default defineConfig({
  lang: "en",
  title: "effect-pleo",
  description,
  head: [
    ["link", { rel: "icon", type: "image/svg+xml", href: "/icon.svg" }],
    ["meta", { property: "og:type", content: "website" }],
    ["meta", { property: "og:site_name", content: "effect-pleo" }],
    ["meta", { property: "og:description", content: description }]
  ],
  transformHead: ({ title }) => [["meta", { property: "og:title", content: title }]],
  srcExclude: ["node_modules/**"],
  markdown: {
    theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
    config: (md) => {
      md.use(linkCode, new Map(Object.entries(links)))
    }
  },
  themeConfig: {
    logo: "/icon.svg",
    nav: [
      { text: "Guide", link: "/guide/getting-started", activeMatch: "^/guide/" },
      { text: "API", link: "/api/", activeMatch: "^/api/" },
      { text: version === "0.0.0" ? "not released" : `v${version}`, link: "/guide/getting-started#install" }
    ],
    sidebar: {
      "/guide/": [{ text: "Guide", items: guides }],
      "/api/": [{ text: "Overview", link: "/api/" }, ...modules]
    },
    outline: [2, 3],
    search: {
      provider: "local",
      options: {
        detailedView: true,
        miniSearch: {
          searchOptions: {
            // People look for a task before they look for a name.
            boostDocument: (id: string) => (id.startsWith("/guide/") ? 4 : 1)
          }
        }
      }
    },
    notFound: {
      title: "This page does not exist",
      quote: "It may have moved. The guides and the search lead on.",
      linkLabel: "To the first page",
      linkText: "To the first page"
    },
    externalLinkIcon: true,
    footer: { message: "MIT license. This is not an official Pleo product." }
  }
})
