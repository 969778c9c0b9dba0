import { spawn } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import { OAuth } from "@effect-pleo/core"
import { SqlTokenStore } from "@effect-pleo/sql"
import * as Sandbox from "@effect-pleo/testing/Sandbox"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { compile } from "../packages/node/test/support/program.ts"
import * as Postgres from "../packages/sql/test/support/postgres.ts"
import { type Options, run as runFile } from "./support/run.ts"

/**
 * Runs an example as a process of its own, with nothing configured but
 * `environment`.
 */
const run = (name: string, options?: Options) =>
  runFile(new URL(name, import.meta.url), options)

const lines = (text: string) => text.trim().split("\n")

describe("update-installation.ts", () => {
  it.live(
    "reports a synchronization of the sandbox until it is ACTIVATED",
    () =>
      Effect.gen(function* () {
        const { code, stderr, stdout } = yield* run(
          "update-installation.ts"
        )
        expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
        expect(stdout).toMatch(
          /No credential is configured.*sandbox at http:\/\/127\.0\.0\.1:\d+/
        )
        const told = Array.from(
          stdout.matchAll(/^ {2}(\w+) .* {2}(\d+) {2}\d+ ms$/gm),
          ([, method, status]) => `${method} ${status}`
        )
        expect(told).toEqual([
          "POST 200",
          "GET 200",
          "PUT 200",
          "PUT 200",
          "GET 200"
        ])
        expect(stdout).toContain("The installation is ACTIVATED")
        expect(stdout).toContain('{"taxCodes":42}')
      })
  )

  it.live("keeps the sandbox open if it is asked to", () =>
    Effect.gen(function* () {
      const program = yield* Effect.promise(() =>
        compile(new URL("update-installation.ts", import.meta.url))
      )
      const page = yield* Effect.async<string>((resume) => {
        const child = spawn(process.execPath, [program, "--open"], {
          env: { PATH: process.env["PATH"] }
        })
        let output = ""
        child.stdout.on("data", (chunk) => {
          output += chunk
          const [, url] = /Open (\S+) in a browser/.exec(output) ?? []
          if (url === undefined) return
          resume(
            Effect.promise(async () => (await fetch(url)).text()).pipe(
              Effect.ensuring(Effect.sync(() => child.kill()))
            )
          )
        })
        return Effect.sync(() => child.kill())
      })
      expect(page).toContain("<h1>Pleo sandbox</h1>")
      expect(page).toContain("ACTIVATED")
    })
  )

  it.live("takes empty variables for unset ones", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* run("update-installation.ts", {
        environment: {
          PLEO_ACCESS_TOKEN: "",
          PLEO_API_KEY: "",
          PLEO_SERVER: ""
        }
      })
      expect(code).toBe(0)
      expect(stdout).toContain("No credential is configured")
    })
  )

  it.live("updates with the request it is given", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* run("update-installation.ts", {
        argument: '{"status":"ERROR","errorCode":"AUTH_ERROR"}'
      })
      expect(code).toBe(0)
      expect(stdout).toContain("The installation is ERROR")
      expect(stdout).toContain("AUTH_ERROR")
    })
  )

  it.live.each([
    [
      "a request that the contract does not know",
      { argument: '{"status":"BROKEN"}' },
      "status: expected"
    ],
    ["an argument that is not JSON", { argument: "{" }, "not JSON"],
    [
      "a server without a credential",
      { environment: { PLEO_SERVER: "staging" } },
      "PLEO_ACCESS_TOKEN"
    ],
    [
      "a server that refuses the connection",
      {
        environment: {
          PLEO_SERVER: "http://127.0.0.1:1",
          PLEO_API_KEY: "canary-key"
        }
      },
      "ECONNREFUSED"
    ]
  ] as const)(
    "ends with exit code 1 and one clear line after %s",
    ([, options, expected]) =>
      Effect.gen(function* () {
        const { code, stderr, stdout } = yield* run(
          "update-installation.ts",
          options
        )
        expect(code).toBe(1)
        expect(lines(stderr)).toEqual([expect.stringContaining(expected)])
        expect(stdout + stderr).not.toContain("canary-key")
      })
  )
})

describe("fleet.ts", () => {
  it.live("tells all customers that the ledger is back", () =>
    Effect.gen(function* () {
      const { code, stderr, stdout } = yield* run("fleet.ts", {
        argument: "50"
      })
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
      expect(lines(stdout).at(-1)).toMatch(/^50 applied, 0 pending, /)
    })
  )
})

describe("readme.ts", () => {
  it.live(
    "ends with exit code 1, a message and the line of the caller when Pleo cannot be reached",
    () =>
      Effect.gen(function* () {
        const environment = {
          PLEO_SERVER: "http://127.0.0.1:1",
          PLEO_ACCESS_TOKEN: "canary-token"
        }
        const { code, stderr, stdout } = yield* run("readme.ts", {
          environment
        })
        expect({ code, stdout }).toEqual({ code: 1, stdout: "" })
        expect(lines(stderr)).toEqual([
          expect.stringMatching(
            /^\(FiberFailure\) Infrastructure: .*\(ECONNREFUSED, server 127\.0\.0\.1:1\)/
          ),
          expect.stringMatching(/^ {4}at report \(.+:\d+:\d+\)$/)
        ])
      })
  )

  it.live(
    "ends with exit code 1 and the name of the variable when none is set",
    () =>
      Effect.gen(function* () {
        const { code, stderr } = yield* run("readme.ts")
        expect(code).toBe(1)
        expect(lines(stderr)).toEqual([
          expect.stringContaining("PLEO_ACCESS_TOKEN")
        ])
      })
  )
})

it.live("retry-and-timeout.ts gets through at the third attempt", () =>
  Effect.gen(function* () {
    const { code, stderr, stdout } = yield* run("retry-and-timeout.ts")
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    expect(
      Array.from(
        stdout.matchAll(/installations\/me {2}(\d+|no response) /g),
        ([, outcome]) => outcome
      )
    ).toEqual(["503", "no response", "200", "500", "500", "200"])
  })
)

it.live(
  "opentelemetry.ts prints the trace and the metrics that its collector has received",
  () =>
    Effect.gen(function* () {
      const { code, stderr, stdout } = yield* run("opentelemetry.ts")
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
      const [heading, spans = "", metrics = ""] = stdout
        .trim()
        .split("\n\n")
      expect(heading).toBe("What the collector has received:")
      expect(spans.replace(/\d+ ms/g, "? ms").split("\n")).toEqual([
        "  nightly report  ? ms",
        "    InstallationService.update  ? ms",
        "      POST /oauth/token  ? ms  http.response.status_code=200",
        "      PUT /v1/installations/me  ? ms  http.response.status_code=503 error.type=ServerError",
        "      PUT /v1/installations/me  ? ms  http.request.resend_count=1 http.response.status_code=429 error.type=RateLimited",
        "      PUT /v1/installations/me  ? ms  http.request.resend_count=2 http.response.status_code=200"
      ])
      expect(lines(metrics).map((line) => line.trim())).toEqual([
        "pleo.installation.attempts  result=200 region=eu  1",
        "pleo.installation.attempts  result=429 region=eu  1",
        "pleo.installation.attempts  result=503 region=eu  1",
        "pleo.installation.update.duration  outcome=Success region=eu  1",
        "pleo.installation.updates.active  region=eu  0",
        "pleo.oauth.refreshes  result=Issued region=eu  1"
      ])
    })
)

it.live(
  "oauth-tenants.ts refreshes each customer's tokens once, and stops for one who took the consent back",
  () =>
    Effect.gen(function* () {
      const { code, stderr, stdout } = yield* run("oauth-tenants.ts")
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
      const rounds = stdout
        .trim()
        .split("\n\n")
        .map((round) =>
          Array.from(
            round.matchAll(/^ {2}(POST|PUT) +\S+ +(\d+) {2}(.*)$/gm),
            ([, ...it]) => it.join(" ")
          )
        )
      const each = (line: string) =>
        ["acme", "borealis", "cirrus"].map((name) =>
          line.replace("*", name)
        )
      expect(rounds.length).toBe(6)
      expect(rounds[0]?.toSorted()).toEqual(each("PUT 200 *'s token 1"))
      expect(rounds[2]).toEqual(
        expect.arrayContaining(each("PUT 200 *'s token 2"))
      )
      expect(rounds[3]).toContain("POST 400 acme's token 2")
      expect(rounds[4]?.filter((line) => line.includes("acme"))).toEqual([])
      expect(rounds[5]).toContain("PUT 200 acme's token 1")
      const refreshes = rounds
        .flat()
        .filter((line) => line.startsWith("POST 200"))
      expect(refreshes.length).toBe(new Set(refreshes).size)
      expect(
        rounds.flat().filter((line) => /^PUT (?!200)/.test(line))
      ).toEqual([])
      expect(stdout.match(/acme: .*authorize the app again/g)?.length).toBe(
        2
      )
    })
)

it.live("nightly.ts tells Pleo of each customer's night", () =>
  Effect.gen(function* () {
    const { code, stderr, stdout } = yield* run("nightly.ts")
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    const [night = "", told = ""] = stdout.split("\n\n")
    expect(lines(night)).toEqual([
      "acme: 12 entries were booked",
      "borealis: has to act, NOT_ENTITLED",
      "cirrus: has to act, AUTH_ERROR"
    ])
    const of = (customer: string) =>
      lines(told).filter((line) => line.includes(` ${customer} `))
    expect(of("acme")).toEqual([
      expect.stringContaining('{"status":"PENDING_INTEGRATION"}'),
      expect.stringContaining(
        '{"status":"ACTIVATED","metadata":{"entries":12}}'
      )
    ])
    expect(of("borealis").at(-1)).toContain(
      '{"status":"ERROR","errorCode":"NOT_ENTITLED"}'
    )
    expect(of("cirrus").at(-1)).toContain(
      '{"status":"ERROR","errorCode":"AUTH_ERROR"}'
    )
  })
)

describe("the README of the examples", () => {
  const folder = fileURLToPath(new URL(".", import.meta.url))
  const examples = readdirSync(folder).filter(
    (name) => name.endsWith(".ts") && name !== "examples.test.ts"
  )
  const source = readFileSync(`${folder}/examples.test.ts`, "utf8")
  const isTest = (name: string) => /\.(?:test|system)\.ts$/.test(name)

  it("has a row for each example, and for nothing else", () => {
    const readme = readFileSync(`${folder}/README.md`, "utf8")
    const rows = Array.from(
      readme.matchAll(/^\| \[`(.+?)`\]\(\1\) /gm),
      ([, name]) => name
    )
    expect(rows.toSorted()).toEqual(examples.toSorted())
  })

  it.each(
    examples.filter((name) => !isTest(name) && name !== "connect.ts")
  )("%s is run by a test here", (name) => {
    expect(source).toContain(`run("${name}"`)
  })
})

describe("the README's code", () => {
  const withSandbox = <A, R>(
    body: (sandbox: Sandbox.Sandbox["Type"]) => Effect.Effect<A, never, R>
  ) =>
    Effect.flatMap(Sandbox.Sandbox, body).pipe(
      Effect.provide(Sandbox.layer())
    )

  it.live(
    "readme.ts updates the installation of the configured API key",
    () =>
      withSandbox((sandbox) =>
        Effect.gen(function* () {
          const { code, stdout } = yield* run("readme.ts", {
            environment: sandbox.environment
          })
          expect(code).toBe(0)
          expect(stdout).toContain("is ACTIVATED")
          expect(yield* sandbox.requests).toMatchObject([
            { scheme: "Basic", status: 200 }
          ])
        })
      )
  )

  it.live(
    "oauth.ts is run on two machines at once, which share a database, and the expired token is refreshed once",
    () =>
      withSandbox((sandbox) =>
        Effect.gen(function* () {
          const database = yield* (yield* Postgres.Postgres).create
          const variables = {
            PLEO_CLIENT_ID: "my-app",
            PLEO_TOKEN_ENDPOINT: `${sandbox.url}/oauth/token`
          }
          const store = Layer.provide(
            SqlTokenStore.layer,
            Postgres.client(database)
          )
          const tokens = { ...(yield* sandbox.authorize()), expiresIn: 0 }
          const grant = {
            clientId: variables.PLEO_CLIENT_ID,
            tokenEndpoint: variables.PLEO_TOKEN_ENDPOINT,
            tenant: "acme"
          }
          yield* OAuth.storeTokens(grant, tokens).pipe(
            Effect.provide(store),
            Effect.orDie
          )
          const environment = {
            ...variables,
            PLEO_SERVER: sandbox.url,
            PLEO_CLIENT_SECRET: "my-secret",
            DATABASE_URL: database
          }
          const machine = run("oauth.ts", { environment })
          const outcomes = yield* Effect.all([machine, machine], {
            concurrency: 2
          })
          expect(
            outcomes.map(({ code, stderr }) => ({ code, stderr }))
          ).toEqual([
            { code: 0, stderr: "" },
            { code: 0, stderr: "" }
          ])
          const requests = (yield* sandbox.requests).map(
            ({ method, status }) => `${method} ${status}`
          )
          expect(requests.toSorted()).toEqual([
            "POST 200",
            "PUT 200",
            "PUT 200"
          ])
        })
      ).pipe(Effect.provide(Postgres.layer)),
    30_000
  )

  it.live(
    "many-customers.ts updates each customer's installation over one layer",
    () =>
      withSandbox((sandbox) =>
        Effect.gen(function* () {
          const { code } = yield* run("many-customers.ts", {
            environment: sandbox.environment
          })
          expect(code).toBe(0)
          expect(yield* sandbox.requests).toMatchObject([
            { scheme: "Bearer", status: 200 },
            { scheme: "Bearer", status: 200 }
          ])
        })
      )
  )
})
