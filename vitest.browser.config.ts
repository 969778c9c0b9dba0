import { defineConfig } from "vitest/config"

// Tests that need Chromium or Chrome.
export default defineConfig({
  test: {
    include: ["packages/*/test/**/*.browser.ts", "examples/*.browser.ts"],
    allowOnly: false,
    passWithNoTests: false,
    maxWorkers: 1,
    testTimeout: 60_000
  }
})
