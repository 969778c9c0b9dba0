// Measures a fleet, and exits with 1 when a bar is missed:
// - `fleet`: two flips on the embedded store, beside a plain loop
// - `fleet chaos`: runners on PostgreSQL are killed and frozen; `--seed` repeats a run
// - `fleet scale`: 1, 2 and 3 runners, and a rate limit that they share
// - `fleet growth`: the cost of an update among more rows, and storage after more flips
// `--rows` sets the number of installations.
import { parseArgs } from "node:util"
import * as Effect from "effect/Effect"
import { chaos } from "./chaos.ts"
import { print } from "./figures.ts"
import { flip } from "./flip.ts"
import { growth } from "./growth.ts"
import { scale } from "./scale.ts"

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { rows: { type: "string" }, seed: { type: "string" } }
})
const rows = values.rows === undefined ? undefined : Number(values.rows)
const seed = values.seed === undefined ? Math.floor(Math.random() * 1e6) : Number(values.seed)

const run = () => {
  switch (positionals[0]) {
    case undefined:
      return Effect.map(flip(rows ?? 50_000), (figures) => ({
        title: "Two flips on the embedded store",
        figures
      }))
    case "chaos":
      return Effect.map(chaos(rows ?? 6000, seed), (figures) => ({ title: `Chaos, seed ${seed}`, figures }))
    case "scale":
      return Effect.map(scale, (figures) => ({ title: "Runners on PostgreSQL", figures }))
    case "growth":
      return Effect.map(growth(rows ?? 50_000), (figures) => ({ title: "Growth", figures }))
    default:
      throw new Error(`Unknown measurement ${positionals[0]}`)
  }
}
const { figures, title } = await Effect.runPromise(run())
print(title, figures)
process.exit(figures.every(({ met }) => met) ? 0 : 1)
