import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Fault from "@effect-pleo/testing/Fault"
import type * as Sandbox from "@effect-pleo/testing/Sandbox"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Json from "../src/internal/json.ts"
import {
  directory,
  inTerminal,
  makeSandbox,
  parse,
  run,
  runBash,
  runInTerminal,
  spawned,
  timeout
} from "./support/command.ts"

const canary = "canary-access-token"

const strictly =
  <A, I>(schema: Schema.Schema<A, I>) =>
  (stdout: string): A =>
    Schema.decodeUnknownSync(schema)(parse(stdout), { onExcessProperty: "error" })

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

/** All at once, each with an installation of its own. */
const forEachCommand = <E>(
  sandbox: Sandbox.Sandbox["Type"],
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
    { concurrency: 3, discard: true }
  )

describe("the commands of an installation", () => {
  it.scopedLive(
    "print a few plain lines when piped, and nothing on stderr",
    () =>
      Effect.gen(function* () {
        const { sandbox } = yield* makeSandbox
        yield* forEachCommand(sandbox, ({ args, shows }, environment) =>
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
    "print one value of their schema with --json, and nothing on stderr",
    () =>
      Effect.gen(function* () {
        const { sandbox } = yield* makeSandbox
        yield* forEachCommand(sandbox, ({ args, schema, shows }, environment) =>
          Effect.map(run([...args, "--json"], environment), ({ code, stderr, stdout }) => {
            expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: "" })
            expect(stdout).toContain(shows)
            strictly(schema as Schema.Schema<unknown>)(stdout)
          })
        )
      }),
    timeout
  )

  it.scopedLive(
    "show in a terminal that they wait, and use colors",
    () =>
      Effect.gen(function* () {
        const { sandbox } = yield* makeSandbox
        // Longer than until the first picture of the spinner.
        yield* sandbox.inject(...commands.map(() => Fault.delay(300)))
        yield* forEachCommand(sandbox, ({ args, shows }, environment) =>
          Effect.map(runInTerminal(args, environment), ({ code, stdout }) => {
            expect({ args, code }).toEqual({ args, code: 0 })
            const [spinner = "", ...result] = stdout.split("\r\u001b[K")
            expect(spinner).toContain("Waiting for Pleo")
            expect(result.join("")).toContain(shows)
            expect(result.join("").includes("\u001b[2m")).toBe(!args.includes("delete"))
          })
        )
      }),
    timeout
  )

  it.scopedLive(
    "use no colors in a terminal under NO_COLOR, nor in their help",
    () =>
      Effect.gen(function* () {
        const { sandbox } = yield* makeSandbox
        const environment = { PLEO_SERVER: sandbox.url, PLEO_ACCESS_TOKEN: "token", NO_COLOR: "1" }
        const [get, refused, help] = yield* Effect.all(
          [
            runInTerminal(["get"], environment),
            runInTerminal(["get", "--server", "nowhere"], environment),
            runInTerminal(["--help"], environment)
          ],
          { concurrency: 2 }
        )
        expect(get?.stdout).toContain("AUTHORIZED")
        expect(refused?.stdout).toContain("PLEO_SERVER")
        expect(help?.stdout).toContain("EXIT CODES")
        // The rest is the sequence that clears the spinner's line.
        for (const { stdout } of [get, refused, help])
          expect(stdout.replaceAll("\u001b[K", "")).not.toContain("\u001b")
      }),
    timeout
  )

  it.scopedLive(
    "write only the result to stdout when a person watches stderr",
    () =>
      Effect.gen(function* () {
        const { sandbox } = yield* makeSandbox
        const file = join(yield* directory, "output")
        const process = yield* inTerminal(["get", "--json"], { PLEO_SERVER: sandbox.url }, `>'${file}'`)
        yield* process.says("Access token")
        yield* process.type(`${canary}\r`)
        const { code, stdout } = yield* process.end
        expect(code).toBe(0)
        expect(stdout).not.toContain(canary)
        expect(strictly(Json.Installation)(readFileSync(file, "utf8")).status).toBe("AUTHORIZED")
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
        const [human, json] = yield* Effect.all([
          run(args, environment),
          run([...args, "--json"], environment)
        ])
        for (const { stdout } of [human, json]) expect(stdout).toContain('{"note":"\\u009b31m\\u202e"}')
        expect(strictly(Json.Installation)(json.stdout).metadata).toEqual({ note: "\u009b31m\u202e" })
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
        const file = join(yield* directory, "metadata.json")
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
})

describe("delete", () => {
  it.scopedLive(
    "asks in a terminal, and deletes nothing after a no",
    () =>
      Effect.gen(function* () {
        const { sandbox } = yield* makeSandbox
        const environment = { PLEO_SERVER: sandbox.url, PLEO_ACCESS_TOKEN: "token" }
        const answer = (key: string) =>
          Effect.gen(function* () {
            const process = yield* inTerminal(["delete"], environment)
            yield* process.says("Delete this installation")
            yield* process.type(key)
            return yield* process.end
          })
        const declined = yield* answer("n")
        expect(declined.stdout).toContain("nothing was deleted")
        expect(declined.code).toBe(1)
        const interrupted = yield* answer("\u0003")
        expect(interrupted.code).toBe(130)
        expect((yield* sandbox.requests).map(({ method }) => method)).toEqual(["GET", "GET"])
        const confirmed = yield* answer("y")
        expect(confirmed.code).toBe(0)
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
        const text = join(yield* directory, "text")
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
          { args: ["get"], environment: { ...token, PLEO_API_KEY: canary }, says: "unset one" },
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
            says: "either --tenant or --credential-file"
          },
          { args: ["sandbox", "--port", "70000"], environment: {}, says: "65535" }
        ]
        yield* Effect.forEach(
          cases,
          ({ args, environment, says }) =>
            Effect.map(run([...args, "--json"], environment), ({ code, stderr, stdout }) => {
              expect({ args, code }).toEqual({ args, code: 2 })
              expect(stderr).toContain(says)
              expect(failure(stdout).error._tag).toBe("UsageError")
              expect(`${stdout}${stderr}`).not.toContain("canary")
            }),
          { concurrency: 2, discard: true }
        )
        expect(yield* sandbox.requests).toEqual([])
      }),
    timeout
  )

  it.scopedLive(
    "shows no secret, at any level of the log",
    () =>
      Effect.gen(function* () {
        const { sandbox, app } = yield* makeSandbox
        const file = join(yield* directory, "token")
        writeFileSync(file, `${canary}\n`)
        const token = { PLEO_SERVER: sandbox.url, PLEO_ACCESS_TOKEN: canary }
        const results = yield* Effect.forEach(
          [
            { args: ["get", "--log-level", "all"], environment: token, code: 0 },
            {
              args: ["get", "--credential-file", file, "--log-level", "all"],
              environment: { PLEO_SERVER: sandbox.url },
              code: 0
            },
            { args: ["get"], environment: { ...token, PLEO_ACCESS_TOKEN: `${canary}\u00e9` }, code: 2 },
            { args: ["get", "--token", canary], environment: token, code: 2 },
            {
              args: ["get", "--tenant", "acme", "--log-level", "all"],
              environment: { ...app, PLEO_STORE: `postgres://app:${canary}@127.0.0.1:1/tokens` },
              code: 1
            }
          ],
          ({ args, code, environment }) =>
            Effect.map(run(args, environment), (result) => {
              expect({ args, code: result.code }).toEqual({ args, code })
              return `${result.stdout}${result.stderr}`
            }),
          { concurrency: 2 }
        )
        expect(results[0]).toContain("level=DEBUG")
        expect(results.join("\n")).not.toContain("canary")
      }),
    timeout
  )

  it.scopedLive(
    "of Ctrl-C exits with 130",
    () =>
      Effect.gen(function* () {
        const { sandbox } = yield* makeSandbox
        yield* sandbox.inject(Fault.stallResponse())
        const process = yield* spawned(["get", "--json"], {
          PLEO_SERVER: sandbox.url,
          PLEO_ACCESS_TOKEN: "token"
        })
        yield* sandbox.awaitRequests(1)
        process.child.kill("SIGINT")
        expect(yield* process.end).toEqual({ code: 130, stdout: "", stderr: "" })
      }),
    timeout
  )
})

describe("sandbox", () => {
  it.scopedLive(
    "runs until Ctrl-C, and a second one on its port exits with 1",
    () =>
      Effect.gen(function* () {
        const process = yield* spawned(["sandbox", "--json"])
        yield* process.says("\n")
        process.child.kill("SIGINT")
        const { code, stdout } = yield* process.end
        expect(code).toBe(130)
        const { url } = strictly(Json.Listening)(stdout)
        expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)

        const { sandbox } = yield* makeSandbox
        const taken = yield* run(["sandbox", "--json", "--port", new URL(sandbox.url).port])
        expect(taken.code).toBe(1)
        expect(failure(taken.stdout).error.message).toContain("EADDRINUSE")
      }),
    timeout
  )
})

describe("a change of production", () => {
  it.scopedLive(
    "is announced on stderr, and a read is not",
    () =>
      Effect.gen(function* () {
        // Without a credential, neither is sent.
        const [change, read] = yield* Effect.all(
          [run(["activate"]), run(["get", "--server", "production"])],
          {
            concurrency: 2
          }
        )
        expect(change.code).toBe(2)
        expect(change.stderr).toContain("PRODUCTION: this activate changes")
        expect(read.code).toBe(2)
        expect(read.stderr).not.toContain("PRODUCTION")
      }),
    timeout
  )
})

describe("--completions", () => {
  it.scopedLive(
    "prints a script for each shell",
    () =>
      Effect.gen(function* () {
        const all = yield* Effect.forEach(["bash", "zsh", "fish"], (shell) => run(["--completions", shell]), {
          concurrency: 2
        })
        for (const { code, stdout } of all) {
          expect(code).toBe(0)
          for (const { args } of commands) expect(stdout).toContain(args[0])
        }
        const complete =
          "COMP_WORDS=(effect-pleo up); COMP_CWORD=1; _effect-pleo_bash_completions effect-pleo up effect-pleo"
        expect(yield* runBash(`${all[0]?.stdout}\n${complete}; echo "\${COMPREPLY[@]}"`)).toContain("update")
      }),
    timeout
  )
})
