// Builds the site and looks at it in a browser: every page at two widths, light and dark, and where every link leads.
// With a directory as its argument, it leaves a picture of each page there.
import { mkdirSync, readdirSync } from "node:fs"
import { join, relative } from "node:path"
import type { Browser, BrowserContextOptions, Page } from "playwright-core"
import { violationsOf } from "../../scripts/support/axe.ts"
import { withChromium } from "../../scripts/support/chromium.ts"
import "./build.ts"
import { dist, serve } from "./serve.ts"

const [pictures] = process.argv.slice(2)

const problems = new Set<string>()

const views: ReadonlyArray<{ readonly name: string } & BrowserContextOptions> = [1280, 375].flatMap((width) =>
  (["light", "dark"] as const).map((colorScheme) => ({
    name: `${width} ${colorScheme}`,
    viewport: { width, height: 800 },
    colorScheme,
    reducedMotion: "reduce" as const
  }))
)

/** What goes wrong on a page by itself becomes a problem of where it is just then. */
const openPage = async (browser: Browser, origin: string, view: (typeof views)[number]): Promise<Page> => {
  const page = await (await browser.newContext(view)).newPage()
  // A busy machine is no problem of the site.
  page.setDefaultTimeout(120_000)
  const report = (what: string) => {
    problems.add(`${new URL(page.url()).pathname} (${view.name}): ${what}`)
  }
  await page.route(
    ({ origin: it, protocol }) => protocol !== "data:" && it !== origin,
    (route) => {
      report(`a request to another host: ${route.request().url()}`)
      return route.abort()
    }
  )
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) report(message.text())
  })
  page.on("pageerror", (error) => report(error.message))
  page.on("requestfailed", (request) => {
    // A link that is about to be followed is fetched ahead, and given up when another page comes first.
    if (request.failure()?.errorText !== "net::ERR_ABORTED") report(`no response for ${request.url()}`)
  })
  page.on("response", (response) => {
    if (response.status() >= 400) report(`${response.status()} for ${response.url()}`)
  })
  return page
}

/** Opens a page, and waits until it is not only written but alive: Vue tells of what it finds to be wrong then. */
const goto = async (page: Page, url: string): Promise<void> => {
  await page.goto(url)
  await page.waitForFunction(() => "__vue_app__" in (document.querySelector("#app") ?? {}))
  await page.evaluate(() => new Promise((resolve) => requestIdleCallback(resolve)))
}

interface Found {
  readonly ids: ReadonlySet<string>
  readonly links: ReadonlyArray<string>
}

/** What is looked at on each page. */
const look = async (page: Page, path: string, view: (typeof views)[number]): Promise<Found> => {
  const found = await page.evaluate(() => ({
    width: document.scrollingElement?.scrollWidth ?? 0,
    available: window.innerWidth,
    isDark: document.documentElement.classList.contains("dark"),
    title: document.querySelector("h1")?.textContent ?? "",
    cut: Array.from(document.querySelectorAll("div[class*='language-'] pre"))
      .filter(({ clientWidth, scrollWidth }) => scrollWidth > clientWidth)
      .map(({ textContent }) => (textContent ?? "").trim().split("\n")[0]),
    ids: Array.from(document.querySelectorAll("[id]"), ({ id }) => id),
    links: Array.from(document.querySelectorAll<HTMLAnchorElement>("a[href]"), ({ href }) => href)
  }))
  const where = `${path} (${view.name})`
  if (found.width > found.available)
    problems.add(`${where}: scrolls sideways, ${found.width} pixels in ${found.available}`)
  if (view.viewport?.width === 1280)
    for (const code of found.cut) problems.add(`${where}: a block of code is cut off: ${code}`)
  if (found.isDark !== (view.colorScheme === "dark")) problems.add(`${where}: not ${view.colorScheme}`)
  if (found.title.trim() === "") problems.add(`${where}: has no title`)
  return { ids: new Set(found.ids), links: found.links }
}

/** All pages in one view. */
const openAll = async (
  browser: Browser,
  origin: string,
  paths: ReadonlyArray<string>,
  view: (typeof views)[number]
) => {
  const page = await openPage(browser, origin, view)
  const found = new Map<string, Found>()
  for (const path of paths) {
    await goto(page, origin + path)
    found.set(path, await look(page, path, view))
    // The pages of the API are alike.
    if (view.name === "1280 light" || (view.name === "1280 dark" && !path.startsWith("/api/core")))
      for (const violation of await violationsOf(page)) problems.add(`${path} (${view.name}): ${violation}`)
    if (pictures !== undefined)
      await page.screenshot({ path: join(pictures, `${view.name}${path.replaceAll("/", " ")}.png`) })
  }
  await page.close()
  return found
}

/** Internal links lead to a page, and to something on it; external ones have an address of the right form. */
const follow = (origin: string, pages: ReadonlyMap<string, Found>) => {
  const external = new Set<string>()
  let count = 0
  for (const [path, { links }] of pages)
    for (const href of links) {
      count += 1
      const url = new URL(href)
      if (url.origin !== origin) {
        external.add(href)
        if (url.protocol !== "https:") problems.add(`${path}: ${href} is not https`)
        continue
      }
      const target = pages.get(url.pathname.replace(/\/index\.html$/, "/"))
      const id = decodeURIComponent(url.hash.slice(1))
      if (target === undefined) problems.add(`${path}: ${href} leads to no page`)
      else if (id !== "" && !target.ids.has(id)) problems.add(`${path}: ${href} leads to nothing on its page`)
    }
  return { count, external }
}

/** Goes from page to page without loading any, as readers do. */
const walk = async (browser: Browser, origin: string, start: string): Promise<void> => {
  const [view] = views
  if (view === undefined) return
  const page = await openPage(browser, origin, view)
  await goto(page, origin + start)
  const links = page.locator(".VPSidebar a")
  for (let index = 0; index < (await links.count()); index++) {
    const link = links.nth(index)
    const path = (await link.getAttribute("href")) ?? ""
    await link.click()
    await page.waitForURL(origin + path)
    const title = await page.locator("h1").first().textContent()
    if (!title) problems.add(`${path}: is not shown when a link to it is followed`)
  }
  await page.close()
}

/** Likely searches, and the guide that answers each. */
const searches = [
  ["install", "/guide/getting-started"],
  ["retry", "/guide/errors-and-retries"],
  ["authorization code", "/guide/connect-a-customer"],
  ["testing", "/guide/testing"],
  ["proxy", "/guide/recipes"]
] as const

const search = async (browser: Browser, origin: string): Promise<void> => {
  for (const view of views) {
    const page = await openPage(browser, origin, view)
    await goto(page, `${origin}/`)
    await page.locator(".VPNavBarSearch button").first().click()
    for (const [words, address] of searches) {
      await page.locator("#localsearch-input").fill(words)
      const first = page.locator(".VPLocalSearchBox .result").first()
      await page
        .waitForFunction(
          (address) =>
            document.querySelector<HTMLAnchorElement>(".VPLocalSearchBox .result")?.href.includes(address),
          address,
          { timeout: 30_000 }
        )
        .catch(async () => {
          const found = await first.getAttribute("href", { timeout: 1000 }).catch(() => null)
          problems.add(`search (${view.name}): ${words} finds ${found} first, not ${address}`)
        })
    }
    if (pictures !== undefined) await page.screenshot({ path: join(pictures, `${view.name} search.png`) })
    await page.close()
  }
}

/** A page that is not there says so. */
const miss = async (browser: Browser, origin: string): Promise<void> => {
  const page = await browser.newPage()
  const response = await page.goto(`${origin}/not/there`)
  if (response?.status() !== 404 || !(await page.getByText("This page does not exist").isVisible()))
    problems.add("/not/there: no page that says that it is not there")
  await page.close()
}

const paths = readdirSync(dist, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".html") && file !== "404.html")
  .map(
    (file) =>
      `/${relative(dist, join(dist, file))
        .replaceAll("\\", "/")
        .replace(/(^|\/)index\.html$/, "$1")}`
  )
  .sort()

if (pictures !== undefined) mkdirSync(pictures, { recursive: true })
const { close, origin } = await serve()
try {
  await withChromium(async (browser) => {
    const found = await Promise.all(views.map((view) => openAll(browser, origin, paths, view)))
    const { count, external } = follow(origin, found[0] ?? new Map())
    for (const start of ["/guide/getting-started.html", "/api/"]) await walk(browser, origin, start)
    await search(browser, origin)
    await miss(browser, origin)

    console.log(
      `Not followed, since they lead elsewhere:\n${[...external]
        .sort()
        .map((it) => `  ${it}`)
        .join("\n")}`
    )
    for (const problem of problems) console.error(problem)
    console.log(`docs: ${paths.length} pages, ${count} links, ${problems.size} problems`)
  })
} finally {
  close()
}
if (paths.length === 0 || problems.size > 0) process.exitCode = 1
