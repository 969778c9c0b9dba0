// A person looks at the sandbox's page while a program updates an installation.
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Page } from "playwright-core"
import { violationsOf } from "../../../scripts/support/axe.ts"
import { withChromium } from "../../../scripts/support/chromium.ts"
import * as Sandbox from "../src/Sandbox.ts"

const views = [1280, 375].flatMap((width) =>
  (["light", "dark"] as const).map((scheme) => [width, scheme] as const)
)

/** Opens the page of a sandbox of its own. No console error and no foreign request is allowed. */
const open = (
  width: number,
  colorScheme: "light" | "dark",
  use: (page: Page, url: string) => Promise<void>,
  expected = /^$/
) =>
  Effect.gen(function* () {
    const { url } = Context.get(yield* Layer.build(Sandbox.layer()), Sandbox.Sandbox)
    yield* Effect.promise(() =>
      withChromium(async (browser) => {
        const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme })
        const problems: Array<string> = []
        page.on("console", (message) => {
          if (["error", "warning"].includes(message.type())) problems.push(message.text())
        })
        page.on("pageerror", ({ message }) => problems.push(message))
        page.on("request", (request) => {
          if (new URL(request.url()).origin !== url) problems.push(`a request to ${request.url()}`)
        })
        await page.goto(url)
        await page.getByText("Connected.").waitFor()
        await use(page, url)
        expect(await violationsOf(page)).toEqual([])
        const [wide, available] = await page.evaluate(() => [
          document.documentElement.scrollWidth,
          window.innerWidth
        ])
        expect(wide).toBeLessThanOrEqual(available ?? 0)
        expect(problems.filter((problem) => !expected.test(problem))).toEqual([])
      })
    )
  }).pipe(Effect.scoped)

const update = async (url: string) => {
  const { status } = await fetch(`${url}/v1/installations/me`, {
    method: "PUT",
    headers: { authorization: "Bearer canary-token", "content-type": "application/json" },
    body: JSON.stringify({ status: "ERROR", errorCode: "AUTH_ERROR", metadata: { plan: "<b>team</b>" } })
  })
  return status
}

const consentUrl = (url: string) =>
  `${url}/oauth/authorize?${new URLSearchParams({
    response_type: "code",
    client_id: "my-app",
    redirect_uri: `${url}/`,
    scope: "users:read",
    state: "the-state",
    code_challenge: "A".repeat(43),
    code_challenge_method: "S256"
  })}`

/** Presses Tab until an element has the focus. */
const tabTo = async (page: Page, selector: string) => {
  for (let presses = 0; presses < 30; presses++) {
    await page.keyboard.press("Tab")
    if (await page.evaluate((selector) => document.activeElement?.matches(selector) === true, selector))
      return
  }
  throw new Error(`the keyboard does not reach ${selector}`)
}

describe.each(views)("the sandbox's page, %i pixels wide and %s", (width, scheme) => {
  it.live("shows an update as it arrives, and faults from their injection until they are taken back", () =>
    open(width, scheme, async (page, url) => {
      const last = page.locator("#requests li").first()
      expect(await update(url)).toBe(200)
      await last.getByText("200").waitFor()
      expect(await last.textContent()).toContain("PUT /v1/installations/me")
      const installation = page.locator("#installations li")
      expect(await installation.textContent()).toMatch(/ERROR[\s\S]*AUTH_ERROR[\s\S]*<b>team<\/b>/)
      expect(await page.content()).not.toContain("canary-token")

      await page.getByLabel("Times").fill("2")
      await page.getByRole("button", { name: "Inject" }).click()
      const pending = page.locator("#faults li")
      await pending.getByText("2 left").waitFor()
      expect(await update(url)).toBe(503)
      await pending.getByText("1 left").waitFor()
      await last.getByText("503").first().waitFor()
      await pending.getByRole("button").click()
      await page.getByText("None pending.").waitFor()
      expect(await update(url)).toBe(200)
    })
  )
})

describe("the sandbox's page", () => {
  it.live("is used by keyboard only: a fault, its end, and a consent", () =>
    open(1280, "light", async (page, url) => {
      await tabTo(page, "#kind")
      await page.keyboard.press("ArrowDown")
      await tabTo(page, "#duration")
      await page.keyboard.press("ControlOrMeta+a")
      await page.keyboard.type("1")
      await page.keyboard.press("Enter")
      const pending = page.locator("#faults li")
      await pending.getByText("delay").first().waitFor()
      await tabTo(page, "#faults button")
      await page.keyboard.press("Enter")
      await page.getByText("None pending.").waitFor()
      expect(await page.evaluate(() => document.activeElement?.id)).toBe("faults-title")

      await page.goto(consentUrl(url))
      expect(await violationsOf(page)).toEqual([])
      await tabTo(page, "button[value=approve]")
      await page.keyboard.press("Enter")
      await page.waitForURL(`${url}/?code=*`)
      await page.locator("#grants li").getByText("Acme").first().waitFor()
    })
  )

  it.live("keeps the focus of a button while its list changes", () =>
    open(1280, "light", async (page, url) => {
      const grants = page.locator("#grants li")
      await fetch(`${url}/sandbox/grants`, { method: "POST" })
      await grants.first().waitFor()
      await tabTo(page, "[id^=revoke-]")
      await fetch(`${url}/sandbox/grants`, { method: "POST" })
      await grants.nth(1).waitFor()
      await page.keyboard.press("Enter")
      await grants.first().getByText("revoked").waitFor()
      expect(await page.evaluate(() => document.activeElement?.id)).toBe("grants-title")
    })
  )

  it.live("says what is wrong with a fault that it refuses", () =>
    open(
      375,
      "light",
      async (page) => {
        await page.getByLabel("Path").fill("no-slash")
        await page.getByRole("button", { name: "Inject" }).click()
        await page.getByRole("alert").getByText("path").waitFor()
      },
      /status of 400/
    )
  )
})
