export interface Table {
  readonly title: string
  readonly head: ReadonlyArray<string>
  /** The first cell of each row is a name, the others are figures. */
  readonly rows: ReadonlyArray<ReadonlyArray<string>>
}

const pad = (text: string, width: number, column: number): string =>
  column === 0 ? text.padEnd(width) : text.padStart(width)

const align = ({ head, rows }: Table): ReadonlyArray<ReadonlyArray<string>> => {
  const widths = head.map((title, column) =>
    Math.max(3, title.length, ...rows.map((row) => row[column]?.length ?? 0))
  )
  return [head, ...rows].map((row) => widths.map((width, column) => pad(row[column] ?? "", width, column)))
}

export const toText = (table: Table): string =>
  [table.title, "", ...align(table).map((row) => `  ${row.join("   ").trimEnd()}`), ""].join("\n")

export const toMarkdown = (table: Table): string => {
  const [head = [], ...rows] = align(table)
  const rule = head.map((cell, column) =>
    column === 0 ? "-".repeat(cell.length) : `${"-".repeat(cell.length - 1)}:`
  )
  const lines = [head, rule, ...rows].map((row) => `| ${row.join(" | ")} |`)
  return [`## ${table.title}`, "", ...lines, ""].join("\n")
}
