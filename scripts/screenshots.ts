// Makes the pictures of the documentation: the sandbox's page, with what a program and a person did there.
import * as Sandbox from "@effect-pleo/testing/Sandbox"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { withChromium } from "./support/chromium.ts"

const update = (url: string, token: string, body: object) =>
  fetch(`${url}/v1/installations/me`, {
    method: "PUT",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(body)
  })

const sandboxPage = Effect.gen(function* () {
  const { url } = Context.get(yield* Layer.build(Sandbox.layer()), Sandbox.Sandbox)
  yield* Effect.promise(() =>
    withChromium(async (browser) => {
      const page = await browser.newPage({ viewport: { width: 1100, height: 640 } })
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
    })
  )
})

await Effect.runPromise(Effect.scoped(sandboxPage))
