import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { isProduction, productionNotice } from "../src/internal/server.ts"
import { locationOf } from "../src/internal/store.ts"

const production = [
  "production",
  "https://external.pleo.io",
  "https://EXTERNAL.pleo.io/",
  "https://external.pleo.io:443/prefix",
  "https://external.pleo.io./"
]

const others = [
  "staging",
  "https://external.staging.pleo.io",
  "http://127.0.0.1:8080/external.pleo.io",
  "https://external.pleo.io.attacker.example",
  "nonsense"
]

describe("the loud line", () => {
  it("appears for every change of production, however it is named", () => {
    for (const server of production) {
      expect({ server, is: isProduction(server) }).toEqual({ server, is: true })
      for (const command of ["update", "activate", "create", "delete", "fleet set", "fleet watch"])
        expect(productionNotice(command, server)).toContain(`PRODUCTION: this ${command}`)
    }
  })

  it("does not appear for reads, nor elsewhere", () => {
    for (const command of ["whoami", "get", "fleet migrate"])
      expect(productionNotice(command, "production")).toBeUndefined()
    for (const server of others)
      expect({ server, notice: productionNotice("delete", server) }).toEqual({ server, notice: undefined })
  })
})

describe("the token store", () => {
  it.effect("is a file of SQLite, or a database of PostgreSQL", () =>
    Effect.gen(function* () {
      expect(yield* locationOf("sqlite:tokens.db", undefined, "postgres://other")).toEqual({
        _tag: "Sqlite",
        file: "tokens.db"
      })
      expect(yield* locationOf("postgres://app@127.0.0.1/tokens")).toMatchObject({
        _tag: "Postgres"
      })
      const secret = "postgresql://app:canary@127.0.0.1/tokens"
      const location = yield* locationOf(undefined, undefined, secret)
      expect(location._tag === "Postgres" && Redacted.value(location.url)).toBe(secret)
      expect(JSON.stringify(location)).not.toContain("canary")
    })
  )

  it.effect("is refused if it is neither, or has a password in a flag, and is never quoted", () =>
    Effect.gen(function* () {
      for (const [flag, says] of [
        ["postgres://app:canary@127.0.0.1/tokens", "PLEO_STORE"],
        ["postgres://app@127.0.0.1/tokens?password=canary", "PLEO_STORE"],
        ["postgres://app:canary@127.0.0.1:port/tokens", "PLEO_STORE"],
        ["mysql://app:canary@127.0.0.1/tokens", "expected sqlite"],
        ["sqlite:", "expected sqlite"],
        ["", "Name the token store"]
      ] as const) {
        const { message } = yield* Effect.flip(locationOf(flag))
        expect(message).toContain(says)
        expect(message).not.toContain("canary")
      }
    })
  )
})
