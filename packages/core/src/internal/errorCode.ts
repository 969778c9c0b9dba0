/** The code in the causes of an error: an SQLSTATE, or a code of SQLite or the operating system. */
export const codeOf = (error: unknown): string | undefined => {
  const seen = new Set<unknown>()
  for (let cause = error; typeof cause === "object" && cause !== null && !seen.has(cause); ) {
    seen.add(cause)
    const { cause: next, code } = cause as { readonly cause?: unknown; readonly code?: unknown }
    // A code of this form comes from a list, never from a row.
    if (typeof code === "string" && /^[A-Z0-9_]{1,40}$/.test(code)) return code
    cause = next
  }
  return undefined
}
