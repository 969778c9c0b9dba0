// Measures the memory of its own process. The argument chooses the load; the figures go to the parent.
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
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { collect } from "../../bench/src/support/collect.ts"
import type { Counts, Origins } from "./server.ts"

const update = InstallationService.update({ status: "ACTIVATED" })

const mebibyte = 1024 * 1024

const server = fork(fileURLToPath(new URL("server.ts", import.meta.url)))
const [{ api, honest, hostile, tokenEndpoint }] = (await once(server, "message")) as [Origins]

/** Peak memory in MiB while each kind of hostile body arrives, beyond that for honest ones of nearly the allowed size. */
const hostileBodies = Effect.gen(function* () {
  const credentials = Credentials.bearer(Redacted.make("token"))
  const meet = (server: string) =>
    Effect.provide(Effect.exit(update), NodeInstallationService.layer({ server, credentials }))
  for (let round = 0; round < 100; round++) {
    const exit = yield* meet(honest)
    if (Exit.isFailure(exit)) return yield* Effect.dieMessage("an honest answer was refused")
  }
  const baseline = process.memoryUsage().rss
  let peak = baseline
  const sample = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss)
  }, 5)
  for (let round = 0; round < 10; round++) {
    for (const url of hostile) {
      const exit = yield* meet(url)
      if (Exit.isSuccess(exit)) return yield* Effect.dieMessage(`${url} was accepted`)
    }
  }
  clearInterval(sample)
  return (peak - baseline) / mebibyte
})

const customers = 10_000
const warmUpsEach = 5
const updatesEach = 10
const names = Array.from({ length: customers }, (_, customer) => `${customer}`)
const clientId = "app"

const heapUsed = Effect.promise(collect)

/** A store of strings, which shares no object with the client. */
const store = Layer.sync(TokenStore.TokenStore, () => {
  const stored = new Map<string, TokenStore.StoredString>()
  return TokenStore.fromStrings({
    load: (key) => Effect.sync(() => Option.fromNullable(stored.get(key))),
    save: (key, expected, value) =>
      Effect.sync(() => {
        if ((stored.get(key)?.generation ?? 0) !== expected) return false
        stored.set(key, { generation: expected + 1, value })
        return true
      }),
    list: () => Effect.succeed({ entries: [], cursor: undefined })
  })
})

const storeExpiredTokens = Effect.forEach(
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

const updateEach = (times: number) =>
  Effect.forEach(
    Array.from({ length: times }, () => names).flat(),
    (tenant) => update.pipe(RetryPolicy.retry(), Credentials.use(OAuth.tenant(tenant))),
    { concurrency: 256, discard: true }
  )

const client = NodeInstallationService.layer({
  server: api,
  connections: 64,
  credentials: OAuth.credentials({ clientId, clientSecret: Redacted.make("secret"), tokenEndpoint })
})

/** Updates of customers whose first tokens have expired. After the warm-up, further updates must not grow the heap. */
const tenants = Effect.gen(function* () {
  yield* storeExpiredTokens
  const { after, before } = yield* Effect.gen(function* () {
    yield* updateEach(warmUpsEach)
    const before = yield* heapUsed
    yield* updateEach(updatesEach)
    return { before, after: yield* heapUsed }
  }).pipe(Effect.provide(client))
  const held = after - (yield* heapUsed)
  server.send("count")
  const [counts] = (yield* Effect.promise(() => once(server, "message"))) as [Counts]
  return { ...counts, bytesPerCustomer: held / customers, growth: (after - before) / mebibyte }
}).pipe(Effect.provide(store))

const measurements = { hostileBodies, tenants }

export type Measurements = {
  [Name in keyof typeof measurements]: Effect.Effect.Success<(typeof measurements)[Name]>
}

const name = process.argv[2] as keyof Measurements
process.send?.(await Effect.runPromise<unknown, unknown>(measurements[name]))
server.disconnect()
