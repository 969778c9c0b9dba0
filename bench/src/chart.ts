// The CPU time of an update at 64 in flight, in terms of undici.request's, as horizontal bars in two groups.
import { titleOf } from "./contenders/index.ts"
import type { Figure, LevelId } from "./figures/cpu.ts"
import { levelOf, type Results } from "./results.ts"
import { describeMachine } from "./support/environment.ts"

const width = 860
const left = 280
const right = 60
const top = 64
const bar = 18
const pitch = 28
const heading = 30
const gap = 14

const escapeXml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

const style = `
    text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328; }
    .title { font-size: 16px; font-weight: 600; }
    .note { font-size: 11px; fill: #59636e; }
    .own, .group { font-weight: 600; }
    rect { fill: #8c959f; }
    rect.own { fill: #0969da; }
    line { stroke: #59636e; stroke-dasharray: 3 3; }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc; }
      .note { fill: #9198a1; }
      rect { fill: #656c76; }
      rect.own { fill: #4493f8; }
      line { stroke: #9198a1; }
    }`

const groupTitles: ReadonlyArray<readonly [LevelId, string]> = [
  ["called", "As applications call it"],
  ["cpu64", "In a loop"]
]

interface Group {
  readonly title: string
  readonly figures: ReadonlyArray<Figure>
  /** Where it starts and ends. */
  readonly y: number
  readonly end: number
}

const groupsOf = (results: Results): ReadonlyArray<Group> => {
  const groups: Array<Group> = []
  let y = top
  for (const [id, title] of groupTitles) {
    const figures = levelOf(results, id)?.figures ?? []
    if (figures.length === 0) continue
    const end = y + heading + figures.length * pitch
    groups.push({ title, figures, y, end })
    y = end + gap
  }
  return groups
}

export const chart = (results: Results): string => {
  const groups = groupsOf(results)
  const greatest = Math.max(1, ...groups.flatMap(({ figures }) => figures.map(({ ratio }) => ratio.median)))
  const x = (ratio: number) => left + (ratio / greatest) * (width - left - right)
  const height = (groups.at(-1)?.end ?? top) + 44

  const row = ({ name, ratio }: Figure, y: number) => {
    const own = name.startsWith("effect-pleo") ? ' class="own"' : ""
    const length = (x(ratio.median) - left).toFixed(1)
    return `  <text${own} x="${left - 10}" y="${y + 14}" text-anchor="end">${escapeXml(titleOf(name))}</text>
  <rect${own} x="${left}" y="${y}" width="${length}" height="${bar}" rx="2"/>
  <text${own} x="${(x(ratio.median) + 6).toFixed(1)}" y="${y + 14}">${ratio.median.toFixed(2)}</text>`
  }
  const draw = ({ end, figures, title, y }: Group) => {
    const first = y + heading
    const rows = figures.map((figure, index) => row(figure, first + index * pitch))
    return `  <text class="group" x="10" y="${y + 14}">${escapeXml(title)}</text>
  <line x1="${x(1).toFixed(1)}" y1="${first - 8}" x2="${x(1).toFixed(1)}" y2="${end}"/>
${rows.join("\n")}`
  }
  const summarize = ({ figures, title }: Group) =>
    `${title}: ${figures.map(({ name, ratio }) => `${titleOf(name)} ${ratio.median.toFixed(2)}`).join("; ")}.`

  const { date, versions } = results.environment
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title desc">
  <title id="title">CPU time of an update, 64 in flight; undici.request = 1</title>
  <desc id="desc">${escapeXml(groups.map(summarize).join(" "))} Less is better.</desc>
  <style>${style}
  </style>
  <text class="title" x="10" y="24">CPU time of an update, 64 in flight</text>
  <text class="note" x="10" y="44">undici.request in a loop = 1, less is better</text>
${groups.map(draw).join("\n")}
  <text class="note" x="10" y="${height - 14}">${escapeXml(`Node.js ${versions["node"]}, ${describeMachine(results.environment)}, ${date}`)}</text>
</svg>
`
}
