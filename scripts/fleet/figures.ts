// Figures with their bars.
export interface Figure {
  readonly name: string
  readonly value: string
  readonly bar: string
  readonly met: boolean
}

const format = (value: number, unit = ""): string => `${Number(value.toPrecision(3))}${unit}`

export const show = (name: string, value: number, unit?: string): Figure => ({
  name,
  value: format(value, unit),
  bar: "",
  met: true
})

export const exactly = (name: string, value: number, bar: number): Figure => ({
  name,
  value: `${value}`,
  bar: `${bar}`,
  met: value === bar
})

export const atMost = (name: string, value: number, bar: number, unit?: string): Figure => ({
  name,
  value: format(value, unit),
  bar: `at most ${format(bar, unit)}`,
  met: value <= bar
})

export const atLeast = (name: string, value: number, bar: number, unit?: string): Figure => ({
  name,
  value: format(value, unit),
  bar: `at least ${format(bar, unit)}`,
  met: value >= bar
})

export const print = (figures: ReadonlyArray<Figure>): void => {
  for (const { bar, met, name, value } of figures)
    console.log(`${met ? "ok  " : "FAIL"} ${name}: ${value}${bar === "" ? "" : ` (${bar})`}`)
}
