import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as OAuth from "@effect-pleo/core/OAuth"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Json from "../src/internal/json.ts"
import * as Store from "../src/internal/store.ts"
import {
  directory,
  inTerminal,
  makeSandbox,
  run,
  runInTerminal,
  runPiped,
  spawned,
  strictly,
  timeout
} from "./support/command.ts"

/** A first `xdg-open` in the path that writes its arguments and its variables to files. */
const fakeBrowser = Effect.map(directory, (directory) => {
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
