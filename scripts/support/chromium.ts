// A browser for those who have one installed: Chromium or Chrome, from PATH or from CHROMIUM_PATH.
import { accessSync, constants } from "node:fs"
import { delimiter, join } from "node:path"
import { type Browser, chromium } from "playwright-core"

const isExecutable = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const find = (): string => {
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

export const withChromium = async <A>(use: (browser: Browser) => Promise<A>): Promise<A> => {
  // Whoever is root, as in a container, cannot have Chromium's own sandbox.
  const browser = await chromium.launch({ executablePath: find(), args: ["--no-sandbox"] })
  try {
    return await use(browser)
  } finally {
    await browser.close()
  }
}
