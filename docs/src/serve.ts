// Serves the built site as static hosts do.
import { createReadStream, statSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { extname, join } from "node:path"
import { fileURLToPath } from "node:url"

export const dist = fileURLToPath(new URL("../.vitepress/dist", import.meta.url))

const types: Readonly<Record<string, string>> = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2"
}

/** A directory is its index, and what is not there is 404.html with that status. */
export const serve = (): Promise<{ readonly origin: string; readonly close: () => void }> =>
  new Promise((resolve) => {
    const server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? "/", "http://localhost")
      const wanted = join(dist, decodeURIComponent(pathname.replace(/\/$/, "/index.html")))
      const isThere =
        wanted.startsWith(dist) && statSync(wanted, { throwIfNoEntry: false })?.isFile() === true
      const file = isThere ? wanted : join(dist, "404.html")
      response.writeHead(isThere ? 200 : 404, {
        "content-type": types[extname(file)] ?? "application/octet-stream"
      })
      createReadStream(file).pipe(response)
    })
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      const close = () => {
        server.closeAllConnections()
        server.close()
      }
      resolve({ origin: `http://127.0.0.1:${port}`, close })
    })
  })
