// fetch, as each runtime has it: a refused connection was not sent, and a compressed response is decoded.
import { once } from "node:events"
import { createServer } from "node:http"
import { gzipSync } from "node:zlib"
import { Credentials, FetchInstallationService, InstallationService } from "@effect-pleo/core"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"

const id = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
const at = "2024-01-02T03:04:05.678Z"
const installation = {
  id,
  applicationId: id,
  resource: `urn:pleo:company:${id}`,
  status: "ACTIVATED",
  metadata: {},
  createdAt: at,
  updatedAt: at
}
const body = gzipSync(JSON.stringify(installation))
const server = createServer((request, response) => {
  request.resume()
  response.writeHead(200, { "content-encoding": "gzip", "content-length": body.length, connection: "close" })
  response.end(body)
}).listen(0, "127.0.0.1")
await once(server, "listening")

const update = InstallationService.update({ status: "ACTIVATED" }).pipe(
  Effect.provide(
    FetchInstallationService.layer({
      server: `http://127.0.0.1:${server.address().port}`,
      credentials: Credentials.bearer(Redacted.make("token-fetch"))
    })
  )
)
const { status } = await Effect.runPromise(update)
if (status !== "ACTIVATED") throw new Error(`the status is ${status}`)

server.close()
await once(server, "close")
const { mayHaveBeenApplied, phase } = await Effect.runPromise(Effect.flip(update))
if (phase !== "Connection" || mayHaveBeenApplied) throw new Error(`refused, the phase is ${phase}`)
