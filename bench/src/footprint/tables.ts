import type { Table } from "../support/table.ts"
import { titleOf } from "./applications/index.ts"
import { bareImport, maxRatioBundled, maxRatioInstalled, type Start, type Starts } from "./coldStart.ts"
import type { Footprint } from "./index.ts"
import { type Installation, maxPackages } from "./packages.ts"
import { maxOwnSize, type Size, type Sizes } from "./size.ts"

const sizeRow = (name: string, { gzipped, minified }: Size) => [name, String(minified), String(gzipped)]

const sizeTable = ({ applications, example, own, ownOfExample }: Sizes): Table => ({
  title: `Bytes of a bundle (at most ${maxOwnSize}, gzipped, of our own for the README's example)`,
  head: ["", "minified", "gzipped"],
  rows: [
    sizeRow("our own: all that core and node export", own),
    sizeRow("our own: what the README's example needs", ownOfExample),
    sizeRow("the README's example, with everything", example),
    ...applications.map((application) => sizeRow(`an update by ${titleOf(application.name)}`, application))
  ]
})

const packagesTable = (installations: ReadonlyArray<Installation>): Table => ({
  title: `Packages installed (at most ${maxPackages} with effect-pleo)`,
  head: ["", "packages"],
  rows: installations.map((installation) => [
    installation.name,
    "packages" in installation ? String(installation.packages) : "not installed"
  ])
})

const startTable = (title: string, starts: ReadonlyArray<Start>): Table => ({
  title,
  head: ["", "answered ms", "min", "max", "ratio", "CPU ms", "ratio", "exited ms", "ratio"],
  rows: starts.map(({ answered, cpu, exited, name, ratios }) => [
    name,
    ...[answered.median, answered.min, answered.max].map((it) => it.toFixed(0)),
    ratios.answered.toFixed(2),
    cpu.median.toFixed(0),
    ratios.cpu.toFixed(2),
    exited.median.toFixed(0),
    ratios.exited.toFixed(2)
  ])
})

const startTables = ({ bundled, externals, installed }: Starts): ReadonlyArray<Table> => [
  startTable(`Cold start, bundled (at most ${maxRatioBundled} of axios)`, bundled),
  startTable(
    `Cold start, installed (at most ${maxRatioInstalled} of ${bareImport} of ${externals.length} modules)`,
    installed
  )
]

export const tables = ({ installations, sizes, starts }: Footprint): ReadonlyArray<Table> => [
  ...(sizes === undefined ? [] : [sizeTable(sizes)]),
  ...(installations.length === 0 ? [] : [packagesTable(installations)]),
  ...(starts === undefined ? [] : startTables(starts))
]
