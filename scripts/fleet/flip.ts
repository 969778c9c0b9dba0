// All installations twice on the embedded store, beside a loop that sends the same updates.
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { sumAll } from "effect/Number"
import { temporaryDirectory } from "../../packages/node/test/support/temporaryDirectory.ts"
import { atLeast, atMost, exactly, show } from "./figures.ts"
import { startApi, startRunner } from "./processes.ts"
import type { Done } from "./runnerProcess.ts"

const flips = [1, 2]

/** Updates before those that are measured, until the code is compiled. */
const warmUp = 20_000

export const flip = (rows: number) =>
  Effect.gen(function* () {
    const file = join(yield* temporaryDirectory, "fleet.db")
    const plainApi = yield* startApi
    const plainRunner = yield* startRunner(plainApi)
    yield* plainRunner.measure({ _tag: "Plain", rows: warmUp, flips: [1] })
    const api = yield* startApi
    const runner = yield* startRunner(api)
    yield* runner.measure({ _tag: "Flip", rows: warmUp, flips: [1], file: `${file}.warm` })
    yield* api.reset()
    // In turns, the loop first and last, since the speed of a machine changes from one minute to the next.
    const loop = (flip: number) => plainRunner.measure({ _tag: "Plain", rows, flips: [flip] })
    const plain = [yield* loop(0)]
    const fleet: Array<Done> = []
    for (const flip of flips) {
      fleet.push(yield* runner.measure({ _tag: "Flip", rows, flips: [flip], file }))
      plain.push(yield* loop(flip))
    }
    const sum = (all: ReadonlyArray<Done>, key: keyof Done) => sumAll(all.map((done) => done[key]))
    const mean = (all: ReadonlyArray<Done>, key: keyof Done) => sum(all, key) / all.length
    const report = yield* api.report(flips.length)
    const seconds = sum(fleet, "seconds")
    return [
      atMost("time", seconds, 600, " s"),
      show("updates a second", (rows * flips.length) / seconds),
      atLeast("rate against Effect.forEach", mean(plain, "seconds") / mean(fleet, "seconds"), 0.85),
      show("CPU against Effect.forEach", mean(fleet, "cpuSeconds") / mean(plain, "cpuSeconds")),
      atMost("memory", Math.max(...fleet.map(({ memory }) => memory)) / 2 ** 20, 512, " MiB"),
      exactly("lost", rows - report.newest, 0),
      exactly("out of order", report.outOfOrder, 0),
      show("duplicates", report.duplicates)
    ]
  }).pipe(Effect.scoped)
