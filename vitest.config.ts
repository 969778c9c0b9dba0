import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: [
      "packages/*/test/**/*.test.ts",
      "examples/**/*.test.ts",
      "docs/snippets/*.test.ts",
      "scripts/**/*.test.ts"
    ],
    allowOnly: false,
    passWithNoTests: false,
    // Much of the time goes into waiting for sockets and processes: four workers keep two cores busy.
    minWorkers: 4,
    maxWorkers: 4,
    // To load Effect anew takes a file longer than most tests do.
    poolOptions: { forks: { isolate: false } },
    setupFiles: ["vitest.setup.ts"],
    testTimeout: 15_000
  }
})
