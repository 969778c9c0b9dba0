// The pages of the sandbox: HTML with everything escaped, and the headers that keep other sites out.
import { createHash } from "node:crypto"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"

export interface Html {
  readonly html: string
}

type Value = string | number | Html | ReadonlyArray<Html>

const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

const render = (value: Value): string => {
  if (typeof value !== "object") return escapeHtml(String(value))
  return "html" in value ? value.html : value.map(render).join("")
}

/** Escapes each value that is not HTML itself. */
export const html = (strings: TemplateStringsArray, ...values: ReadonlyArray<Value>): Html => ({
  html: String.raw({ raw: strings }, ...values.map(render))
})

const style = `
:root { color-scheme: light dark; --line: #c4c4c4; --muted: #595959; --accent: #0b57d0; --on-accent: #fff; --bad: #b3261e }
@media (prefers-color-scheme: dark) {
  :root { --line: #565656; --muted: #b4b4b4; --accent: #a8c7fa; --on-accent: #062e6f; --bad: #f2b8b5 }
}
* { box-sizing: border-box }
body { background: Canvas; color: CanvasText; font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 34rem; padding: 1.5rem 1rem; overflow-wrap: anywhere }
body.wide { max-width: 76rem }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 0.5rem }
h2 { font-size: 1.125rem; margin: 1.5rem 0 0.25rem }
p { margin: 0.5rem 0 }
ul { margin: 0.25rem 0 1.5rem; padding-left: 1.25rem }
code, time { font: 0.875rem/1.5 ui-monospace, monospace }
.muted { color: var(--muted) }
.bad { color: var(--bad) }
.columns { display: grid; column-gap: 2.5rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)) }
.items { list-style: none; margin: 0; padding: 0 }
.items > li { border-top: 1px solid var(--line); display: flex; flex-wrap: wrap; align-items: baseline; gap: 0.125rem 0.75rem; padding: 0.5rem 0 }
.items > li > * { min-width: 0 }
.grow { flex: 1 1 12rem }
.log { max-height: 34rem; overflow-y: auto }
.fields { display: flex; flex-wrap: wrap; gap: 0.5rem 0.75rem; align-items: end }
.fields > * { flex: 1 1 8rem; min-width: 0 }
label { display: block; font-weight: 600 }
input, select { font: inherit; height: 2.625rem; padding: 0.5rem; width: 100%; border: 1px solid var(--muted); border-radius: 0.25rem }
button { font: inherit; padding: 0.25rem 0.75rem; border: 1px solid var(--accent); border-radius: 0.25rem; background: none; color: var(--accent); cursor: pointer }
button.large { padding: 0.5rem 1.25rem }
button.primary { background: var(--accent); color: var(--on-accent) }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
[hidden] { display: none !important }
`

const styleHash = createHash("sha256").update(style).digest("base64")

const headersOf = (directives: ReadonlyArray<string> = []) => ({
  "content-security-policy": [
    "default-src 'none'",
    `style-src 'sha256-${styleHash}'`,
    "img-src data:",
    ...directives,
    // Browsers apply it to all redirects after a form too: to those of the app, wherever its callback leads.
    "form-action 'self' http: https:",
    "base-uri 'none'",
    "frame-ancestors 'none'"
  ].join("; "),
  "x-frame-options": "DENY",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store"
})

export interface Options {
  readonly status?: number
  /** The path of a module. A page with one is as wide as the window. */
  readonly script?: string
}

// Without an icon of its own, a browser would ask for one, and that request would be recorded and meet a fault.
const document = (title: string, body: Html, script: string | undefined): Html => html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>${{ html: style }}</style>
${script === undefined ? "" : html`<script type="module" src="${script}"></script>`}
</head>
<body class="${script === undefined ? "" : "wide"}">
<main>
${body}
</main>
</body>
</html>
`

export const page = (
  title: string,
  body: Html,
  { script, status = 200 }: Options = {}
): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(document(title, body, script).html, {
    status,
    headers: headersOf(script === undefined ? [] : ["script-src 'self'", "connect-src 'self'"]),
    contentType: "text/html; charset=utf-8"
  })

/** The redirect after a page, which a browser follows with a GET. */
export const redirect = (location: string): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.empty({ status: 303, headers: { ...headersOf(), location } })
