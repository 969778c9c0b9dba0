// Measures a fleet: `fleet` flips all installations twice on the embedded store; `--rows` sets how many there are. It
// exits with 1 when a bar is missed.
import { parseArgs } from "node:util"
import * as Effect from "effect/Effect"
import { print } from "./figures.ts"
import { flip } from "./flip.ts"

const { values } = parseArgs({ allowPositionals: true, options: { rows: { type: "string" } } })
const rows = values.rows === undefined ? undefined : Number(values.rows)
const figures = await Effect.runPromise(flip(rows ?? 50_000))
print("Two flips on the embedded store", figures)
process.exit(figures.every(({ met }) => met) ? 0 : 1)
