import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as OAuth from "@effect-pleo/core/OAuth"
import * as Fault from "@effect-pleo/testing/Fault"
import type * as Sandbox from "@effect-pleo/testing/Sandbox"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type * as Schema from "effect/Schema"
import { temporaryDirectory } from "../../node/test/support/temporaryDirectory.ts"
import * as Json from "../src/internal/json.ts"
import * as Store from "../src/internal/store.ts"
import {
  inTerminal,
  makeSandbox,
  run,
  runInTerminal,
  runPiped,
  spawned,
  strictly,
  timeout
} from "./support/command.ts"

const canary = "canary-access-token"

const failure = strictly(Json.Failure)

// A token has an installation from the start, and an API key has none before it creates it.
const commands = [
  { args: ["whoami"], schema: Json.Credential, shows: "sandbox-client" },
  { args: ["get"], schema: Json.Installation, shows: "AUTHORIZED" },
  { args: ["update", "ERROR", "--error-code", "AUTH_ERROR"], schema: Json.Installation, shows: "AUTH_ERROR" },
  { args: ["activate"], schema: Json.Installation, shows: "ACTIVATED" },
  { args: ["create", "INACTIVE"], schema: Json.Installation, shows: "INACTIVE" },
  { args: ["delete", "--yes"], schema: Json.Deleted, shows: "deleted" }
]

type Command = (typeof commands)[number]

/** Each with an installation of its own. */
const forEachCommand = <E>(
  sandbox: Sandbox.Sandbox["Type"],
  concurrency: number,
  f: (command: Command, environment: Record<string, string>) => Effect.Effect<void, E>
) =>
  Effect.forEach(
    commands,
    (command) => {
      const [name = ""] = command.args
      return f(command, {
        PLEO_SERVER: sandbox.url,
        [name === "create" ? "PLEO_API_KEY" : "PLEO_ACCESS_TOKEN"]: `credential-for-${name}`
      })
    },
    { concurrency, discard: true }
  )

describe("the commands of an installation", () => {
  it.scopedLive(
    "print a few plain lines without a terminal, and nothing on stderr",
    () =>
      Effect.gen(function* () {
        const { sandbox } = yield* makeSandbox
        yield* forEachCommand(sandbox, 1, ({ args, shows }, environment) =>
          Effect.map(run(args, environment), ({ code, stderr, stdout }) => {
            expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: "" })
            expect(stdout).toContain(shows)
            expect(stdout).not.toContain("\u001b")
            expect(stdout.split("\n").length).toBeLessThan(12)
          })
        )
      }),
    timeout
  )

  it.scopedLive(
    "print one value of their schema with --json when piped, and load neither a database driver nor an HTTP server",
    () =>
      Effect.gen(function* () {
        const { app, sandbox } = yield* makeSandbox
        yield* forEachCommand(sandbox, 3, ({ args, schema, shows }, environment) =>
          Effect.map(runPiped([...args, "--json"], environment, "lean"), ({ code, stderr, stdout }) => {
            expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: "" })
            expect(stdout).toContain(shows)
            strictly(schema as Schema.Schema<unknown>)(stdout)
          })
        )
        // The files with an HTTP server, or with a driver, are not there.
        for (const args of [["sandbox"], ["tenants"], ["fleet", "watch"]]) {
          const { code, stderr } = yield* runPiped(args, app, "lean")
          expect({ args, code, stderr }).toEqual({ args, code: 1, stderr: "Unexpected error: Error\n" })
        }
      }),
    timeout
  )

  it.scopedLive(
    "show in a terminal that they wait, and use colors",
    () =>
      Effect.gen(function* () {
        const { sandbox } = yield* makeSandbox
        // Longer than until the first picture of the spinner.
        yield* sandbox.inject(...commands.map(() => Fault.delay(150)))
        yield* forEachCommand(sandbox, 3, ({ args, shows }, environment) =>
          // It has a test of its own.
          args.includes("delete")
            ? Effect.void
            : Effect.map(runInTerminal(args, environment), ({ code, stdout }) => {
                expect({ args, code }).toEqual({ args, code: 0 })
                const [spinner = "", ...result] = stdout.split("\r\u001b[K")
                expect(spinner).toContain("Waiting for Pleo")
                expect(result.join("")).toContain(shows)
                expect(result.join("")).toContain("\u001b[2m")
              })
        )
      }),
    timeout
  )

  it.scopedLive(
    "escape what a terminal would obey",
    () =>
      Effect.gen(function* () {
        const { sandbox } = yield* makeSandbox
        const environment = { PLEO_SERVER: sandbox.url, PLEO_ACCESS_TOKEN: "token" }
        const args = ["update", "ACTIVATED", "--metadata", "note=\u009b31m\u202e"]
        const human = yield* run(args, environment)
        const json = yield* run([...args, "--json"], environment)
        for (const { stdout } of [human, json]) expect(stdout).toContain('{"note":"\\u009b31m\\u202e"}')
        expect(strictly(Json.Installation)(json.stdout).metadata).toEqual({ note: "\u009b31m\u202e" })
      }),
    timeout
  )
})

describe("help and usage errors", () => {
  it.scopedLive(
    "have no colors without a terminal, nor under NO_COLOR",
    () =>
      Effect.gen(function* () {
        const help = yield* run(["--help"])
        expect(help).toMatchObject({ code: 0, stderr: "" })
        expect(help.stdout).toContain("EXIT CODES")
        const refused = yield* runInTerminal(["frobnicate"], { NO_COLOR: "1" })
        expect(refused.code).toBe(2)
        expect(refused.stdout).toContain("Invalid subcommand")
        expect(`${help.stdout}${refused.stdout}`).not.toContain("\u001b")
      }),
    timeout
  )
})

describe("the prompt for a secret", () => {
  it.scopedLive(
    "shows nothing of it, leaves the lines above, and keeps stdout for the result",
    () =>
      Effect.gen(function* () {
        const { sandbox } = yield* makeSandbox
        const file = join(yield* temporaryDirectory, "output")
        const grant = yield* sandbox.authorize({ clientId: "client-of-the-grant" })
        const token = Redacted.value(grant.accessToken)
        const process = yield* inTerminal(["whoami", "--json"], { PLEO_SERVER: sandbox.url }, `>'${file}'`)
        yield* process.says("Access token")
        // A correction of more text than fills the screen.
        yield* process.type(`${canary.repeat(200)}\u0015 ${token}`)
        yield* process.type("x\u007f\r")
        const { code, stdout } = yield* process.end
        expect({
          code,
          shown: stdout.replaceAll("\r\u001b[K", "").replace(/\r[⠋-⠿] Waiting for Pleo/g, "")
        }).toEqual({
          code: 0,
          shown: "\u001b[1mAccess token\u001b[0m: \r\n"
        })
        expect(strictly(Json.Credential)(readFileSync(file, "utf8")).clientId).toBe("client-of-the-grant")
      }),
    timeout
  )
})

describe("update", () => {
  it.scopedLive(
    "sends metadata of options and of files, whose last value of a key counts",
    () =>
      Effect.gen(function* () {
        const { sandbox } = yield* makeSandbox
        const file = join(yield* temporaryDirectory, "metadata.json")
        writeFileSync(file, '{ "accounts": [4000], "plan": "team" }')
        const { stdout } = yield* run(
          [
            "update",
            "--metadata=plan=a=b",
            "--metadata",
            `@${file}`,
            "ACTIVATED",
            "--metadata",
            "note=",
            "--json"
          ],
          { PLEO_SERVER: sandbox.url, PLEO_ACCESS_TOKEN: "token" }
        )
        expect(strictly(Json.Installation)(stdout).metadata).toEqual({
          accounts: [4000],
          plan: "team",
          note: ""
        })
      }),
    timeout
  )

  it.scopedLive(
    "tries again after a failure that may pass",
    () =>
      Effect.gen(function* () {
        const { sandbox } = yield* makeSandbox
        yield* sandbox.inject(Fault.status(503))
        const { code } = yield* run(["update", "ACTIVATED"], {
          PLEO_SERVER: sandbox.url,
          PLEO_ACCESS_TOKEN: "token"
        })
        const statuses = (yield* sandbox.requests).map(({ status }) => status)
        expect({ code, statuses }).toEqual({ code: 0, statuses: [503, 200] })
      }),
    timeout
  )

  it.scopedLive(
    "fails after the seconds of --timeout, and tries again within them",
    () =>
      Effect.gen(function* () {
        const { sandbox } = yield* makeSandbox
        yield* sandbox.inject(Fault.stallResponse(), Fault.stallResponse(), Fault.stallResponse())
        const [elapsed, { code, stdout }] = yield* Effect.timed(
          run(["update", "ACTIVATED", "--timeout=1.2", "--json"], {
            PLEO_SERVER: sandbox.url,
            PLEO_ACCESS_TOKEN: "token"
          })
        )
        expect(code).toBe(1)
        // One attempt takes as long without the option.
        expect(Duration.toSeconds(elapsed)).toBeLessThan(10)
        const { attempts, ...error } = failure(stdout).error
        expect(error).toMatchObject({ _tag: "Infrastructure", reason: "Timeout", mayHaveBeenApplied: true })
        expect(attempts).toBeGreaterThan(1)
      }),
    timeout
  )
})

describe("delete", () => {
  it.scopedLive(
    "asks in a terminal, and deletes the installation after a yes only",
    () =>
      Effect.gen(function* () {
        const { sandbox } = yield* makeSandbox
        const environment = { PLEO_SERVER: sandbox.url, PLEO_ACCESS_TOKEN: "token" }
        const answer = (keys: string, others: Record<string, string> = {}) =>
          Effect.gen(function* () {
            const process = yield* inTerminal(["delete"], { ...environment, ...others })
            yield* process.says("Delete this installation, and revoke its tokens?")
            yield* process.type(keys)
            return yield* process.end
          })
        const [declined, interrupted] = yield* Effect.all(
          [answer("t\r", { NO_COLOR: "1" }), answer("\u0003")],
          {
            concurrency: 2
          }
        )
        expect(declined.code).toBe(1)
        expect(declined.stdout).toContain("AUTHORIZED")
        expect(declined.stdout).toContain("Declined: nothing was deleted")
        for (const style of ["1", "2", "31", "33"]) expect(declined.stdout).not.toContain(`\u001b[${style}m`)
        expect(interrupted.code).toBe(130)
        expect((yield* sandbox.requests).map(({ method }) => method)).toEqual(["GET", "GET"])
        const confirmed = yield* answer("y\r")
        expect(confirmed.code).toBe(0)
        expect(confirmed.stdout).toContain("The installation is deleted.")
        expect((yield* sandbox.requests).map(({ method }) => method)).toEqual(["GET", "GET", "GET", "DELETE"])
      }),
    timeout
  )
})

describe("a failure", () => {
  it.scopedLive(
    "is explained on stderr, is a value of its schema with --json, and exits with 1",
    () =>
      Effect.gen(function* () {
        const { sandbox } = yield* makeSandbox
        yield* sandbox.inject(Fault.status(403))
        const { code, stderr, stdout } = yield* run(["update", "ACTIVATED", "--json"], {
          PLEO_SERVER: sandbox.url,
          PLEO_ACCESS_TOKEN: canary
        })
        expect(code).toBe(1)
        expect(stderr).toMatch(/^What happened: Unauthorized \(Forbidden\)/)
        expect(stderr.trimEnd().split("\n")).toHaveLength(5)
        expect(failure(stdout).error).toMatchObject({
          _tag: "Unauthorized",
          reason: "Forbidden",
          status: 403,
          isRetryable: false,
          mayHaveBeenApplied: false
        })
      }),
    timeout
  )

  it.scopedLive(
    "of usage or configuration exits with 2, and sends nothing",
    () =>
      Effect.gen(function* () {
        const { sandbox, app } = yield* makeSandbox
        const token = { PLEO_SERVER: sandbox.url, PLEO_ACCESS_TOKEN: canary }
        const key = { PLEO_SERVER: sandbox.url, PLEO_API_KEY: canary }
        const text = join(yield* temporaryDirectory, "text")
        writeFileSync(text, "no JSON")
        const cases = [
          { args: ["frobnicate"], environment: token, says: "Invalid subcommand" },
          { args: ["update", "BROKEN"], environment: token, says: "PENDING_INTEGRATION" },
          { args: ["update", "ACTIVATED", "--metadata", "x"], environment: token, says: "key=value" },
          {
            args: ["update", "ACTIVATED", "--metadata", `@${text}`],
            environment: token,
            says: "JSON object"
          },
          { args: ["delete"], environment: token, says: "--yes" },
          { args: ["get"], environment: { PLEO_SERVER: sandbox.url }, says: "PLEO_ACCESS_TOKEN" },
          { args: ["get"], environment: { ...token, ...key }, says: "unset one" },
          { args: ["get"], environment: app, says: "--tenant" },
          // Falling back on the variable, or on production, would reach another installation.
          { args: ["get", "--server", "prodution"], environment: token, says: "PLEO_SERVER" },
          { args: ["get", "--tenant", "acme"], environment: app, says: "does not exist" },
          {
            args: ["get", "--tenant", "acme", "--store", `postgres://app:${canary}@127.0.0.1:1/tokens`],
            environment: app,
            says: "PLEO_STORE"
          },
          {
            args: ["get", "--tenant", "acme", "--credential-file", text],
            environment: app,
            says: "--tenant and --credential-file are both given"
          },
          {
            args: ["get", "--tenant", "acme"],
            environment: { ...app, ...token },
            says: "--tenant and PLEO_ACCESS_TOKEN are both given"
          },
          {
            args: ["get", "--credential-file", text],
            environment: key,
            says: "--credential-file and PLEO_API_KEY are both given"
          },
          { args: ["get", "--timeout", "0"], environment: token, says: "at most 3600" },
          { args: ["get", "--timeout", "NaN"], environment: token, says: "--timeout" },
          { args: ["sandbox", "--port", "70000"], environment: {}, says: "65535" },
          { args: ["fleet", "set", "ACTIVATED"], environment: app, says: "Name customers" },
          { args: ["fleet", "set", "ACTIVATED", "acme", "--all"], environment: app, says: "one of these" },
          { args: ["fleet", "watch", "--rate-limit", "0"], environment: app, says: "above 0" },
          { args: ["fleet", "watch"], environment: app, says: "PLEO_FLEET" },
          {
            args: ["fleet", "watch", "--fleet", `sqlite:${text}.db`],
            environment: app,
            says: "run fleet set first"
          },
          {
            args: ["fleet", "migrate", "--fleet", `sqlite:${text}`],
            environment: app,
            says: "PLEO_FLEET_TO"
          },
          {
            args: [
              "fleet",
              "migrate",
              "--fleet",
              `sqlite:${text}`,
              "--to",
              `postgres://app:${canary}@127.0.0.1:1/fleet`
            ],
            environment: app,
            says: "Set the variable PLEO_FLEET_TO"
          }
        ]
        for (const { args, environment, says } of cases) {
          const { code, stderr, stdout } = yield* run([...args, "--json"], environment)
          expect({ args, code }).toEqual({ args, code: 2 })
          expect(stderr).toContain(says)
          expect(failure(stdout).error._tag).toBe("UsageError")
          expect(`${stdout}${stderr}`).not.toContain("canary")
        }
        expect(yield* sandbox.requests).toEqual([])
      }),
    timeout
  )

  it.scopedLive(
    "shows no secret, at any level of the log",
    () =>
      Effect.gen(function* () {
        const { sandbox, app } = yield* makeSandbox
        const file = join(yield* temporaryDirectory, "token")
        writeFileSync(file, `${canary}\n`)
        const token = { PLEO_SERVER: sandbox.url, PLEO_ACCESS_TOKEN: canary }
        const results = yield* Effect.forEach(
          [
            { args: ["get", "--log-level", "all"], environment: token, code: 0, runs: run },
            {
              args: ["get", "--credential-file", file, "--log-level", "all"],
              environment: { PLEO_SERVER: sandbox.url },
              code: 0,
              runs: run
            },
            {
              args: ["get"],
              environment: { ...token, PLEO_ACCESS_TOKEN: `${canary}\u00e9` },
              code: 2,
              runs: run
            },
            { args: ["get", "--token", canary], environment: token, code: 2, runs: run },
            {
              args: ["get", "--tenant", "acme", "--log-level", "all"],
              environment: { ...app, PLEO_STORE: `postgres://app:${canary}@127.0.0.1:1/tokens` },
              code: 1,
              runs: runPiped
            },
            {
              args: ["fleet", "watch", "--log-level", "all"],
              environment: { ...app, PLEO_FLEET: `postgres://app:${canary}@127.0.0.1:1/fleet` },
              code: 1,
              runs: run
            }
          ],
          ({ args, code, environment, runs }) =>
            Effect.map(runs(args, environment), (result) => {
              expect({ args, code: result.code }).toEqual({ args, code })
              return `${result.stdout}${result.stderr}`
            })
        )
        expect(results[0]).toContain("level=DEBUG")
        expect(results[1]).toContain("level=DEBUG")
        expect(results.join("\n")).not.toContain("canary")
      }),
    timeout
  )

  it.scopedLive(
    "of a signal is a value of its schema with --json, exits with 130, and shows no secret",
    () =>
      Effect.gen(function* () {
        const { sandbox } = yield* makeSandbox
        yield* sandbox.inject(Fault.stallResponse())
        const process = yield* spawned(["update", "ACTIVATED", "--json", "--log-level", "all"], {
          PLEO_SERVER: sandbox.url,
          PLEO_ACCESS_TOKEN: canary
        })
        yield* sandbox.awaitRequests(1)
        process.child.kill("SIGINT")
        const { code, stderr, stdout } = yield* process.end
        expect(code).toBe(130)
        expect(failure(stdout).error).toEqual({
          _tag: "Interrupted",
          message: "Interrupted: a change that was sent may have been applied"
        })
        expect(stderr).toContain("level=DEBUG")
        expect(stderr).not.toContain("canary")
      }),
    timeout
  )
})

describe("sandbox", () => {
  it.scopedLive(
    "prints its URL only until Ctrl-C, piped and in a terminal, and fails on a port that is taken",
    () =>
      Effect.gen(function* () {
        const piped = yield* spawned(["sandbox", "--json"])
        const interactive = yield* inTerminal(["sandbox"])
        yield* piped.says("\n")
        piped.child.kill("SIGINT")
        const { code, stderr, stdout } = yield* piped.end
        expect({ code, stderr }).toEqual({ code: 130, stderr: "" })
        expect(strictly(Json.Listening)(stdout).url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)

        yield* interactive.says("PLEO_CLIENT_SECRET")
        yield* interactive.type("\u0003")
        const shown = yield* interactive.end
        expect(shown.code).toBe(130)
        expect(shown.stdout).toMatch(/^The sandbox listens on http:\/\/127\.0\.0\.1:\d+\r\n/)

        const { sandbox } = yield* makeSandbox
        const taken = yield* run(["sandbox", "--json", "--port", new URL(sandbox.url).port])
        expect(taken.code).toBe(1)
        expect(failure(taken.stdout).error.message).toContain("EADDRINUSE")
      }),
    timeout
  )
})

describe("a change of production", () => {
  it.live(
    "is announced on stderr, and a read is not",
    () =>
      Effect.gen(function* () {
        // Without a credential, neither is sent.
        const change = yield* run(["activate"])
        expect(change.code).toBe(2)
        expect(change.stderr).toContain("PRODUCTION: this activate changes")
        const read = yield* run(["get", "--server", "production"])
        expect(read.code).toBe(2)
        expect(read.stderr).not.toContain("PRODUCTION")
      }),
    timeout
  )
})

/** A first `xdg-open` in the path that writes its arguments and its variables to files. */
const fakeBrowser = Effect.map(temporaryDirectory, (directory) => {
  const file = join(directory, "xdg-open")
  const script = `#!/bin/sh
env >'${directory}/variables'
for each; do printf '%s\\n' "$each"; done >'${directory}/arguments.new'
mv '${directory}/arguments.new' '${directory}/arguments'
`
  writeFileSync(file, script, { mode: 0o755 })
  return {
    PATH: `${directory}:${process.env["PATH"]}`,
    arguments: join(directory, "arguments"),
    variables: join(directory, "variables")
  }
})

const appear = (file: string): Effect.Effect<string> =>
  Effect.suspend(() =>
    existsSync(file) ? Effect.succeed(readFileSync(file, "utf8")) : Effect.fail("absent")
  ).pipe(Effect.retry({ schedule: Schedule.spaced("10 millis") }), Effect.orDie)

const authorizationUrl = /http:\/\/127\.0\.0\.1:\d+\/oauth\/authorize\S+/

const scope = ["--scope", "users:read"]

describe("connect", () => {
  it.scopedLive(
    "stores a customer's tokens in a terminal after its consent in the browser, and shows no secret",
    () =>
      Effect.gen(function* () {
        const { app, file, sandbox } = yield* makeSandbox
        const browser = yield* fakeBrowser
        const command = yield* inTerminal(
          ["connect", "--tenant", "acme", "--scope", "users:read", "--scope", "test:test"],
          { ...app, PATH: browser.PATH, PGPASSWORD: "canary-password" }
        )
        const opened = (yield* appear(browser.arguments)).trimEnd().split("\n")
        expect(opened).toEqual([expect.stringMatching(authorizationUrl)])
        yield* command.says("Waiting for the consent")
        const redirected = yield* sandbox.consent(opened[0] ?? "")
        const page = yield* Effect.promise(() => fetch(redirected).then((response) => response.text()))
        expect(page).toContain("acme is connected.")
        const { code, stdout } = yield* command.end
        expect(code).toBe(0)
        expect(stdout).toContain(opened[0])
        expect(stdout).toMatch(/tenant .*acme\r\n$/)
        // Others on this machine must not read the tokens.
        expect(statSync(file).mode & 0o077).toBe(0)

        const connected = yield* run(["tenants"], app)
        expect(connected.stdout).toMatch(/^connected +acme\n$/)
        const got = yield* run(["get", "--tenant", "acme"], app)
        expect(got.stdout).toContain("AUTHORIZED")

        const variables = readFileSync(browser.variables, "utf8")
        expect(variables).toContain("HOME=")
        expect(variables).not.toMatch(/PLEO_|PG/)
        const shown = [...opened, stdout, page, connected.stdout, got.stdout, got.stderr].join("\n")
        expect(shown).not.toContain("canary")
      }),
    timeout
  )

  for (const approve of [true, false])
    it.scopedLive(
      `says when piped, and in the browser, that a customer ${approve ? "consented" : "declined"}`,
      () =>
        Effect.gen(function* () {
          const { app, sandbox } = yield* makeSandbox
          const browser = yield* fakeBrowser
          const command = yield* spawned(["connect", "--no-open", ...scope, "--json"], {
            ...app,
            PATH: browser.PATH
          })
          yield* command.says("code_challenge_method=S256\n")
          const [url = ""] = authorizationUrl.exec(command.stderr()) ?? []
          const redirected = yield* sandbox.consent(url, { approve })
          const page = yield* Effect.promise(() => fetch(redirected).then((response) => response.text()))
          expect(page).toContain(approve ? "is connected." : "Not connected")
          const { code, stderr, stdout } = yield* command.end
          expect(code).toBe(approve ? 0 : 1)
          if (approve) expect(strictly(Json.Connected)(stdout).tenant).toMatch(/^urn:pleo:company:/)
          else {
            expect(stderr).toContain("The customer did not authorize the app")
            expect(strictly(Json.Failure)(stdout).error.reason).toBe("Denied")
          }
          expect(existsSync(browser.arguments)).toBe(false)
        }),
      timeout
    )
})

describe("tenants", () => {
  it.scopedLive(
    "lists who is connected and who has to connect again, in a terminal and as JSON",
    () =>
      Effect.gen(function* () {
        const { app, sandbox } = yield* makeSandbox
        const grants = yield* Effect.all([sandbox.authorize(), sandbox.authorize()])
        yield* Effect.forEach(["acme", "b\u001b[2Jeta"], (tenant, index) =>
          OAuth.storeTokens(
            { clientId: app.PLEO_CLIENT_ID, tokenEndpoint: app.PLEO_TOKEN_ENDPOINT, tenant },
            grants[index] as OAuth.Tokens
          )
        ).pipe(Effect.provide(Store.layer(app.PLEO_STORE, true)))
        const deleted = yield* run(["delete", "--yes", "--tenant", "acme"], app)
        expect(deleted.code).toBe(0)

        const [human, json] = yield* Effect.all(
          [runInTerminal(["tenants"], app), runPiped(["tenants", "--json"], app)],
          { concurrency: 2 }
        )
        expect(strictly(Json.Tenants)(json.stdout)).toEqual([
          { tenant: "acme", state: "Ended", reason: "Deleted" },
          { tenant: "b\u001b[2Jeta", state: "Active" }
        ])
        expect(human.stdout).toMatch(/must reconnect.*acme.*\(deleted\)/)
        expect(human.stdout).toMatch(/connected.*b\\u001b\[2Jeta/)
        const unknown = yield* run(["get", "--tenant", "gamma", "--json"], app)
        expect(strictly(Json.Failure)(unknown.stdout).error).toMatchObject({
          _tag: "Unauthorized",
          reason: "NotConnected",
          tenant: "gamma"
        })
      }),
    timeout
  )
})
