import { describe, expect, it } from "@effect/vitest"
import { Credentials, InstallationService, OAuth, RetryPolicy, TokenStore } from "@effect-pleo/core"
import { NodeInstallationService } from "@effect-pleo/node"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as TestClock from "effect/TestClock"
import * as Fault from "../src/Fault.ts"
import * as Sandbox from "../src/Sandbox.ts"
import { makeSandbox } from "./support.ts"

const activate = InstallationService.update({ status: "ACTIVATED" })

const statuses = Effect.flatMap(Sandbox.Sandbox, ({ requests }) =>
  Effect.map(requests, (requests) => requests.map(({ method, status }) => `${method} ${status}`))
)

const outside = (variables: Record<string, string>) =>
  Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables))))

describe("layerTest", () => {
  const application = Sandbox.layerTest(NodeInstallationService.layerConfig())

  it.effect("gives an application that is configured by layerConfig the sandbox to talk to", () =>
    Effect.gen(function* () {
      expect((yield* activate).status).toBe("ACTIVATED")
      const sandbox = yield* Sandbox.Sandbox
      expect(yield* sandbox.requests).toMatchObject([{ scheme: "Basic", status: 200 }])
    }).pipe(Effect.provide(application))
  )

  it.scoped("does so in a test with a scope, each time with a sandbox of its own", () =>
    Effect.gen(function* () {
      yield* Effect.provide(activate, application)
      expect(yield* Effect.provide(statuses, application)).toEqual([])
    })
  )

  it.effect("starts the installations with what is given", () =>
    Effect.gen(function* () {
      expect((yield* activate).metadata).toEqual({ seeded: true })
    }).pipe(
      Effect.provide(
        Sandbox.layerTest(NodeInstallationService.layerConfig(), {
          installation: { metadata: { seeded: true } }
        })
      )
    )
  )

  it.effect("hides what is configured of this library outside, and leaves the rest as it is", () =>
    Effect.gen(function* () {
      yield* activate
      expect(yield* Config.string("GREETING")).toBe("hello")
      expect(yield* Config.string("PLEO_SERVER")).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
      expect(yield* Effect.flip(Config.string("PLEO_TENANT"))).toMatchObject({ _op: "Or" })
    }).pipe(
      Effect.provide(application),
      outside({
        GREETING: "hello",
        PLEO_ACCESS_TOKEN: "a-real-token",
        PLEO_SERVER: "production",
        PLEO_TENANT: "x"
      })
    )
  )

  it.effect("the configuration ends with it", () =>
    Effect.gen(function* () {
      yield* Effect.provide(activate, application)
      expect(yield* Config.string("PLEO_SERVER")).toBe("production")
    }).pipe(outside({ PLEO_SERVER: "production" }))
  )

  const withOAuth = (options: Sandbox.Options) =>
    Sandbox.layerTest(
      NodeInstallationService.layerConfig({ credentials: OAuth.config }).pipe(
        Layer.provideMerge(TokenStore.layerMemory)
      ),
      options
    )

  it.effect.each([{ clientId: "my-app" }, { clientId: "my-app", clientSecret: "my-secret" }])(
    "configures OAuth for a client, and tokens expire by the TestClock: %j",
    (options) =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.Sandbox
        const tokens = yield* sandbox.authorize({ expiresIn: "1 hour" })
        yield* OAuth.storeTokens({ ...(yield* OAuth.clientConfig), tenant: "acme" }, tokens)
        const activateAcme = Credentials.use(activate, OAuth.tenant("acme"))
        yield* activateAcme
        yield* TestClock.adjust("2 hours")
        yield* activateAcme
        expect(yield* statuses).toEqual(["PUT 200", "POST 200", "PUT 200"])
      }).pipe(Effect.provide(withOAuth(options)))
  )

  it.effect("may be of an application that uses the sandbox to build its layer", () =>
    Effect.gen(function* () {
      const { authorize } = yield* Sandbox.Sandbox
      const { accessToken } = yield* authorize()
      yield* Credentials.use(activate, Credentials.bearer(accessToken))
      expect(yield* statuses).toEqual(["PUT 200"])
    }).pipe(
      Effect.provide(
        Sandbox.layerTest(
          Layer.unwrapEffect(
            Effect.map(Sandbox.Sandbox, ({ url }) =>
              NodeInstallationService.layer({ server: url, credentials: Credentials.config })
            )
          )
        )
      )
    )
  )
})

it.layer(Sandbox.layerTest(NodeInstallationService.layerConfig()))("of a group of tests", (it) => {
  const urls = new Set<string>()

  it.effect.each([1, 2])("there is one sandbox for all, and this is test %i", () =>
    Effect.gen(function* () {
      const { url } = yield* Sandbox.Sandbox
      yield* activate
      urls.add(url)
      expect(urls).toEqual(new Set([url]))
    })
  )
})

describe("under a TestClock", () => {
  const application = Effect.provide(Sandbox.layerTest(NodeInstallationService.layerConfig()))

  it.scoped("a delayed response comes when the clock was adjusted by that much", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.Sandbox
      yield* sandbox.inject(Fault.delay("1 hour"))
      const fiber = yield* Effect.fork(activate)
      yield* sandbox.awaitRequests(1)
      yield* TestClock.adjust("59 minutes")
      expect(yield* statuses).toEqual(["PUT null"])
      yield* TestClock.adjust("1 minute")
      expect((yield* Fiber.join(fiber)).status).toBe("ACTIVATED")
    }).pipe(application)
  )

  it.scoped("a timeout ends an update that is never answered when the clock was adjusted", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.Sandbox
      yield* sandbox.inject(Fault.stallResponse())
      const fiber = yield* activate.pipe(RetryPolicy.timeout("10 seconds"), Effect.flip, Effect.fork)
      yield* sandbox.awaitRequests(1)
      yield* TestClock.adjust("10 seconds")
      expect(yield* Fiber.join(fiber)).toMatchObject({ reason: "Timeout" })
    }).pipe(application)
  )

  it.scoped("retries do not wait when the jitter is fixed at nothing", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.Sandbox
      yield* sandbox.inject(Fault.status(503))
      yield* sandbox.inject(Fault.resetConnection())
      yield* activate.pipe(RetryPolicy.retry(), Effect.withRandom(Random.fixed([0])))
      expect(yield* statuses).toEqual(["PUT 503", "PUT null", "PUT 200"])
    }).pipe(application)
  )
})

describe("awaitRequests", () => {
  it.scoped("waits for requests that are still to come, and not for those that were", () =>
    Effect.gen(function* () {
      const sandbox = yield* makeSandbox()
      expect(yield* sandbox.awaitRequests(0)).toEqual([])
      const waiting = yield* Effect.fork(sandbox.awaitRequests(2))
      const get = Effect.promise(() => fetch(`${sandbox.url}/elsewhere`))
      yield* get
      expect(yield* sandbox.awaitRequests(1)).toHaveLength(1)
      expect(waiting.unsafePoll()).toBeNull()
      yield* get
      expect(yield* Fiber.join(waiting)).toMatchObject([{ status: 404 }, { method: "GET" }])
    })
  )
})
