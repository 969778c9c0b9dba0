// All figures, and the tables that show them.
import { type Name, reference, titleOf } from "./contenders/index.ts"
import type { LevelFigures, LevelId } from "./figures/cpu.ts"
import { type Growth, totalUpdates } from "./figures/growth.ts"
import { waitingUpdates } from "./figures/heap.ts"
import type { Footprint } from "./footprint/index.ts"
import { tables as footprintTables } from "./footprint/tables.ts"
import type { Environment } from "./support/environment.ts"
import type { Table } from "./support/table.ts"

export interface Bytes {
  readonly name: Name
  readonly bytes: number
}

export interface Results {
  readonly environment: Environment
  readonly cpu: ReadonlyArray<LevelFigures>
  readonly allocation: ReadonlyArray<Bytes>
  readonly waiting: ReadonlyArray<Bytes>
  readonly growth: Growth | undefined
  readonly footprint: Footprint
}

const toKiB = (bytes: number): string => (bytes / 1024).toFixed(1)

const bytesTable = (title: string, head: string, figures: ReadonlyArray<Bytes>): ReadonlyArray<Table> => {
  const base = figures.find(({ name }) => name === reference)?.bytes ?? Number.NaN
  const rows = figures.map(({ bytes, name }) => [titleOf(name), toKiB(bytes), (bytes / base).toFixed(2)])
  return figures.length === 0 ? [] : [{ title, head: ["", head, "ratio"], rows }]
}

const cpuTable = ({ figures, title }: LevelFigures): Table => ({
  title: `CPU time of the client ${title}`,
  head: ["", "CPU µs/update", "updates/s", "ratio", "min", "max"],
  rows: figures.map(({ cpu, name, ratio, updatesPerSecond }) => [
    titleOf(name),
    cpu.toFixed(1),
    updatesPerSecond.toFixed(0),
    ratio.median.toFixed(2),
    ratio.min.toFixed(2),
    ratio.max.toFixed(2)
  ])
})

const growthTable = ({ first, last, ratio }: Growth): Table => ({
  title: `Growth of the CPU time of effect-pleo over ${totalUpdates} updates, 64 in flight`,
  head: ["", "CPU µs/update", "ratio"],
  rows: [
    ["the first", first.toFixed(1), "1.00"],
    ["the last", last.toFixed(1), ratio.toFixed(2)]
  ]
})

export const tables = ({ allocation, cpu, footprint, growth, waiting }: Results): ReadonlyArray<Table> => [
  ...cpu.map(cpuTable),
  ...bytesTable("Heap allocated by an update, 64 in flight", "KiB/update", allocation),
  ...bytesTable(`Heap held by each of ${waitingUpdates} updates that wait`, "KiB/update", waiting),
  ...(growth === undefined ? [] : [growthTable(growth)]),
  ...footprintTables(footprint)
]

export const levelOf = ({ cpu }: Results, id: LevelId): LevelFigures | undefined =>
  cpu.find((level) => level.id === id)

export const ratioOf = (results: Results, id: LevelId, name: Name): number | undefined =>
  levelOf(results, id)?.figures.find((figure) => figure.name === name)?.ratio.median
