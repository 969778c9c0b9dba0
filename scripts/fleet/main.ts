// Measures a fleet, and exits with 1 when a bar is missed:
// - `fleet`: two flips on the embedded store, beside a plain loop
// - `fleet chaos`: runners on PostgreSQL are killed and frozen; `--seed` repeats a run
// - `fleet scale`: 1, 2 and 3 runners, and a rate limit that they share
// - `fleet growth`: the cost of an update among more rows, and storage after more flips
// `--rows` sets the number of installations.
import { parseArgs } from "node:util"
import * as Effect from "effect/Effect"
import { chaos } from "./chaos.ts"
import { type Figure, print } from "./figures.ts"
import { flip } from "./flip.ts"
import { growth } from "./growth.ts"
import { scale } from "./scale.ts"

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { rows: { type: "string" }, seed: { type: "string" } }
})
const rows = values.rows === undefined ? undefined : Number(values.rows)
const seed = values.seed === undefined ? Math.floor(Math.random() * 1e6) : Number(values.seed)

const measure = (name: string | undefined): Promise<ReadonlyArray<Figure>> => {
  switch (name) {
    case undefined:
      return Effect.runPromise(flip(rows ?? 50_000))
    case "chaos":
      console.log(`Seed ${seed}`)
      return Effect.runPromise(chaos(rows ?? 6000, seed))
    case "scale":
      return Effect.runPromise(scale)
    case "growth":
      return Effect.runPromise(growth(rows ?? 50_000))
    default:
      throw new Error(`Expected chaos, scale, growth or nothing, got ${name}`)
  }
}

const figures = await measure(positionals[0])
print(figures)
process.exit(figures.every(({ met }) => met) ? 0 : 1)
