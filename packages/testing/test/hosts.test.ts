// One vocabulary of faults: in memory, an update ends as that of the real client does over HTTP.
import { describe, expect, it } from "@effect/vitest"
import * as Credentials from "@effect-pleo/core/Credentials"
import { BadRequest, type InstallationError } from "@effect-pleo/core/InstallationError"
import * as InstallationService from "@effect-pleo/core/InstallationService"
import * as RetryPolicy from "@effect-pleo/core/RetryPolicy"
import * as NodeInstallationService from "@effect-pleo/node/NodeInstallationService"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/TestClock"
import * as esbuild from "esbuild"
import { withFields } from "../../core/src/internal/http/failure.ts"
import * as Fault from "../src/Fault.ts"
import { InstallationServiceTest, layerTest } from "../src/InstallationServiceTest.ts"
import * as Sandbox from "../src/Sandbox.ts"

/** Only over HTTP is there a server to name. */
const withoutServer = (error: InstallationError) => withFields(error, { server: undefined })

interface Case {
  readonly fault: (options?: Fault.Options) => Fault.Fault
  /** How far the clock has to go, if the update waits. */
  readonly seconds?: number
}

const cases: Record<string, Case> = {
  "a status": {
    fault: (options) =>
      Fault.status(503, {
        retryAfter: "7 seconds",
        headers: { "X-Request-Id": "request-1" },
        body: "down, and any-metadata is not quoted",
        ...options
      })
  },
  "a 401": { fault: (options) => Fault.status(401, options) },
  "a 422": { fault: (options) => Fault.status(422, options) },
  "a redirect": { fault: (options) => Fault.status(302, options) },
  "an empty success": { fault: (options) => Fault.status(204, options) },
  "a success that is no installation": {
    fault: (options) => Fault.status(200, { body: '{"id":1}', ...options })
  },
  "a malformed response": { fault: Fault.malformedResponse },
  "a connection that is reset": { fault: (options) => Fault.resetConnection(options) },
  "a lost response": { fault: (options) => Fault.loseResponse(options) },
  "a stalled response": { fault: Fault.stallResponse, seconds: 10 },
  "a delay": { fault: (options) => Fault.delay("5 seconds", options), seconds: 5 },
  "a delay for which the client does not wait": {
    fault: (options) => Fault.delay("11 seconds", options),
    seconds: 10
  },
  "a status after a while": { fault: (options) => Fault.status(500, { after: 5000, ...options }), seconds: 5 }
}

const choices = Object.entries(cases).flatMap(([title, { fault, seconds = 0 }]) =>
  [{}, { isApplied: true }, { isApplied: false }].map((options) => ({
    title: `${title}, ${JSON.stringify(options)}`,
    fault: fault(options),
    seconds
  }))
)

/** The result of an update under the fault, and whether it was applied. */
const endOf = (
  inject: Effect.Effect<void>,
  received: (count: number) => Effect.Effect<unknown>,
  seconds: number
) =>
  Effect.gen(function* () {
    yield* inject
    const fiber = yield* InstallationService.update({
      status: "ERROR",
      metadata: { key: "any-metadata" }
    }).pipe(RetryPolicy.timeout("10 seconds"), Effect.either, Effect.fork)
    yield* received(1)
    yield* TestClock.adjust(`${seconds} seconds`)
    const end = yield* Fiber.join(fiber)
    const { metadata } = yield* InstallationService.update({ status: "ACTIVATED" })
    return {
      end: Either.match(end, {
        onLeft: (error) => withoutServer(error).toJSON(),
        onRight: ({ status }) => status
      }),
      isApplied: "key" in metadata
    }
  })

describe("a fault", () => {
  it.scoped.each(choices)("ends an update as it does over HTTP: $title", ({ fault, seconds }) =>
    Effect.gen(function* () {
      const inMemory = yield* Effect.flatMap(InstallationServiceTest, (test) =>
        endOf(test.inject(fault), test.awaitUpdates, seconds)
      ).pipe(Effect.provide(layerTest()))
      const overHttp = yield* Effect.flatMap(Sandbox.Sandbox, (sandbox) =>
        endOf(sandbox.inject(fault), sandbox.awaitRequests, seconds)
      ).pipe(Effect.provide(Sandbox.layerTest(NodeInstallationService.layerConfig())))
      expect(inMemory).toEqual(overHttp)
    })
  )

  it("that fails with an error is for the service in memory alone", () => {
    const inject = ({ inject }: Sandbox.Sandbox["Type"]) =>
      // @ts-expect-error: HTTP cannot send an error.
      inject(Fault.fail(new BadRequest({ status: 400 })))
    expect(inject).toBeTypeOf("function")
  })

  it.each([199, 1000, 200.5, Number.NaN])("cannot be a status of %s", (status) => {
    expect(() => Fault.status(status)).toThrow(RangeError)
  })

  it.scoped("is for the requests that its when describes, over HTTP as in memory", () =>
    Effect.gen(function* () {
      const { requests, ...sandbox } = yield* Sandbox.Sandbox
      const { update } = yield* InstallationService.InstallationService
      yield* sandbox.inject(
        Fault.status(503, { when: ({ path, update }) => path.endsWith("/me") && update?.status === "ERROR" }),
        Fault.status(500, { when: ({ grant }) => grant === "another" })
      )
      yield* update({ status: "ACTIVATED" })
      expect(yield* Effect.flip(update({ status: "ERROR" }))).toMatchObject({ status: 503 })
      yield* update({ status: "ERROR" })
      expect((yield* requests).map(({ status }) => status)).toEqual([200, 503, 200])
    }).pipe(Effect.provide(Sandbox.layerTest(NodeInstallationService.layerConfig())))
  )
})

const key = Credentials.use(Credentials.apiKey(Redacted.make("key")))
const customer = Credentials.use(Credentials.bearer(Redacted.make("token")))

/** The statuses and refusals of a whole life of an installation, in order. */
const lifeOf = (as: typeof key) =>
  Effect.gen(function* () {
    const ends: Array<unknown> = []
    const step = <A>(
      name: string,
      self: Effect.Effect<A, InstallationError, InstallationService.InstallationService>
    ) =>
      Effect.map(Effect.either(as(self)), (end) => {
        ends.push([
          name,
          Either.match(end, {
            onLeft: ({ _tag, status }) => `${_tag} ${status}`,
            onRight: (value) =>
              typeof value === "object" && value !== null && "status" in value
                ? [value.status, "metadata" in value && value.metadata]
                : value
          })
        ])
      })
    const whoami = Effect.map(
      InstallationService.introspect(),
      ({ authMethod, subject }) => `${authMethod}, ${subject === undefined ? "no subject" : "a subject"}`
    )
    yield* step("introspect", whoami)
    yield* step("get", InstallationService.get())
    yield* step("activate", InstallationService.activate())
    yield* step("delete", InstallationService.delete())
    yield* step("create", InstallationService.create({ status: "PENDING_INTEGRATION", metadata: { a: 1 } }))
    yield* step("create", InstallationService.create())
    yield* step("get", InstallationService.get())
    yield* step("update", InstallationService.update({ status: "ERROR", errorCode: "AUTH_ERROR" }))
    yield* step("activate", InstallationService.activate())
    yield* step("introspect", whoami)
    yield* step("delete", InstallationService.delete())
    yield* step("get", InstallationService.get())
    yield* step("update", InstallationService.update({ status: "ACTIVATED" }))
    return ends
  })

describe("the life of an installation", () => {
  const rest = [
    ["create", ["PENDING_INTEGRATION", { a: 1 }]],
    ["create", "BadRequest 400"],
    ["get", ["PENDING_INTEGRATION", { a: 1 }]],
    ["update", ["ERROR", { a: 1 }]],
    ["activate", ["ACTIVATED", { a: 1 }]]
  ]
  const gone = [
    ["delete", undefined],
    ["get", "BadRequest 400"],
    ["update", "BadRequest 400"]
  ]
  const lives = {
    "an API key begins with its creation": {
      as: key,
      ends: [
        ["introspect", "API_KEY, no subject"],
        ["get", "BadRequest 400"],
        ["activate", "BadRequest 400"],
        ["delete", "BadRequest 404"],
        ...rest,
        ["introspect", "API_KEY, a subject"],
        ...gone
      ]
    },
    "a customer begins with the authorization": {
      as: customer,
      ends: [
        ["introspect", "OAUTH2, a subject"],
        ["get", ["AUTHORIZED", {}]],
        ["activate", ["ACTIVATED", {}]],
        ["delete", undefined],
        ...rest,
        ["introspect", "OAUTH2, a subject"],
        ...gone
      ]
    }
  }

  for (const [title, { as, ends }] of Object.entries(lives))
    it.scoped(`of ${title}, over HTTP as in memory`, () =>
      Effect.gen(function* () {
        expect(yield* Effect.provide(lifeOf(as), layerTest())).toEqual(ends)
        const sandbox = Sandbox.layerTest(NodeInstallationService.layerConfig())
        expect(yield* Effect.provide(lifeOf(as), sandbox)).toEqual(ends)
      })
    )

  it.scoped("ends with its grant, over HTTP", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.Sandbox
      const { accessToken } = yield* sandbox.authorize()
      const granted = Credentials.use(Credentials.bearer(accessToken))
      yield* granted(InstallationService.delete())
      expect(yield* Effect.flip(granted(InstallationService.get()))).toMatchObject({ status: 401 })
    }).pipe(Effect.provide(Sandbox.layerTest(NodeInstallationService.layerConfig())))
  )

  it.effect("is recorded call by call in memory", () =>
    Effect.gen(function* () {
      yield* lifeOf(key)
      const test = yield* InstallationServiceTest
      const calls = yield* test.calls
      expect(calls.map(({ isApplied, operation }) => [operation, isApplied])).toEqual([
        ["introspect", false],
        ["get", false],
        ["activate", false],
        ["delete", false],
        ["create", true],
        ["create", false],
        ["get", false],
        ["update", true],
        ["activate", true],
        ["introspect", false],
        ["delete", true],
        ["get", false],
        ["update", false]
      ])
      expect(calls[4]).toMatchObject({ request: { status: "PENDING_INTEGRATION", metadata: { a: 1 } } })
      expect(yield* test.updates).toEqual(calls.filter(({ operation }) => operation === "update"))
      expect(yield* test.requests).toEqual([
        { status: "ERROR", errorCode: "AUTH_ERROR" },
        { status: "ACTIVATED" }
      ])
      const installation = yield* Effect.exit(key(test.installation))
      expect(installation).toMatchObject({ cause: { defect: { message: "There is no installation" } } })
    }).pipe(Effect.provide(layerTest()))
  )

  it.effect("goes on after an ambiguous creation, in memory as over HTTP", () =>
    Effect.gen(function* () {
      const test = yield* InstallationServiceTest
      yield* test.inject(Fault.loseResponse({ when: ({ method }) => method === "POST" }))
      const fiber = yield* Effect.fork(key(InstallationService.create().pipe(RetryPolicy.retry())))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      expect((yield* test.calls).map(({ operation }) => operation)).toEqual(["create", "get"])
    }).pipe(Effect.provide(layerTest()))
  )
})

/** The packages that are loaded with a module, but for our own. */
const loadedWith = async (module: string): Promise<ReadonlyArray<string>> => {
  const { metafile } = await esbuild.build({
    absWorkingDir: new URL("..", import.meta.url).pathname,
    entryPoints: [`src/${module}.ts`],
    bundle: true,
    write: false,
    metafile: true,
    platform: "node",
    format: "esm",
    conditions: ["import"],
    external: ["effect/*", "@effect/*"]
  })
  const paths = Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path))
  return [
    ...new Set(
      paths.map((path) =>
        path
          .split("/")
          .slice(0, path.startsWith("@") ? 2 : 1)
          .join("/")
      )
    )
  ]
}

describe("without an HTTP server", () => {
  it.each(["index", "Fault", "InstallationServiceTest", "InstallationArbitrary", "TokenStoreConformance"])(
    "%s loads nothing but effect",
    async (module) => {
      expect(await loadedWith(module)).toEqual(["effect"])
    }
  )

  it("the sandbox, which is not in the index, loads more", async () => {
    expect(await loadedWith("Sandbox")).toContain("@effect/platform-node")
  })
})
