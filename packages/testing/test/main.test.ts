import { spawn } from "node:child_process"
import { createServer } from "node:net"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { compile } from "../../node/test/support/program.ts"

/** Runs the command until it ends, or until its output matches and it is interrupted. */
const run = (args: ReadonlyArray<string>, until?: RegExp) =>
  Effect.flatMap(
    Effect.promise(() => compile(new URL("../src/main.ts", import.meta.url))),
    (program) =>
      Effect.async<{ readonly code: number | null; readonly out: string; readonly err: string }>((resume) => {
        const child = spawn(process.execPath, [program, ...args])
        let [out, err] = ["", ""]
        child.stdout.on("data", (chunk) => {
          out += chunk
          if (until?.test(out)) child.kill("SIGINT")
        })
        child.stderr.on("data", (chunk) => {
          err += chunk
        })
        child.on("close", (code) => resume(Effect.succeed({ code, out, err })))
        return Effect.sync(() => child.kill("SIGKILL"))
      })
  )

/** A port that another server holds as long as the scope. */
const taken = Effect.acquireRelease(
  Effect.async<ReturnType<typeof createServer>>((resume) => {
    const server = createServer().listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  }),
  (server) => Effect.sync(() => server.close())
)

const portOf = (server: ReturnType<typeof createServer>) => {
  const address = server.address()
  return typeof address === "object" && address !== null ? String(address.port) : ""
}

// Each starts a process, which loads all modules anew.
describe("the command", { timeout: 60_000 }, () => {
  it.live("prints the address of the page first, and runs until it is interrupted", () =>
    Effect.gen(function* () {
      const { err, out } = yield* run([], /requests/)
      expect(out).toMatch(/^Sandbox: http:\/\/127\.0\.0\.1:\d+\n/)
      expect(err).toBe("")
    })
  )

  it.live("explains its options, and exits with 0", () =>
    Effect.gen(function* () {
      const { code, out } = yield* run(["--help"])
      expect(code).toBe(0)
      expect(out).toContain("--port")
    })
  )

  for (const args of [["--port", "70000"], ["--nope"]])
    it.live(`exits with 1 for ${args.join(" ")}, and says what it expected`, () =>
      Effect.gen(function* () {
        const { code, err, out } = yield* run(args)
        expect(code).toBe(1)
        expect(out).toBe("")
        expect(err).toMatch(/^The (port is|options are) .*\n$/)
      })
    )

  it.scopedLive("exits with 1 if the port is taken", () =>
    Effect.gen(function* () {
      const { code, err } = yield* run(["--port", portOf(yield* taken)])
      expect(code).toBe(1)
      expect(err).toMatch(/^The sandbox cannot listen: .*EADDRINUSE/)
    })
  )
})
