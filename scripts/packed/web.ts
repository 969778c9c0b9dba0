// Where there is fetch and no Node.js: a page in a browser, and a worker.
import { createContext, runInContext } from "node:vm"
import { build } from "esbuild"
import { withChromium } from "../support/chromium.ts"

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

export const updateInChromium = (script: string, server: string): Promise<void> =>
  withChromium(async (browser) => {
    const page = await browser.newPage()
    // Of the sandbox's own origin: Pleo's API says nothing of others.
    await page.route("**/page.html", (route) =>
      route.fulfill({ contentType: "text/html", body: "<!doctype html><title>page</title>" })
    )
    await page.goto(`${server}/page.html`)
    await page.addScriptTag({ content: script })
    expectActivated(await page.evaluate(`update(${JSON.stringify(server)}, ${JSON.stringify(token)})`))
  })

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
