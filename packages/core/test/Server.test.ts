import { describe, expect, it } from "@effect/vitest"
import * as ConfigError from "effect/ConfigError"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import { BadRequest } from "../src/InstallationError.ts"
import { config } from "../src/internal/contract/serverConfig.ts"
import type { Server } from "../src/internal/contract/servers.ts"
import { answering, installation, send } from "./support/http.ts"
import { leaks } from "./support/probes.ts"

const accepted: ReadonlyArray<readonly [Server, string]> = [
  ["production", "https://external.pleo.io"],
  ["staging", "https://external.staging.pleo.io"],
  ["https://example.com", "https://example.com"],
  ["https://example.com:8443", "https://example.com:8443"],
  ["https://example.com:443", "https://example.com"],
  ["https://example.com/", "https://example.com"],
  ["https://example.com/proxy/pleo", "https://example.com/proxy/pleo"],
  ["https://example.com/proxy/pleo/", "https://example.com/proxy/pleo"],
  ["https://example.com/proxy//", "https://example.com/proxy"],
  ["HTTPS://EXAMPLE.com", "https://example.com"],
  [new URL("https://example.com/proxy"), "https://example.com/proxy"],
  ["http://localhost", "http://localhost"],
  ["http://localhost:3000/", "http://localhost:3000"],
  ["http://127.0.0.1:3000", "http://127.0.0.1:3000"],
  ["http://127.255.0.9", "http://127.255.0.9"],
  ["http://[::1]:3000", "http://[::1]:3000"],
  ["http://[0:0:0:0:0:0:0:1]", "http://[::1]"],
  ["https://localhost:3000", "https://localhost:3000"]
]

const refused: ReadonlyArray<readonly [string, Server]> = [
  ["http to another machine", "http://example.com"],
  ["http to Pleo", "http://external.pleo.io"],
  ["http to a private network", "http://192.168.0.1"],
  ["http to all interfaces", "http://0.0.0.0"],
  ["http to a name that begins like this machine's", "http://localhost.example.com"],
  ["http to a name that begins like this machine's address", "http://127.0.0.1.example.com"],
  ["http to a name that ends like this machine's", "http://notlocalhost"],
  ["http behind a user name like this machine's", "http://localhost@example.com"],
  ["a user", "https://canary-5f1c@example.com"],
  ["a user and a password", "https://user:canary-5f1c@example.com"],
  ["a password", "https://:canary-5f1c@example.com"],
  ["a query", "https://example.com/?token=canary-5f1c"],
  ["a fragment", "https://example.com/#canary-5f1c"],
  ["ftp", "ftp://example.com"],
  ["a WebSocket", "wss://example.com"],
  ["a file", "file:///etc/passwd"],
  ["data", "data:text/plain,canary-5f1c"],
  ["a script", "javascript:alert(1)"],
  ["no URL", "garbage"],
  ["nothing", ""],
  ["another environment", "Production"],
  ["a host without a scheme", "external.pleo.io"],
  ["a URL object of http to another machine", new URL("http://example.com")],
  ["__proto__", "__proto__"],
  ["constructor", "constructor"],
  ["toString", "toString"]
]

describe("Server", () => {
  it.effect.each(refused.map(([name, server]) => ({ name, server })))(
    "$name is refused, and not shown",
    ({ server }) =>
      Effect.gen(function* () {
        const { client, requests } = answering(() => installation())
        const error = yield* Effect.flip(send(client, { server }))
        expect(error).toBeInstanceOf(BadRequest)
        expect(error.status).toBeUndefined()
        expect(error.issues?.map(({ path }) => path)).toEqual([["server"]])
        expect(leaks(error, "canary-5f1c")).toEqual([])
        expect(requests).toEqual([])
      })
  )

  it.effect.each(accepted.map(([server, baseUrl]) => ({ server, baseUrl })))(
    "an update to $server goes to that path of it",
    ({ baseUrl, server }) =>
      Effect.gen(function* () {
        const { client, requests } = answering(() => installation())
        yield* send(client, { server })
        expect(requests.map(({ url }) => url)).toEqual([`${baseUrl}/v1/installations/me`])
      })
  )

  describe("config", () => {
    const load = (variables: Readonly<Record<string, string>>) =>
      Effect.withConfigProvider(config, ConfigProvider.fromMap(new Map(Object.entries(variables))))

    it.effect("PLEO_SERVER is production by default", () =>
      Effect.gen(function* () {
        expect(yield* load({})).toBe("https://external.pleo.io")
        expect(yield* load({ PLEO_SERVER: "" })).toBe("https://external.pleo.io")
      })
    )

    it.effect.each(accepted.map(([server, baseUrl]) => ({ server: String(server), baseUrl })))(
      "PLEO_SERVER=$server is $baseUrl",
      ({ baseUrl, server }) =>
        Effect.gen(function* () {
          expect(yield* load({ PLEO_SERVER: server })).toBe(baseUrl)
        })
    )

    const invalid = refused.filter(([, server]) => server !== "")

    it.effect.each(invalid.map(([name, server]) => ({ name, server: String(server) })))(
      "$name is a ConfigError that names PLEO_SERVER and does not show its value",
      ({ server }) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(load({ PLEO_SERVER: server }))
          expect(ConfigError.isConfigError(error)).toBe(true)
          expect(String(error)).toMatch(/^\(Invalid data at PLEO_SERVER: "expected /)
          expect(leaks(error, "canary-5f1c")).toEqual([])
        })
    )
  })
})
