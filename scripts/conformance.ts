// Holds the client against Prism, an independent server of the contract that validates every request strictly.
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import * as Effect from "effect/Effect"
import { freePort } from "../packages/node/test/support/rawServer.ts"

// The last version that runs on Node.js 20.
const prism = "@stoplight/prism-cli@5.12.0"
const contract = "packages/core/test/contract/app-marketplace.openapi.json"

const startPrism = async (port: number): Promise<ChildProcess> => {
  const child = spawn("npx", ["-y", prism, "mock", "-h", "127.0.0.1", "-p", String(port), contract], {
    detached: true,
    stdio: ["ignore", "pipe", "inherit"]
  })
  await new Promise<void>((resolve, reject) => {
    // Read on to the end: a pipe that nobody reads stops Prism.
    child.stdout.on("data", (chunk) => String(chunk).includes("is listening") && resolve())
    child.once("exit", () => reject(new Error("Prism did not start")))
  })
  return child
}

const update = async (environment: Record<string, string>, request: string): Promise<string> => {
  const child = spawn("npx", ["tsx", "examples/update-installation.ts", request], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"]
  })
  let output = ""
  child.stdout.on("data", (chunk) => {
    output += chunk
  })
  const [code] = await once(child, "close")
  return `${/ {2}(\d{3}) {2}/.exec(output)?.[1] ?? "no answer"}, exit ${code}`
}

// A strict reader of the contract takes the values of metadata to be objects, as the contract declares them.
const strict = '{"status":"ACTIVATED","metadata":{"settings":{"ledger":"7"}}}'
const example = '{"status":"ACTIVATED","metadata":{"externalApplicationId":"123456789"}}'

const port = await Effect.runPromise(freePort)
const server = { PLEO_SERVER: `http://127.0.0.1:${port}` }
const cases = [
  ["with a bearer token", { ...server, PLEO_ACCESS_TOKEN: "token" }, strict, "200, exit 0"],
  ["with an API key", { ...server, PLEO_API_KEY: "key" }, strict, "200, exit 0"],
  [
    "the contract's own example, which Prism refuses",
    { ...server, PLEO_API_KEY: "key" },
    example,
    "400, exit 1"
  ]
] as const

const child = await startPrism(port)
let passed = 0
try {
  for (const [title, environment, request, expected] of cases) {
    const outcome = await update(environment, request)
    if (outcome === expected) passed += 1
    console.log(`${outcome === expected ? "ok  " : "FAIL"} ${title}: ${outcome} (expected ${expected})`)
  }
} finally {
  if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid)
}
console.log(`conformance: ${passed}/${cases.length}`)
process.exitCode = passed === cases.length ? 0 : 1
