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
:root { color-scheme: light dark; --line: #c4c4c4; --muted: #595959; --accent: #0b57d0; --on-accent: #fff }
@media (prefers-color-scheme: dark) {
  :root { --line: #565656; --muted: #b4b4b4; --accent: #a8c7fa; --on-accent: #062e6f }
}
* { box-sizing: border-box }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 34rem; padding: 1.5rem 1rem; overflow-wrap: anywhere }
h1 { font-size: 1.5rem; line-height: 1.25 }
h2 { font-size: 1rem; margin-bottom: 0 }
ul { margin: 0.25rem 0 1.5rem; padding-left: 1.25rem }
code { font-size: 0.9375rem }
.muted { color: var(--muted) }
label { display: block; font-weight: 600 }
input { font: inherit; padding: 0.5rem; width: 100%; border: 1px solid var(--muted); border-radius: 0.25rem }
input + p { margin-top: 0.25rem }
button { font: inherit; padding: 0.5rem 1.25rem; border: 1px solid var(--accent); border-radius: 0.25rem; background: none; color: var(--accent); cursor: pointer }
button.primary { background: var(--accent); color: var(--on-accent) }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
`

const policy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'`,
  "img-src data:",
  // Browsers apply it to all redirects after a form too: to those of the app, wherever its callback leads.
  "form-action 'self' http: https:",
  "base-uri 'none'",
  "frame-ancestors 'none'"
].join("; ")

const headers = {
  "content-security-policy": policy,
  "x-frame-options": "DENY",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store"
}

// Without an icon of its own, a browser would ask for one, and that request would be recorded and meet a fault.
const document = (title: string, body: Html): Html => html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>${{ html: style }}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`

export const page = (title: string, body: Html, status = 200): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(document(title, body).html, {
    status,
    headers,
    contentType: "text/html; charset=utf-8"
  })

/** The redirect after a page, which a browser follows with a GET. */
export const redirect = (location: string): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.empty({ status: 303, headers: { ...headers, location } })
