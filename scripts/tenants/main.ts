// 10 000 customers and 100 000 updates on one layer, every customer's first token expired: what it comes to, and how
// much memory a customer takes who is idle. It exits with 1 when a bar is missed.
import { fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import * as Credentials from "@effect-pleo/core/Credentials"
import * as InstallationService from "@effect-pleo/core/InstallationService"
import * as OAuth from "@effect-pleo/core/OAuth"
import * as RetryPolicy from "@effect-pleo/core/RetryPolicy"
import * as TokenStore from "@effect-pleo/core/TokenStore"
import * as NodeInstallationService from "@effect-pleo/node/NodeInstallationService"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

const customers = 10_000
const updatesEach = 10
const connections = 64
const maxBytes = 2048
const clientId = "app"
const names = Array.from({ length: customers }, (_, customer) => `${customer}`)
let settled = 0

interface Counts {
  readonly updates: number
  readonly refused: number
  readonly refreshes: number
  readonly reuses: number
  readonly mostSockets: number
}

const server = fork(fileURLToPath(new URL("server.ts", import.meta.url)))
const [{ tokenEndpoint, url }] = (await once(server, "message")) as [
  { readonly tokenEndpoint: string; readonly url: string }
]

const progress = (text: string) => {
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[2K${text}`)
}

/** Bytes in use, after everything that can be let go was. */
const heapUsed = Effect.promise(async () => {
  for (let round = 0; round < 3; round++) {
    globalThis.gc?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return process.memoryUsage().heapUsed
})

/** Strings, so that what the store holds is not what the client holds. */
const store = Layer.sync(TokenStore.TokenStore, () => {
  const stored = new Map<string, TokenStore.StoredString>()
  return TokenStore.fromStrings({
    load: (key) => Effect.sync(() => Option.fromNullable(stored.get(key))),
    save: (key, expected, value) =>
      Effect.sync(() => {
        if ((stored.get(key)?.generation ?? 0) !== expected) return false
        stored.set(key, { generation: expected + 1, value })
        return true
      })
  })
})

const storeFirstTokens = Effect.forEach(
  names,
  (tenant) =>
    OAuth.storeTokens(
      { clientId, tenant, tokenEndpoint },
      {
        accessToken: Redacted.make(`access-${tenant}-1`),
        refreshToken: Redacted.make(`refresh-${tenant}-1`),
        expiresIn: 0
      }
    ),
  { discard: true }
)

const updateAll = Effect.forEach(
  Array.from({ length: customers * updatesEach }, (_, index) => `${index % customers}`),
  (tenant) =>
    InstallationService.update({ status: "ACTIVATED" }).pipe(
      RetryPolicy.retry(),
      Credentials.use(OAuth.tenant(tenant)),
      Effect.tap(() => {
        settled += 1
        if (settled % 1000 === 0) progress(`${settled} updates`)
      })
    ),
  { concurrency: 256, discard: true }
)

const client = NodeInstallationService.layer({
  server: url,
  connections,
  credentials: OAuth.credentials({ clientId, clientSecret: Redacted.make("secret"), tokenEndpoint })
})

/** Bytes that the client holds for its idle customers: what is let go with its layer, and not before. */
const bytesHeld = Effect.gen(function* () {
  const before = yield* Effect.provide(Effect.zipRight(updateAll, heapUsed), client)
  return before - (yield* heapUsed)
})

const start = Date.now()
const bytes = await Effect.zipRight(storeFirstTokens, bytesHeld).pipe(
  Effect.provide(store),
  Effect.runPromise
)
const seconds = (Date.now() - start) / 1000
server.send("counts")
const [counts] = (await once(server, "message")) as [Counts]
server.disconnect()
progress("")

const perCustomer = Math.round(bytes / customers)
const figures = [
  ["updates that succeeded", counts.updates, counts.updates === customers * updatesEach],
  ["updates that were refused", counts.refused, counts.refused === 0],
  ["refreshes", counts.refreshes, counts.refreshes === customers],
  ["refresh tokens used twice", counts.reuses, counts.reuses === 0],
  [`most sockets (at most ${connections})`, counts.mostSockets, counts.mostSockets <= connections],
  [`bytes an idle customer takes (at most ${maxBytes})`, perCustomer, perCustomer <= maxBytes]
] as const
for (const [name, value, isMet] of figures) console.log(`${isMet ? "ok  " : "FAIL"} ${name}: ${value}`)
console.log(`${customers} customers, ${customers * updatesEach} updates in ${seconds.toFixed(1)} s`)
process.exitCode = figures.every(([, , isMet]) => isMet) ? 0 : 1
