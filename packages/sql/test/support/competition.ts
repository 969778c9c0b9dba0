// Processes that store generations under one key of one database, see incrementProcess.ts.
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { expect } from "@effect/vitest"
import { TokenStore } from "@effect-pleo/core/TokenStore"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { compile } from "../../../node/test/support/program.ts"

const start = (environment: Record<string, string>) =>
  Effect.acquireRelease(
    Effect.map(
      Effect.promise(() => compile(new URL("incrementProcess.ts", import.meta.url))),
      (program) => {
        const child = spawn(process.execPath, [program], {
          env: { ...process.env, ...environment },
          stdio: ["pipe", "pipe", "inherit"]
        })
        return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() }
      }
    ),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  )

/** Two processes store 200 generations each, at the same time. None is lost, and none is stored by both. */
export const compete = (database: string) =>
  Effect.gen(function* () {
    const names = ["one", "other"]
    const processes = yield* Effect.forEach(names, (NAME) =>
      start({ COUNT: "200", DATABASE: database, NAME })
    )
    for (const { lines } of processes) expect((yield* Effect.promise(() => lines.next())).value).toBe("ready")
    for (const { child } of processes) child.stdin.write("go\n")
    const stored = yield* Effect.forEach(processes, ({ lines }) =>
      Effect.promise(async () => JSON.parse((await lines.next()).value ?? "null") as ReadonlyArray<number>)
    )
    const all = stored.flat().sort((a, b) => a - b)
    expect(all).toEqual(Array.from({ length: 400 }, (_, index) => index + 1))
    // They were at it at the same time, not one after the other.
    const [one = [], other = []] = stored
    expect(Math.max(...one)).toBeGreaterThan(Math.min(...other))
    expect(Math.max(...other)).toBeGreaterThan(Math.min(...one))

    const store = yield* TokenStore
    const last = names[stored.findIndex((generations) => generations.includes(400))]
    expect(yield* store.load("key")).toEqual(
      Option.some({
        generation: 400,
        authorization: { _tag: "Ended", reason: "Lost", lease: `${last} 400` }
      })
    )
  })
