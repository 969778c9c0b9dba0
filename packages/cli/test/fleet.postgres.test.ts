import { join } from "node:path"
import { describe, expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { temporaryDirectory } from "../../node/test/support/temporaryDirectory.ts"
import * as Postgres from "../../sql/test/support/postgres.ts"
import * as Json from "../src/internal/json.ts"
import { makeSandbox, run, spawned, strictly, timeout } from "./support/command.ts"

describe("a fleet over PostgreSQL", () => {
  layer(Postgres.layer, { excludeTestServices: true, timeout: 60_000 })((it) => {
    it.scoped(
      "is set and watched, but not sent, and can be copied to a file",
      () =>
        Effect.gen(function* () {
          const { sandbox } = yield* makeSandbox
          const url = yield* Effect.flatMap(Postgres.Postgres, ({ create }) => create)
          const file = `sqlite:${join(yield* temporaryDirectory, "fleet.db")}`
          // No credential: the processes of the app have those.
          const environment = { PLEO_FLEET: url, PLEO_SERVER: sandbox.url }
          const stored = yield* run(["fleet", "set", "ACTIVATED", "acme", "beta"], environment)
          expect(stored).toMatchObject({
            code: 0,
            stdout: expect.stringContaining("2 stored. The processes of the app send them")
          })
          const copied = yield* run(["fleet", "migrate", "--to", file, "--json"], environment)
          expect(strictly(Json.FleetMigrated)(copied.stdout)).toEqual({ migrated: 2 })
          const back = yield* run(["fleet", "migrate", "--fleet", file], { PLEO_FLEET_TO: url })
          expect(back).toMatchObject({ code: 1, stderr: expect.stringContaining("has states already") })

          const watched = yield* spawned(["fleet", "watch"], environment)
          yield* watched.says("2 pending")
          // As those processes do.
          const sql = yield* Postgres.connect(url)
          yield* sql`UPDATE effect_pleo_fleet_updates SET state = 1`
          const { code, stderr, stdout } = yield* watched.end
          expect({ code, stderr, stdout }).toEqual({
            code: 0,
            stderr: [
              "The processes of the app send: this one watches.",
              "2 pending, 0 applied, nothing is sent now",
              "0 pending, 2 applied",
              ""
            ].join("\n"),
            stdout: "applied     2\n"
          })
          expect(yield* sandbox.requests).toEqual([])
        }),
      timeout
    )
  })
})
