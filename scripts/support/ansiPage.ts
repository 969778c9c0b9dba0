// A page that shows what a terminal does, as far as the command line uses its sequences.

const escapeHtml = (text: string): string =>
  text.replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`)

const reset = "\u001b[0m"

const toHtml = (line: string): string =>
  line
    // A carriage return overwrites the line so far.
    .slice(line.lastIndexOf("\r") + 1)
    .replace("\u001b[K", "")
    .split(reset)
    .map((part) => {
      const [plain = "", styled] = part.split("\u001b[")
      if (styled === undefined) return escapeHtml(plain)
      const end = styled.indexOf("m")
      const classes = styled
        .slice(0, end)
        .split(";")
        .map((code) => `sgr${code}`)
      return `${escapeHtml(plain)}<span class="${classes.join(" ")}">${escapeHtml(styled.slice(end + 1))}</span>`
    })
    .join("")

export const ansiPage = (output: string): string => `<!doctype html>
<meta charset="utf-8">
<style>
  body { margin: 0; padding: 20px 24px; background: #16181d; color: #e6e6e6 }
  pre { margin: 0; font: 15px/1.5 monospace; white-space: pre-wrap }
  .sgr1 { font-weight: bold } .sgr2 { color: #8b93a1 } .sgr31 { color: #ff7b72 }
  .sgr32 { color: #7ee787 } .sgr33 { color: #e3b341 } .sgr97 { color: #fff } .sgr41 { background: #b3261e }
</style>
<pre>${output.trimEnd().split(/\r*\n/).map(toHtml).join("\n")}</pre>
`
