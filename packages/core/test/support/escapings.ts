const hex = (code: number, length: number) => code.toString(16).padStart(length, "0")

const percentEncode = (text: string) =>
  Array.from(new TextEncoder().encode(text), (byte) => `%${hex(byte, 2)}`).join("")

/** The ways in which a server writes a text that it quotes. */
export const escapings: Readonly<Record<string, (text: string) => string>> = {
  "as it is": (text) => text,
  JSON: (text) => JSON.stringify(text).slice(1, -1),
  "PHP's JSON": (text) => JSON.stringify(text).slice(1, -1).replaceAll("/", "\\/"),
  "Go's JSON": (text) =>
    JSON.stringify(text)
      .slice(1, -1)
      .replace(/[<>&]/g, (char) => `\\u${hex(char.charCodeAt(0), 4)}`),
  "JSON in ASCII": (text) =>
    JSON.stringify(text)
      .slice(1, -1)
      .replace(/[^ -~]/g, (char) => `\\u${hex(char.charCodeAt(0), 4).toUpperCase()}`),
  "named HTML entities": (text) =>
    text
      .replaceAll("&", "&amp;")
      .replaceAll("<", "&lt;")
      .replaceAll(">", "&gt;")
      .replaceAll('"', "&quot;")
      .replaceAll("'", "&apos;"),
  "decimal HTML entities": (text) => text.replace(/[^A-Za-z0-9]/gu, (char) => `&#${char.codePointAt(0)};`),
  "hexadecimal HTML entities": (text) =>
    text.replace(/[^A-Za-z0-9]/gu, (char) => `&#x${hex(char.codePointAt(0) ?? 0, 2).toUpperCase()};`),
  "a URL": (text) => encodeURIComponent(text),
  "a form": (text) => new URLSearchParams({ text }).toString().slice("text=".length),
  "a URL, each character": percentEncode,
  "a JavaScript string": (text) =>
    text.replace(/[^A-Za-z0-9]/g, (char) => {
      const code = char.charCodeAt(0)
      return code < 256 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`
    }),
  "JSON in HTML": (text) =>
    JSON.stringify(text).slice(1, -1).replaceAll("&", "&amp;").replaceAll('"', "&quot;"),
  "JSON in JSON": (text) => JSON.stringify(JSON.stringify(text)).slice(3, -3)
}
