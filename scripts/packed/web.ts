// Where there is fetch and no Node.js: a page in a browser, and a worker.
import { accessSync, constants } from "node:fs"
import { delimiter, join } from "node:path"
import { createContext, runInContext } from "node:vm"
import { build } from "esbuild"
import { chromium } from "playwright-core"

const token = "token-web"

/** The application in one file. */
export const bundle = async (directory: string, conditions: ReadonlyArray<string>): Promise<string> => {
  const { metafile, outputFiles } = await build({
    absWorkingDir: directory,
    entryPoints: ["web.ts"],
    bundle: true,
    minify: true,
    format: "iife",
    platform: "browser",
    target: "es2022",
    conditions: [...conditions],
    metafile: true,
    write: false,
    logLevel: "silent"
  })
  const commonjs = Object.keys(metafile.inputs).filter((file) => file.includes("/dist/cjs/"))
  if (commonjs.length > 0) throw new Error(`CommonJS was bundled, such as ${commonjs[0]}`)
  return outputFiles[0]?.text ?? ""
}

const expectActivated = (status: unknown): void => {
  if (status !== "ACTIVATED") throw new Error(`the status is ${status}`)
}

const isExecutable = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const findChromium = (): string => {
  const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
  const files = (process.env["PATH"] ?? "")
    .split(delimiter)
    .flatMap((path) => names.map((name) => join(path, name)))
  const file = [process.env["CHROMIUM_PATH"], ...files].find(
    (file) => file !== undefined && isExecutable(file)
  )
  if (file === undefined) throw new Error("not available: no chromium in PATH, and no CHROMIUM_PATH")
  return file
}

export const updateInChromium = async (script: string, server: string): Promise<void> => {
  // Whoever is root, as in a container, cannot have Chromium's own sandbox.
  const browser = await chromium.launch({ executablePath: findChromium(), args: ["--no-sandbox"] })
  try {
    const page = await browser.newPage()
    // Of the sandbox's own origin: Pleo's API says nothing of others.
    await page.route("**/page.html", (route) =>
      route.fulfill({ contentType: "text/html", body: "<!doctype html><title>page</title>" })
    )
    await page.goto(`${server}/page.html`)
    await page.addScriptTag({ content: script })
    expectActivated(await page.evaluate(`update(${JSON.stringify(server)}, ${JSON.stringify(token)})`))
  } finally {
    await browser.close()
  }
}

// What workers have, by the Minimum Common Web API: neither process nor Buffer nor require.
const webGlobals = {
  AbortController,
  AbortSignal,
  atob,
  Blob,
  btoa,
  clearInterval,
  clearTimeout,
  console,
  crypto: globalThis.crypto,
  DOMException,
  Event,
  EventTarget,
  fetch,
  FormData,
  Headers,
  MessageChannel,
  performance,
  queueMicrotask,
  ReadableStream,
  Request,
  Response,
  setInterval,
  setTimeout,
  structuredClone,
  TextDecoder,
  TextEncoder,
  TransformStream,
  URL,
  URLSearchParams,
  WritableStream
}

export const updateInWorker = async (script: string, server: string): Promise<void> => {
  const context = createContext({ ...webGlobals })
  runInContext("globalThis.self = globalThis", context)
  runInContext(script, context)
  expectActivated(await runInContext(`update(${JSON.stringify(server)}, ${JSON.stringify(token)})`, context))
}
