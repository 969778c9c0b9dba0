import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import {
  Credentials,
  InstallationError,
  InstallationService,
  OAuth,
  TokenStore
} from "@effect-pleo/core"
import { NodeInstallationService } from "@effect-pleo/node"
import { Fault, InstallationServiceTest } from "@effect-pleo/testing"
import * as Sandbox from "@effect-pleo/testing/Sandbox"
import * as ConfigProvider from "effect/ConfigProvider"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as HashMap from "effect/HashMap"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import * as TestClock from "effect/TestClock"
import { run } from "../../examples/support/run.ts"
import { signal } from "../../packages/node/test/support/program.ts"
import * as Drift from "./drift.ts"
import edge from "./edge.ts"
import { reportAll } from "./every-customer.ts"
import { explained } from "./explained.ts"
import * as FileStore from "./file-store.ts"
import { heartbeat } from "./heartbeat.ts"
import * as Logged from "./logged.ts"
import * as Middleware from "./middleware.ts"
import * as Proxied from "./proxy.ts"
import { everyMinute, withALog } from "./retries-by-hand.ts"
import * as SqliteStore from "./sqlite-store.ts"
import { adopt } from "./stored-tokens.ts"
import { LedgerError, synchronize } from "./synchronize.ts"
import { effects, inAll, oneAttempt } from "./timeouts.ts"
import { inTheForeground } from "./tuned-retries.ts"
import { report } from "./who-has-to-act.ts"
import { logEnded } from "./who-must-reconnect.ts"

const serverError = new InstallationError.Infrastructure({
  reason: "ServerError",
  status: 503
})
const activated = { status: "ACTIVATED" } as const

const withSandbox = <A, E, R>(
  body: (sandbox: Sandbox.Sandbox["Type"]) => Effect.Effect<A, E, R>
) =>
  Effect.flatMap(Sandbox.Sandbox, body).pipe(
    Effect.provide(Sandbox.layer())
  )

const configured = (variables: Record<string, string>) =>
  Layer.setConfigProvider(
    ConfigProvider.fromMap(new Map(Object.entries(variables)))
  )

const test = Effect.serviceOptional(
  InstallationServiceTest.InstallationServiceTest
).pipe(Effect.orDie)

const file = (name: string) => new URL(name, import.meta.url)

// Each starts a process, which takes its time on a busy machine.
describe("programs", { timeout: 60_000 }, () => {
  it.live(
    "first-update.ts activates the installation of the configured token",
    () =>
      withSandbox((sandbox) =>
        Effect.gen(function* () {
          const environment = {
            PLEO_SERVER: sandbox.url,
            PLEO_ACCESS_TOKEN: "token"
          }
          const { code, stdout } = yield* run(file("first-update.ts"), {
            environment
          })
          expect(code).toBe(0)
          expect(stdout).toMatch(/urn:pleo:company:\S+ is ACTIVATED/)
          expect(yield* sandbox.requests).toMatchObject([
            { scheme: "Bearer", status: 200 }
          ])
        })
      )
  )

  it.live(
    "configured.ts takes its key and its server from variables of its own",
    () =>
      withSandbox((sandbox) =>
        Effect.gen(function* () {
          const environment = {
            INTEGRATION_SERVER: sandbox.url,
            INTEGRATION_KEY: "key"
          }
          const { code, stderr } = yield* run(file("configured.ts"), {
            environment
          })
          expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
          expect(yield* sandbox.requests).toMatchObject([
            { scheme: "Basic", status: 200 }
          ])
        })
      )
  )

  it.live("sandbox-faults.ts gets through at the third attempt", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* run(file("sandbox-faults.ts"))
      expect(code).toBe(0)
      expect(
        Array.from(stdout.matchAll(/-> (.*)$/gm), ([, outcome]) => outcome)
      ).toEqual(["429", "no response", "200"])
    })
  )

  it.live(
    "shutdown.ts says that it is inactive before it ends with 143",
    () =>
      withSandbox((sandbox) =>
        Effect.gen(function* () {
          const environment = {
            PLEO_SERVER: sandbox.url,
            PLEO_ACCESS_TOKEN: "token"
          }
          const code = yield* signal(
            file("shutdown.ts"),
            environment,
            "SIGTERM"
          )
          expect(code).toBe(143)
          expect(yield* sandbox.requests).toMatchObject([
            { status: 200, body: '{"status":"INACTIVE"}' }
          ])
        })
      )
  )
})

describe("over HTTP", () => {
  const installation = {
    id: "00000000-0000-4000-8000-000000000001",
    applicationId: "00000000-0000-4000-8000-000000000002",
    resource: "urn:pleo:company:1",
    metadata: {},
    createdAt: "2025-01-01T00:00:00Z",
    updatedAt: "2025-01-01T00:00:00Z"
  }

  it.live("edge.ts answers with what Pleo said", () =>
    withSandbox((sandbox) =>
      Effect.gen(function* () {
        const environment = {
          PLEO_ACCESS_TOKEN: "token",
          PLEO_SERVER: sandbox.url
        }
        const response = yield* Effect.promise(() =>
          edge.fetch(new Request("https://example.com"), environment)
        )
        expect(yield* Effect.promise(() => response.text())).toBe(
          "ACTIVATED"
        )
      })
    )
  )

  it.live("drift.ts warns of a status that is new", () =>
    withSandbox((sandbox) =>
      Effect.gen(function* () {
        const lines = yield* Queue.unbounded<string>()
        const logger = Logger.replace(
          Logger.defaultLogger,
          Logger.make(({ message }) => lines.unsafeOffer(String(message)))
        )
        const body = JSON.stringify({ ...installation, status: "PAUSED" })
        yield* sandbox.inject(Fault.status(200, { body }))
        yield* InstallationService.update(activated).pipe(
          Effect.provide(Drift.live),
          Effect.provide(
            configured({
              PLEO_SERVER: sandbox.url,
              PLEO_ACCESS_TOKEN: "token"
            })
          ),
          Effect.provide(logger)
        )
        expect(yield* Queue.take(lines)).toBe(
          "Drift in a response of Pleo: status PAUSED"
        )
      })
    )
  )

  it.live("middleware.ts counts a request and lets it through", () =>
    withSandbox((sandbox) =>
      Effect.gen(function* () {
        const installation = yield* InstallationService.update(
          activated
        ).pipe(
          Effect.provide(Middleware.live),
          Effect.provide(
            configured({
              PLEO_SERVER: sandbox.url,
              PLEO_ACCESS_TOKEN: "token"
            })
          )
        )
        expect(installation.status).toBe("ACTIVATED")
        const counter = Metric.tagged(
          Metric.counter("pleo_requests"),
          "status",
          "200"
        )
        expect((yield* Metric.value(counter)).count).toBe(1)
      })
    )
  )

  it.live("proxy.ts sends nothing past a proxy that is not there", () =>
    withSandbox((sandbox) =>
      Effect.gen(function* () {
        const error = yield* InstallationService.update(activated).pipe(
          Effect.provide(Proxied.live),
          Effect.provide(
            configured({
              HTTPS_PROXY: "http://127.0.0.1:1",
              PLEO_SERVER: sandbox.url,
              PLEO_ACCESS_TOKEN: "token"
            })
          ),
          Effect.flip
        )
        expect(error).toMatchObject({
          _tag: "Infrastructure",
          reason: "Transport"
        })
        expect(yield* sandbox.requests).toEqual([])
      })
    )
  )

  const appAt = (url: string) => ({
    PLEO_SERVER: url,
    PLEO_TOKEN_ENDPOINT: `${url}/oauth/token`,
    PLEO_CLIENT_ID: "my-app",
    PLEO_CLIENT_SECRET: "my-secret"
  })

  /**
   * Connects a customer with tokens that look expired after `expiresIn`.
   */
  const connect = (
    sandbox: Sandbox.Sandbox["Type"],
    tenant: string,
    expiresIn: Duration.DurationInput
  ) =>
    Effect.flatMap(sandbox.authorize(), (grant) =>
      adopt(tenant, { ...grant, expiresIn })
    )

  const updateOf = (tenant: string) =>
    InstallationService.update(activated).pipe(
      Credentials.use(OAuth.tenant(tenant))
    )

  const temporary = Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-pleo-snippets-"))),
    (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
  )

  it.scopedLive(
    "stored-tokens.ts stores tokens that file-store.ts refreshes and keeps for the next process",
    () =>
      withSandbox((sandbox) =>
        Effect.gen(function* () {
          const directory = yield* temporary
          const variables = configured(appAt(sandbox.url))
          const connected = connect(sandbox, "acme", 0).pipe(
            Effect.zipRight(updateOf("acme"))
          )
          yield* connected.pipe(
            Effect.provide(FileStore.live(directory)),
            Effect.provide(variables)
          )
          yield* updateOf("acme").pipe(
            Effect.provide(FileStore.live(directory)),
            Effect.provide(variables)
          )
          const outcomes = (yield* sandbox.requests).map(
            ({ method, status }) => `${method} ${status}`
          )
          expect(outcomes).toEqual(["POST 200", "PUT 200", "PUT 200"])
        })
      )
  )

  it.scopedLive("sqlite-store.ts keeps them in a file", () =>
    withSandbox((sandbox) =>
      Effect.gen(function* () {
        const variables = {
          ...appAt(sandbox.url),
          TOKENS: `file:${join(yield* temporary, "tokens.db")}`
        }
        const connected = connect(sandbox, "acme", "1 hour").pipe(
          Effect.zipRight(updateOf("acme"))
        )
        const { status } = yield* connected.pipe(
          Effect.provide(SqliteStore.live),
          Effect.provide(configured(variables))
        )
        expect(status).toBe("ACTIVATED")
      })
    )
  )

  it.live(
    "who-must-reconnect.ts logs a customer whose grant was revoked, and no other",
    () =>
      withSandbox((sandbox) =>
        Effect.gen(function* () {
          const [lines, logger] = recordingLogger(({ message }) =>
            String(message)
          )
          yield* connect(sandbox, "acme", "1 hour")
          const grant = yield* sandbox.authorize()
          yield* adopt("borealis", { ...grant, expiresIn: 0 })
          yield* sandbox.revoke(grant.id)
          yield* reportAll(["acme", "borealis"])
          yield* Effect.provide(logEnded, logger)
          expect(lines).toEqual(["borealis must reconnect: Refused"])
        }).pipe(
          Effect.provide(
            NodeInstallationService.layerConfig({
              credentials: OAuth.config
            }).pipe(Layer.provideMerge(TokenStore.layerMemory))
          ),
          Effect.provide(configured(appAt(sandbox.url)))
        )
      )
  )

  it.live("every-customer.ts gives those who have to connect again", () =>
    withSandbox((sandbox) =>
      Effect.gen(function* () {
        yield* connect(sandbox, "acme", "1 hour")
        const failures = yield* reportAll(["acme", "borealis"])
        expect(failures).toMatchObject([
          { customer: "borealis", error: { reason: "NotConnected" } }
        ])
      }).pipe(
        Effect.provide(
          NodeInstallationService.layerConfig({
            credentials: OAuth.config
          }).pipe(Layer.provideMerge(TokenStore.layerMemory))
        ),
        Effect.provide(configured(appAt(sandbox.url)))
      )
    )
  )
})

/** What is picked of each log line, and the logger that picks it. */
const recordingLogger = <A>(
  pick: (options: Logger.Logger.Options<unknown>) => A
) => {
  const picked: Array<A> = []
  const logger = Logger.make((options) => picked.push(pick(options)))
  return [picked, Logger.replace(Logger.defaultLogger, logger)] as const
}

describe("in memory", () => {
  it.effect(
    "synchronize.ts reports a rejected login as an error, and restores the status after another",
    () =>
      Effect.gen(function* () {
        const { requests } =
          yield* InstallationServiceTest.InstallationServiceTest
        yield* synchronize(Effect.void)
        yield* Effect.flip(
          synchronize(
            Effect.fail(new LedgerError({ isLoginRejected: true }))
          )
        )
        yield* synchronize(Effect.void)
        yield* Effect.flip(
          synchronize(
            Effect.fail(new LedgerError({ isLoginRejected: false }))
          )
        )
        expect(yield* requests).toEqual([
          { status: "ACTIVATED" },
          { status: "ERROR", errorCode: "AUTH_ERROR" },
          { status: "ACTIVATED" },
          { status: "ACTIVATED" }
        ])
      }).pipe(Effect.provide(InstallationServiceTest.layerTest()))
  )

  const desksOf = (notes: Array<string>) => ({
    developers: () => Effect.sync(() => void notes.push("developers")),
    customer: () => Effect.sync(() => void notes.push("customer")),
    later: () => Effect.sync(() => void notes.push("later"))
  })

  it.effect.each([
    [new InstallationError.BadRequest({ status: 400 }), "developers"],
    [
      new InstallationError.Unauthorized({
        reason: "Unauthenticated",
        status: 401
      }),
      "developers"
    ],
    [
      new InstallationError.Unauthorized({
        reason: "ReauthorizationRequired"
      }),
      "customer"
    ],
    [serverError, "later"],
    [
      new InstallationError.Infrastructure({
        reason: "Redirect",
        status: 302
      }),
      "developers"
    ]
  ] as const)("who-has-to-act.ts gives %s to the %s", ([error, desk]) =>
    Effect.gen(function* () {
      yield* (yield* test).inject(Fault.fail(error, { times: 3 }))
      const notes: Array<string> = []
      const reported = yield* Effect.fork(report(activated, desksOf(notes)))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(reported)
      expect(notes).toEqual([desk])
    }).pipe(Effect.provide(InstallationServiceTest.layerTest()))
  )

  it.effect(
    "tuned-retries.ts makes two attempts where somebody waits",
    () =>
      Effect.gen(function* () {
        yield* (yield* test).inject(Fault.fail(serverError, { times: 2 }))
        const update = yield* Effect.fork(Effect.either(inTheForeground))
        yield* TestClock.adjust("5 seconds")
        expect(Either.isLeft(yield* Fiber.join(update))).toBe(true)
        expect((yield* (yield* test).updates).length).toBe(2)
      }).pipe(Effect.provide(InstallationServiceTest.layerTest()))
  )

  it.effect(
    "retries-by-hand.ts logs each wait of the policy, or waits as long as it says",
    () =>
      Effect.gen(function* () {
        const [lines, logger] = recordingLogger(({ message }) => message)
        yield* (yield* test).inject(Fault.fail(serverError, { times: 2 }))
        const update = yield* Effect.fork(Effect.provide(withALog, logger))
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(update)
        expect(lines).toEqual([
          ["attempt 1 has failed"],
          ["attempt 2 has failed"]
        ])

        yield* (yield* test).inject(Fault.fail(serverError, { times: 9 }))
        const patient = yield* Effect.fork(everyMinute)
        yield* TestClock.adjust("9 minutes")
        expect((yield* Fiber.join(patient)).status).toBe("ACTIVATED")
      }).pipe(Effect.provide(InstallationServiceTest.layerTest()))
  )

  it.effect("heartbeat.ts beats on after a beat that failed", () =>
    Effect.gen(function* () {
      yield* (yield* test).inject(
        Fault.fail(new InstallationError.BadRequest({ status: 400 }))
      )
      yield* Effect.fork(heartbeat)
      yield* TestClock.adjust("4 hours")
      expect((yield* (yield* test).updates).length).toBeGreaterThanOrEqual(
        4
      )
      expect((yield* (yield* test).installation).metadata).toHaveProperty(
        "lastSeen"
      )
    }).pipe(Effect.provide(InstallationServiceTest.layerTest()))
  )

  it.effect(
    "logged.ts logs a failure once, with all that is known of it",
    () =>
      Effect.gen(function* () {
        const [logged, logger] = recordingLogger(({ annotations }) => [
          ...HashMap.values(annotations)
        ])
        const forbidden = {
          reason: "Forbidden",
          status: 403,
          requestId: "id-of-support"
        } as const
        yield* (yield* test).inject(
          Fault.fail(new InstallationError.Unauthorized(forbidden))
        )
        yield* Logged.update(activated).pipe(
          Effect.provide(logger),
          Effect.flip
        )
        expect(
          logged.flat().map((text) => JSON.parse(String(text)))
        ).toMatchObject([
          {
            _tag: "Unauthorized",
            reason: "Forbidden",
            requestId: "id-of-support",
            mayHaveBeenApplied: false
          }
        ])
      }).pipe(Effect.provide(InstallationServiceTest.layerTest()))
  )

  it.effect("explained.ts logs five lines of a failure", () =>
    Effect.gen(function* () {
      const [lines, logger] = recordingLogger(({ message }) =>
        String(message)
      )
      const error = new InstallationError.Infrastructure({
        reason: "ServerError",
        status: 503,
        requestId: "7d9f"
      })
      yield* (yield* test).inject(Fault.fail(error, { times: 3 }))
      const update = yield* Effect.fork(
        Effect.exit(explained).pipe(
          Effect.withRandom(Random.fixed([1])),
          Effect.provide(logger)
        )
      )
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(update)
      const guide = readFileSync(
        new URL("../guide/errors-and-retries.md", import.meta.url),
        "utf8"
      )
      expect(lines.length).toBe(1)
      expect(guide).toContain(lines[0])
    }).pipe(Effect.provide(InstallationServiceTest.layerTest()))
  )

  it.effect("timeouts.ts waits no longer than it says", () =>
    Effect.gen(function* () {
      const outcomes = yield* Effect.fork(
        Effect.all([oneAttempt, inAll, effects].map(Effect.flip), {
          concurrency: "unbounded"
        })
      )
      yield* TestClock.adjust("10 seconds")
      expect(yield* Fiber.join(outcomes)).toMatchObject([
        { _tag: "Infrastructure", reason: "Timeout" },
        { _tag: "Infrastructure", reason: "Timeout" },
        { _tag: "TimeoutException" }
      ])
    }).pipe(
      Effect.provide(
        InstallationServiceTest.layerTest({
          faults: [Fault.stallResponse({ times: Number.POSITIVE_INFINITY })]
        })
      )
    )
  )
})
