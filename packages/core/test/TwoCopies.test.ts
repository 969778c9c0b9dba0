import { mkdirSync, rmSync } from "node:fs"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"
import * as HttpClient from "@effect/platform/HttpClient"
import { afterAll, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/TestClock"
import * as esbuild from "esbuild"
import * as modules from "../src/index.ts"
import { activated, answering, authorizationOf, installation } from "./support/http.ts"

type Copy = typeof modules

const directory = fileURLToPath(new URL("..", import.meta.url))
const cache = `${directory}/test/.cache`
mkdirSync(cache, { recursive: true })
const outfile = `${cache}/core.${process.pid}.cjs`

// What `require` loads in an application that also imports this library: with it, a second copy of Effect.
await esbuild.build({
  entryPoints: [`${directory}/src/index.ts`],
  bundle: true,
  packages: "external",
  format: "cjs",
  target: "es2022",
  outfile
})
const required: Copy = createRequire(import.meta.url)(outfile)

afterAll(() => rmSync(outfile))

const unavailable = () => new Response(null, { status: 503 })

it("the two copies share no class", () => {
  expect(required.InstallationError.Infrastructure).not.toBe(modules.InstallationError.Infrastructure)
  expect(required.InstallationService.InstallationService).not.toBe(
    modules.InstallationService.InstallationService
  )
})

describe.each<readonly [string, Copy, Copy]>([
  ["81 a required layer in an imported program", required, modules],
  ["81 an imported layer in a required program", modules, required]
])("%s", (_, layers, program) => {
  const { Credentials, InstallationError, InstallationService, OAuth, RetryPolicy } = program
  const update = InstallationService.update(activated)

  const over =
    (client: HttpClient.HttpClient, credentials = layers.Credentials.bearer(Redacted.make("token"))) =>
    <A, E, R>(self: Effect.Effect<A, E, R>) =>
      self.pipe(
        Effect.provide(layers.InstallationClient.layer({ credentials })),
        Effect.provide(Layer.succeed(HttpClient.HttpClient, client)),
        Effect.withRandom(Random.fixed([0]))
      )

  it.effect("retries a failed update", () =>
    Effect.gen(function* () {
      const { client, requests } = answering(() => (requests.length < 3 ? unavailable() : installation()))
      const { status } = yield* update.pipe(RetryPolicy.retry(), over(client))
      expect(status).toBe("ACTIVATED")
      expect(requests).toHaveLength(3)
    })
  )

  it.effect("knows the error of an update, and its attempts", () =>
    Effect.gen(function* () {
      const { client } = answering(unavailable)
      const error = yield* update.pipe(RetryPolicy.retry(), over(client), Effect.flip)
      expect(error).toBeInstanceOf(layers.InstallationError.Infrastructure)
      expect(InstallationError.isInstallationError(error)).toBe(true)
      expect(RetryPolicy.isRetryable(error)).toBe(true)
      expect(error).toMatchObject({ retried: { attempts: 3, mayHaveBeenApplied: true } })
      expect(InstallationError.explain(error as never)).toContain("Attempts: 3,")
    })
  )

  it.effect("waits as long as Retry-After asks for", () =>
    Effect.gen(function* () {
      const headers = { "retry-after": "7" }
      const { client, requests } = answering(() =>
        requests.length < 2 ? new Response(null, { status: 429, headers }) : installation()
      )
      const fiber = yield* Effect.fork(update.pipe(RetryPolicy.retry(), over(client)))
      yield* TestClock.adjust("6900 millis")
      expect(requests).toHaveLength(1)
      yield* TestClock.adjust("100 millis")
      yield* Fiber.join(fiber)
      expect(requests).toHaveLength(2)
    })
  )

  it.effect("limits the time of an update, in nested policies too", () =>
    Effect.gen(function* () {
      const { client } = answering(() => Effect.never)
      const limited = update.pipe(
        RetryPolicy.timeout("1 minute"),
        layers.RetryPolicy.timeout("2 seconds"),
        RetryPolicy.timeout("1 minute")
      )
      const fiber = yield* Effect.fork(Effect.flip(limited.pipe(over(client))))
      yield* TestClock.adjust("2 seconds")
      expect(yield* Fiber.join(fiber)).toMatchObject({ reason: "Timeout", mayHaveBeenApplied: true })
    })
  )

  it.effect("takes retries from one budget", () =>
    Effect.gen(function* () {
      const { client, requests } = answering(unavailable)
      const failing = Effect.exit(update.pipe(RetryPolicy.retry()))
      yield* Effect.replicateEffect(failing, 40).pipe(over(client))
      // A reserve of 10, and a tenth of each update's first attempt.
      expect(requests.length - 40).toBeGreaterThanOrEqual(10)
      expect(requests.length - 40).toBeLessThanOrEqual(14)
    })
  )

  it.effect("uses the credential of the program", () =>
    Effect.gen(function* () {
      const { client, requests } = answering(() => installation())
      yield* update.pipe(Credentials.use(Credentials.apiKey(Redacted.make("key"))), over(client))
      expect(requests.map(authorizationOf)).toEqual([`Basic ${btoa("key:")}`])
    })
  )

  it.effect("refreshes the tokens that the program has stored", () =>
    Effect.gen(function* () {
      const { client, requests } = answering(({ method }) =>
        method === "PUT"
          ? installation()
          : Response.json({ access_token: "second", refresh_token: "next", expires_in: 3600 })
      )
      const grant = { clientId: "app", tenant: "acme" }
      const accessToken = Redacted.make("first")
      yield* OAuth.storeTokens(grant, { accessToken, refreshToken: Redacted.make("refresh"), expiresIn: 0 })
      const credentials = layers.OAuth.credentials({
        clientId: "app",
        clientSecret: Redacted.make("secret"),
        tenant: "acme"
      })
      yield* update.pipe(
        Credentials.use(OAuth.tenant("acme")),
        Effect.provide(layers.InstallationClient.layer({ credentials })),
        Effect.provide(Layer.succeed(HttpClient.HttpClient, client))
      )
      expect(requests.map(({ method }) => method)).toEqual(["POST", "PUT"])
      expect(authorizationOf(requests[1])).toBe("Bearer second")
    }).pipe(Effect.provide(program.TokenStore.layerMemory))
  )

  it.effect("reports a failed token store of the program", () =>
    Effect.gen(function* () {
      const { client, requests } = answering(() => installation())
      const failed = new program.TokenStore.TokenStoreError({ operation: "load", code: "ENOSPC" })
      const store = {
        load: () => Effect.fail(failed),
        save: () => Effect.fail(failed),
        list: () => Effect.fail(failed)
      }
      const credentials = layers.OAuth.credentials({
        clientId: "app",
        clientSecret: Redacted.make("secret"),
        tenant: "acme"
      })
      const error = yield* update.pipe(
        Effect.provide(layers.InstallationClient.layer({ credentials })),
        Effect.provideService(HttpClient.HttpClient, client),
        Effect.provideService(program.TokenStore.TokenStore, store),
        Effect.flip
      )
      expect(error).toMatchObject({ reason: "TokenStore", code: "ENOSPC" })
      expect(requests).toEqual([])
    })
  )

  it.effect("counts in the metrics that the other copy counts in", () =>
    Effect.gen(function* () {
      const attempts = Metric.counter("pleo.installation.attempts", { incremental: true }).pipe(
        Metric.tagged("result", "200"),
        Metric.tagged("test", _)
      )
      const { client } = answering(() => installation())
      const updates = Effect.all([
        update.pipe(over(client)),
        layers.InstallationService.update(activated).pipe(
          Effect.provide(
            program.InstallationClient.layer({
              credentials: program.Credentials.bearer(Redacted.make("token"))
            })
          ),
          Effect.provideService(HttpClient.HttpClient, client)
        )
      ])
      yield* Effect.tagMetrics(updates, "test", _)
      expect((yield* Metric.value(attempts)).count).toBe(2)
    })
  )
})
