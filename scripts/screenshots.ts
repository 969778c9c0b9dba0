// Makes the pictures of the documentation: the site's home page, the sandbox's page, and the command line.
import * as Fault from "@effect-pleo/testing/Fault"
import * as Sandbox from "@effect-pleo/testing/Sandbox"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Browser } from "playwright-core"
import "../docs/src/build.ts"
import { serve } from "../docs/src/serve.ts"
import { runInTerminal } from "../packages/cli/test/support/command.ts"
import { ansiPage } from "./support/ansiPage.ts"
import { withChromium } from "./support/chromium.ts"

const viewport = { width: 1100, height: 640 }

const update = (url: string, token: string, body: object) =>
  fetch(`${url}/v1/installations/me`, {
    method: "PUT",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(body)
  })

const homePage = async (browser: Browser) => {
  const { close, origin } = await serve()
  const page = await browser.newPage({ viewport })
  await page.goto(origin, { waitUntil: "networkidle" })
  await page.screenshot({ path: "docs/public/home.png" })
  close()
}

/** With what a program and a person did there. */
const sandboxPage = async (browser: Browser, url: string) => {
  const page = await browser.newPage({ viewport })
  await page.goto(url)
  await page.getByText("Connected.").waitFor()
  await update(url, "a", { status: "PENDING_INTEGRATION" })
  await update(url, "b", { status: "ERROR", errorCode: "AUTH_ERROR" })
  await page.getByRole("button", { name: "Inject" }).click()
  await page.getByText("1 left").waitFor()
  await update(url, "a", { status: "ACTIVATED", metadata: { taxCodes: 42 } })
  await update(url, "a", { status: "ACTIVATED", metadata: { taxCodes: 42 } })
  await page.getByLabel("Times").fill("3")
  await page.getByRole("button", { name: "Inject" }).click()
  await page.getByText("3 left").waitFor()
  await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur())
  await page.screenshot({ path: "docs/public/sandbox.png" })
}

/** A command as it was typed, and its output in a terminal. */
const typed = async (url: string, command: string): Promise<string> => {
  const environment = { PLEO_SERVER: url, PLEO_ACCESS_TOKEN: "token" }
  const { stdout } = await Effect.runPromise(runInTerminal(command.split(" "), environment))
  return `\u001b[2m$\u001b[0m effect-pleo ${command}\n${stdout}`
}

const commandLine = async (browser: Browser, { inject, url }: Sandbox.Sandbox["Type"]) => {
  const updated = await typed(url, "update ACTIVATED --metadata taxCodes=42")
  await Effect.runPromise(inject(Fault.status(403)))
  const page = await browser.newPage({ viewport: { width: 1100, height: 100 } })
  await page.setContent(ansiPage(`${updated}\n${await typed(url, "update INACTIVE")}`))
  await page.screenshot({ path: "docs/public/command-line.png", fullPage: true })
}

const pictures = Effect.gen(function* () {
  const sandbox = Effect.map(Layer.build(Sandbox.layer()), Context.get(Sandbox.Sandbox))
  const [forPage, forCommands] = yield* Effect.all([sandbox, sandbox])
  yield* Effect.promise(() =>
    withChromium(async (browser) => {
      await homePage(browser)
      await sandboxPage(browser, forPage.url)
      await commandLine(browser, forCommands)
    })
  )
})

await Effect.runPromise(Effect.scoped(pictures))
