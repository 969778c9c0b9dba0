// Which server a command speaks to, and whether that is the one of Pleo's customers.

/** The variable, or else `production`. An empty one is unset, as it is to the library. */
export const serverOf = (flag: string | undefined): string =>
  flag ?? (process.env["PLEO_SERVER"] || "production")

/** By any of its names: a URL may end in a dot, or name the port that is the default anyway. */
export const isProduction = (server: string): boolean => {
  if (server === "production") return true
  try {
    return new URL(server).hostname.replace(/\.$/, "") === "external.pleo.io"
  } catch {
    return false
  }
}

const writes: ReadonlySet<string> = new Set([
  "update",
  "activate",
  "create",
  "delete",
  "fleet set",
  "fleet watch"
])

/** The loud line, if the command changes production by hand. */
export const productionNotice = (command: string, server: string): string | undefined =>
  writes.has(command) && isProduction(server)
    ? `PRODUCTION: this ${command} changes ${command.startsWith("fleet") ? "installations of customers" : "the installation of a customer"}.`
    : undefined
