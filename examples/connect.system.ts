// A person connects a customer in a browser: the web application, the
// sandbox's consent page, and back.
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Sandbox from "@effect-pleo/testing/Sandbox"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Page } from "playwright-core"
import { compile } from "../packages/node/test/support/program.ts"
import { withChromium } from "../scripts/support/chromium.ts"

const freePort = Effect.async<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port =
      typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** Waits for the first line of the log, with the address. */
const listening = (child: ChildProcess) =>
  Effect.async<void>((resume) => {
    let output = ""
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (chunk) => {
        output += chunk
        if (output.includes("Listening on")) resume(Effect.void)
      })
    child.once("exit", () => resume(Effect.dieMessage(output)))
  })

/** A sandbox, the example as a process of its own, and its address. */
const setUp = (options: Sandbox.Options = {}) =>
  Effect.gen(function* () {
    const port = yield* freePort
    const url = `http://localhost:${port}`
    const redirectUri = `${url}/callback`
    const sandbox = Context.get(
      yield* Layer.build(
        Sandbox.layer({
          clientId: "my-app",
          redirectUris: [redirectUri],
          ...options
        })
      ),
      Sandbox.Sandbox
    )
    const directory = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "connect-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true }))
    )
    const program = yield* Effect.promise(() =>
      compile(new URL("connect.ts", import.meta.url))
    )
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, [program], {
          env: {
            PATH: process.env["PATH"],
            ...sandbox.environment,
            PORT: String(port),
            REDIRECT_URI: redirectUri,
            TOKENS: `file:${join(directory, "tokens.db")}`
          }
        })
      ),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    )
    yield* listening(child)
    return { sandbox, url }
  })

type Application = Effect.Effect.Success<ReturnType<typeof setUp>>

/** A person with a browser that has no cookies yet. */
const browse = (
  use: (page: Page, application: Application) => Promise<void>,
  options?: Sandbox.Options
) =>
  Effect.gen(function* () {
    const application = yield* setUp(options)
    yield* Effect.promise(() =>
      withChromium(async (browser) =>
        use(await browser.newPage(), application)
      )
    )
    return application
  }).pipe(Effect.scoped)

const decide = (page: Page, name: "Approve" | "Deny") =>
  page.getByRole("button", { name }).click()

const text = (page: Page) => page.locator("body").textContent()

const connected =
  /^Connected: urn:pleo:company:[-0-9a-f]{36} is ACTIVATED\.$/

describe("connect.ts", () => {
  it.live(
    "connects a customer who approves, and the first update succeeds",
    () =>
      browse(async (page, { sandbox, url }) => {
        await page.goto(`${url}/connect`)
        await decide(page, "Approve")
        expect(await text(page)).toMatch(connected)
        const requests = await Effect.runPromise(sandbox.requests)
        expect(
          requests
            .slice(-3)
            .map(
              ({ method, path, status }) => `${method} ${path} ${status}`
            )
        ).toEqual([
          "POST /oauth/token 200",
          "GET /v1/introspect 200",
          "PUT /v1/installations/me 200"
        ])
      })
  )

  it.live("connects nobody who denies", () =>
    browse(async (page, { sandbox, url }) => {
      await page.goto(`${url}/connect`)
      await decide(page, "Deny")
      expect(await text(page)).toBe("Not connected.")
      const requests = await Effect.runPromise(sandbox.requests)
      expect(
        requests.filter(({ path }) => path === "/oauth/token")
      ).toEqual([])
    })
  )

  it.live("refuses a state that was tampered with, and sends nothing", () =>
    browse(async (page, { sandbox, url }) => {
      await page.goto(`${url}/connect`)
      const consent = new URL(page.url())
      consent.searchParams.set(
        "state",
        `${consent.searchParams.get("state")}A`
      )
      await page.goto(consent.href)
      await decide(page, "Approve")
      expect(await text(page)).toBe("Start again at /connect.")
      const requests = await Effect.runPromise(sandbox.requests)
      expect(
        requests.filter(({ path }) => path === "/oauth/token")
      ).toEqual([])
    })
  )

  it.live(
    "refuses a callback that comes again, and a code that comes again",
    () =>
      browse(async (page, { url }) => {
        await page.goto(`${url}/connect`)
        await decide(page, "Approve")
        expect(await text(page)).toMatch(connected)
        const callback = new URL(page.url())
        await page.goto(callback.href)
        expect(await text(page)).toBe("Start at /connect.")

        await page.goto(`${url}/connect`)
        const { searchParams } = new URL(page.url())
        callback.searchParams.set("state", searchParams.get("state") ?? "")
        await page.goto(callback.href)
        expect(await text(page)).toBe("Start again at /connect.")
      })
  )

  it.live("refuses a code that has expired", () =>
    browse(
      async (page, { sandbox, url }) => {
        await page.goto(`${url}/connect`)
        await decide(page, "Approve")
        expect(await text(page)).toBe("Start again at /connect.")
        const requests = await Effect.runPromise(sandbox.requests)
        expect(requests.at(-1)).toMatchObject({
          path: "/oauth/token",
          status: 400
        })
      },
      { codeExpiresIn: "1 millis" }
    )
  )
})
