// Holds the client against Prism, an independent server of the contract that validates every request strictly.
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import * as Credentials from "@effect-pleo/core/Credentials"
import type { InstallationError } from "@effect-pleo/core/InstallationError"
import * as InstallationService from "@effect-pleo/core/InstallationService"
import * as NodeInstallationService from "@effect-pleo/node/NodeInstallationService"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
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
  return `${/ {2}(\d{3}) {2}/.exec(output)?.[1] ?? "no response"}, exit ${code}`
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

const operations = {
  get: InstallationService.get(),
  "get, of a company": InstallationService.get({ companyId: "123e4567-e89b-12d3-a456-426614174000" }),
  create: InstallationService.create({ status: "PENDING_INTEGRATION" }),
  update: InstallationService.update({ status: "ERROR", errorCode: "AUTH_ERROR" }),
  activate: InstallationService.activate(),
  delete: InstallationService.delete(),
  introspect: InstallationService.introspect()
}

const perform = (
  operation: Effect.Effect<unknown, InstallationError, InstallationService.InstallationService>
) =>
  Effect.match(operation, { onFailure: String, onSuccess: () => "success" }).pipe(
    Effect.provide(
      NodeInstallationService.layer({
        server: server.PLEO_SERVER,
        credentials: Credentials.bearer(Redacted.make("token"))
      })
    )
  )

const child = await startPrism(port)
let passed = 0
try {
  for (const [name, operation] of Object.entries(operations)) {
    const outcome = await Effect.runPromise(perform(operation))
    if (outcome === "success") passed += 1
    console.log(`${outcome === "success" ? "ok  " : "FAIL"} ${name}: ${outcome}`)
  }
  for (const [title, environment, request, expected] of cases) {
    const outcome = await update(environment, request)
    if (outcome === expected) passed += 1
    console.log(`${outcome === expected ? "ok  " : "FAIL"} ${title}: ${outcome} (expected ${expected})`)
  }
} finally {
  if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid)
}
const all = Object.keys(operations).length + cases.length
console.log(`conformance: ${passed}/${all}`)
process.exitCode = passed === all ? 0 : 1
