// A process that stores generations under one key, in competition with others. It says "ready", waits for a line, and
// prints those that it stored.
import { once } from "node:events"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import { TokenStore } from "@effect-pleo/core/TokenStore"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as SqlTokenStore from "../../src/SqlTokenStore.ts"

const { COUNT, DATABASE = "", NAME } = process.env

const client = DATABASE.startsWith("postgres:")
  ? PgClient.layer({ url: Redacted.make(DATABASE) })
  : LibsqlClient.layer({ url: DATABASE })

const program = Effect.gen(function* () {
  const store = yield* TokenStore
  console.log("ready")
  yield* Effect.promise(() => once(process.stdin, "data"))
  const stored: Array<number> = []
  while (stored.length < Number(COUNT)) {
    const before = Option.match(yield* store.load("key"), {
      onNone: () => 0,
      onSome: ({ generation }) => generation
    })
    if (yield* store.save("key", before, { _tag: "Ended", reason: "Lost", lease: `${NAME} ${before + 1}` }))
      stored.push(before + 1)
  }
  console.log(JSON.stringify(stored))
})

await program.pipe(Effect.provide(Layer.provide(SqlTokenStore.layer, client)), Effect.runPromise)
process.stdin.destroy()
