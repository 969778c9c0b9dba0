import { statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as OAuth from "@effect-pleo/core/OAuth"
import * as Fleet from "@effect-pleo/fleet/Fleet"
import * as Fault from "@effect-pleo/testing/Fault"
import * as InstallationServiceTest from "@effect-pleo/testing/InstallationServiceTest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import { temporaryDirectory } from "../../node/test/support/temporaryDirectory.ts"
import * as Progress from "../src/internal/fleetProgress.ts"
import * as Json from "../src/internal/json.ts"
import * as Store from "../src/internal/store.ts"
import { inTerminal, makeSandbox, run, runPiped, strictly, timeout } from "./support/command.ts"

/** A sandbox with connected customers, and an app with a fleet in a file. */
const makeApp = (...tenants: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { app, sandbox } = yield* makeSandbox
    yield* Effect.forEach(tenants, (tenant) =>
      Effect.flatMap(sandbox.authorize(), (tokens) =>
        OAuth.storeTokens(
          { clientId: app.PLEO_CLIENT_ID, tokenEndpoint: app.PLEO_TOKEN_ENDPOINT, tenant },
          tokens
        )
      )
    ).pipe(Effect.provide(Store.layer(app.PLEO_STORE, true)))
    const directory = yield* temporaryDirectory
    const file = join(directory, "fleet.db")
    const updates = Effect.map(sandbox.requests, (all) => all.filter(({ method }) => method === "PUT"))
    return { app: { ...app, PLEO_FLEET: `sqlite:${file}` }, directory, file, sandbox, updates }
  })

/** The JSON values of an output, a line each. */
const lines = (stdout: string): ReadonlyArray<string> => stdout.trimEnd().split("\n")

const decodeLine = <A, I>(schema: Schema.Schema<A, I>, line: string | undefined): A =>
  strictly(schema)(line ?? "")

describe("fleet set --watch", () => {
  it.scopedLive(
    "sets the state of all connected customers, and sends the fleet that no other process runs",
    () =>
      Effect.gen(function* () {
        const { app, updates } = yield* makeApp("acme", "beta")
        const { code, stderr, stdout } = yield* run(
          [
            "fleet",
            "set",
            "ERROR",
            "--error-code",
            "AUTH_ERROR",
            "--metadata=note=x",
            "--all",
            "--watch",
            "--json"
          ],
          app
        )
        expect({ code, stderr }).toEqual({
          code: 0,
          stderr: "No other process runs this fleet: this one sends until nothing is pending.\n"
        })
        const [first, ...others] = lines(stdout)
        expect(decodeLine(Json.FleetSet, first)).toEqual({ set: 2 })
        for (const line of others.slice(0, -1)) decodeLine(Json.FleetProgress, line)
        expect(decodeLine(Json.FleetProgress, others.at(-2))).toMatchObject({ pending: 0, applied: 2 })
        expect(decodeLine(Json.FleetEnd, others.at(-1))).toEqual({ applied: 2, superseded: 0, failures: [] })
        expect((yield* updates).map(({ body, status }) => ({ body: JSON.parse(body), status }))).toEqual(
          Array.from({ length: 2 }, () => ({
            body: { status: "ERROR", errorCode: "AUTH_ERROR", metadata: { note: "x" } },
            status: 200
          }))
        )
      }),
    timeout
  )

  it.scopedLive(
    "fails with the customers that have failed, but not with others, and says what to do",
    () =>
      Effect.gen(function* () {
        const { app } = yield* makeApp("acme")
        const failed = yield* run(["fleet", "set", "ACTIVATED", "acme", "ghost", "--watch"], app)
        expect(failed.code).toBe(1)
        expect(failed.stdout).toMatch(/^applied +1\nfailed +1\n$/)
        expect(failed.stderr).toContain("1 customer failed:\n  ghost: The customer is not connected")
        expect(failed.stderr).toMatch(/Once the cause is gone, set the state again\.\n$/)

        const others = yield* run(["fleet", "set", "INACTIVE", "acme", "--watch"], app)
        expect(others.code).toBe(0)
        expect(others.stderr).not.toContain("ghost")

        const all = yield* run(["fleet", "watch", "--json"], app)
        expect(all.code).toBe(1)
        expect(decodeLine(Json.FleetEnd, lines(all.stdout).at(-1)).failures).toMatchObject([
          { tenant: "ghost", reason: "ReconnectNeeded", attempts: 1 }
        ])
      }),
    timeout
  )

  it.scopedLive(
    "shows a bar in a terminal, and leaves to a next one what is pending when it is interrupted",
    () =>
      Effect.gen(function* () {
        const tenants = Array.from({ length: 8 }, (_, index) => `customer-${index}`)
        const { app, directory, sandbox, updates } = yield* makeApp(...tenants)
        const names = join(directory, "names")
        writeFileSync(names, `${tenants.join("\r\n")}\n\n`)
        yield* sandbox.inject(...tenants.map(() => Fault.delay(500)))
        const first = yield* inTerminal(
          ["fleet", "set", "ACTIVATED", "--stdin", "--watch", "--rate-limit=4"],
          app,
          `<'${names}'`
        )
        yield* first.says(" of 8")
        yield* first.type("\u0003")
        const interrupted = yield* first.end
        expect(interrupted.code).toBe(130)
        expect(interrupted.stdout).toMatch(/[█░]{24} \d+% {2}\d of 8/)
        expect(interrupted.stdout).toContain("To watch it again: effect-pleo fleet watch")
        const sent = yield* updates
        expect(sent.length).toBeLessThan(8)

        const { code, stderr, stdout } = yield* runPiped(["fleet", "watch"], app)
        expect({ code, stdout }).toEqual({ code: 0, stdout: "applied     8\n" })
        expect(stderr).toMatch(
          /^No other process runs this fleet.*\n\d pending, \d applied.*\n(?:.*\n)*0 pending, 8 applied\n$/
        )
        // None was sent twice: those in flight ended before the first one did.
        expect(yield* updates).toHaveLength(8)
      }),
    timeout
  )
})

describe("the fleet of a process", () => {
  it.scopedLive(
    "is set and watched by others without a credential, and not copied meanwhile",
    () =>
      Effect.gen(function* () {
        const { directory, file } = yield* makeApp()
        const environment = { PLEO_FLEET: `sqlite:${file}`, PLEO_SERVER: "staging" }
        yield* Layer.build(Fleet.layerSingle({ file }))
        const { code, stderr } = yield* run(["fleet", "set", "ACTIVATED", "acme", "--watch"], environment)
        expect({ code, stderr }).toEqual({
          code: 0,
          stderr: expect.stringMatching(/^Another process runs this fleet, and sends: this one watches\.\n/)
        })
        const { updates } = yield* InstallationServiceTest.InstallationServiceTest
        expect(yield* updates).toMatchObject([{ tenant: "acme", request: { status: "ACTIVATED" } }])

        const copied = yield* run(
          ["fleet", "migrate", "--to", `sqlite:${join(directory, "other.db")}`, "--json"],
          environment
        )
        expect(copied.code).toBe(1)
        expect(strictly(Json.Failure)(copied.stdout).error).toMatchObject({
          reason: "Fleet",
          message: expect.stringContaining("a process runs the fleet of the fleet's store")
        })
      }).pipe(Effect.provide(InstallationServiceTest.layerTest())),
    timeout
  )
})

describe("fleet migrate", () => {
  it.scopedLive(
    "copies states to a file that others cannot read, once",
    () =>
      Effect.gen(function* () {
        const { app, directory, updates } = yield* makeApp("acme")
        const other = `sqlite:${join(directory, "other.db")}`
        const stored = yield* run(["fleet", "set", "ACTIVATED", "acme", "--json"], app)
        expect(strictly(Json.FleetSet)(stored.stdout)).toEqual({ set: 1 })
        expect(yield* updates).toEqual([])
        const migrated = yield* run(["fleet", "migrate", "--to", other, "--json"], app)
        expect(strictly(Json.FleetMigrated)(migrated.stdout)).toEqual({ migrated: 1 })
        expect(statSync(join(directory, "other.db")).mode & 0o077).toBe(0)
        const again = yield* run(["fleet", "migrate", `--to=${other}`], app)
        expect(again).toMatchObject({
          code: 1,
          stderr: expect.stringContaining("the target has states already")
        })
        const watched = yield* run(["fleet", "watch", "--fleet", other], app)
        expect(watched).toMatchObject({ code: 0, stdout: "applied     1\n" })
        expect(yield* updates).toHaveLength(1)
      }),
    timeout
  )
})

describe("the progress of a fleet", () => {
  const progress = {
    pending: 31_000,
    inFlight: 32,
    applied: 19_000,
    superseded: 0,
    failed: { Refused: 1, ReconnectNeeded: 2, Retrying: 4 },
    rate: 49.6,
    remaining: 624.2
  }

  it("has counts, a rate and an estimate, in a line and in a bar no wider than the terminal", () => {
    const counts = ["32 in flight", "4 retrying", "3 failed", "50/s", "10m 25s left"]
    expect(Progress.plain(progress)).toBe(["31000 pending", "19000 applied", ...counts].join(", "))
    expect(Progress.bar(progress, 50_000, 200)).toBe(
      [`${"█".repeat(9)}${"░".repeat(15)} 38%`, "19000 of 50000", ...counts].join("  ")
    )
    expect(Progress.bar(progress, 50_000, 40)).toHaveLength(39)
    const { remaining: _, ...others } = progress
    expect(Progress.plain({ ...others, rate: 0, inFlight: 0 })).toMatch(/3 failed, nothing is sent now$/)
  })

  it("lists twenty failures, and says how many others there are", () => {
    const failure = { reason: "Refused", message: "It is\u001b refused.", attempts: 1, at: "" } as const
    const all = Array.from({ length: 23 }, (_, index) => ({ ...failure, tenant: `customer-${index}` }))
    const lines = Progress.failures(all).split("\n")
    expect(lines).toHaveLength(23)
    expect(lines[0]).toBe("23 customers failed:")
    expect(lines[20]).toBe("  customer-19: It is\\u001b refused.")
    expect(lines[21]).toBe("  and 3 others, which --json lists")
  })
})
