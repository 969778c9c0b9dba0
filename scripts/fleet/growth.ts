// Whether an update costs more among more rows, and whether flips leave anything behind.
import { join } from "node:path"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import { range } from "effect/Array"
import * as Effect from "effect/Effect"
import { temporaryDirectory } from "../../packages/node/test/support/temporaryDirectory.ts"
import { atMost, show } from "./figures.ts"
import { startApi, startRunner } from "./processes.ts"

export const growth = (rows: number) =>
  Effect.gen(function* () {
    const api = yield* startApi
    const folder = yield* temporaryDirectory
    const runner = yield* startRunner(api)
    // Their numbers have two digits, so that the requests of all even flips are equally long.
    const flip = (rows: number, flips: number, name: string) =>
      Effect.map(
        runner.measure({ _tag: "Flip", rows, flips: range(11, 10 + flips), file: join(folder, name) }),
        ({ cpuSeconds }) => (cpuSeconds * 1e6) / (rows * flips)
      )
    const size = (name: string) =>
      Effect.flatMap(LibsqlClient.LibsqlClient, (sql) =>
        sql<{ page_count: number }>`PRAGMA page_count`.pipe(Effect.map(([row]) => (row?.page_count ?? 0) * 4))
      ).pipe(Effect.provide(LibsqlClient.layer({ url: `file:${join(folder, name)}` })))
    const few = Math.ceil(rows / 10)
    yield* flip(few, 2, "warm")
    const small = yield* flip(few, 10, "ten")
    const large = yield* flip(rows, 2, "large")
    yield* flip(few, 2, "two")
    const two = yield* size("two")
    return [
      show(`CPU of an update among ${few}`, small, " µs"),
      show(`CPU of an update among ${rows}`, large, " µs"),
      atMost("growth of the cost", (large / small - 1) * 100, 15, " %"),
      show("storage after 2 flips", two, " KiB"),
      atMost("storage after 10 flips", yield* size("ten"), two * 1.02, " KiB")
    ]
  }).pipe(Effect.scoped)
