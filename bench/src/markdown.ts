import { type Results, tables } from "./results.ts"
import { describeMachine, describeVersions } from "./support/environment.ts"
import { toMarkdown } from "./support/table.ts"

export const markdown = (results: Results): string =>
  [
    "# Results",
    "",
    "Written by `npx -y pnpm@12.21.0 bench --save`; without `--save` it only prints. [README.md](README.md) says how it measures.",
    "",
    "![The CPU time of an update in terms of undici.request's](chart.svg)",
    "",
    `- ${results.environment.date}`,
    `- ${describeVersions(results.environment)}`,
    `- ${describeMachine(results.environment)}`,
    "",
    "A ratio is to `undici.request` in a loop: the median of the ratios of each round, and the least and the greatest.",
    "",
    ...tables(results).map(toMarkdown)
  ].join("\n")
