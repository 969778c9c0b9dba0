// A page that shows what a terminal does, as far as the command line uses its sequences.
import { type Html, html } from "../../packages/testing/src/internal/sandbox/html.ts"

const reset = "\u001b[0m"

const toHtml = (line: string): ReadonlyArray<Html> =>
  line
    // A carriage return overwrites the line so far.
    .slice(line.lastIndexOf("\r") + 1)
    .replace("\u001b[K", "")
    .split(reset)
    .map((part) => {
      const [plain = "", styled] = part.split("\u001b[")
      if (styled === undefined) return html`${plain}`
      const end = styled.indexOf("m")
      const classes = styled
        .slice(0, end)
        .split(";")
        .map((code) => `sgr${code}`)
      return html`${plain}<span class="${classes.join(" ")}">${styled.slice(end + 1)}</span>`
    })

export const ansiPage = (output: string): string => {
  const lines = output
    .trimEnd()
    .split(/\r*\n/)
    .flatMap((line) => [...toHtml(line), html`${"\n"}`])
  return html`<!doctype html>
<meta charset="utf-8">
<style>
  body { margin: 0; padding: 20px 24px; background: #16181d; color: #e6e6e6 }
  pre { margin: 0; font: 15px/1.5 monospace; white-space: pre-wrap }
  .sgr1 { font-weight: bold } .sgr2 { color: #8b93a1 } .sgr31 { color: #ff7b72 }
  .sgr32 { color: #7ee787 } .sgr33 { color: #e3b341 } .sgr97 { color: #fff } .sgr41 { background: #b3261e }
</style>
<pre>${lines}</pre>
`.html
}
