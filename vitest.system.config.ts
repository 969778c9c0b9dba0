import { defineConfig } from "vitest/config"

// Tests that need programs that npm does not install: Chromium or Chrome, zsh and fish.
export default defineConfig({
  test: {
    include: ["packages/*/test/**/*.system.ts", "examples/*.system.ts"],
    allowOnly: false,
    passWithNoTests: false,
    maxWorkers: 1,
    testTimeout: 60_000
  }
})
