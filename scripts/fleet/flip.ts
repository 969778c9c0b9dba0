// All installations twice on the embedded store, beside a loop that sends the same updates.
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { temporaryDirectory } from "../../packages/node/test/support/temporaryDirectory.ts"
import { atLeast, atMost, exactly, show } from "./figures.ts"
import { startApi, startRunner } from "./processes.ts"

const flips = 2

/** Updates before those that are measured. */
const warmUp = 2000

export const flip = (rows: number) =>
  Effect.gen(function* () {
    const api = yield* startApi
    const file = join(yield* temporaryDirectory, "fleet.db")
    const warm = yield* startRunner(api)
    yield* warm.measure({ _tag: "Plain", rows: warmUp, flips: 1 })
    yield* api.reset()
    const plain = yield* warm.measure({ _tag: "Plain", rows, flips })
    const runner = yield* startRunner(api)
    yield* runner.measure({ _tag: "Flip", rows: warmUp, flips: 1, file: `${file}.warm` })
    yield* api.reset()
    const fleet = yield* runner.measure({ _tag: "Flip", rows, flips, file })
    const report = yield* api.report(flips)
    const updates = rows * flips
    return [
      atMost("time", fleet.seconds, 600, " s"),
      show("updates a second", updates / fleet.seconds),
      atLeast("rate against Effect.forEach", plain.seconds / fleet.seconds, 0.85),
      show("CPU against Effect.forEach", fleet.cpuSeconds / plain.cpuSeconds),
      atMost("memory", fleet.memory / 2 ** 20, 512, " MiB"),
      exactly("lost", rows - report.newest, 0),
      exactly("out of order", report.outOfOrder, 0),
      show("duplicates", report.duplicates)
    ]
  }).pipe(Effect.scoped)
