// One vocabulary of faults: in memory, an update ends as that of the real client does over HTTP.
import { describe, expect, it } from "@effect/vitest"
import { BadRequest, type InstallationError } from "@effect-pleo/core/InstallationError"
import { InstallationService, update } from "@effect-pleo/core/InstallationService"
import * as RetryPolicy from "@effect-pleo/core/RetryPolicy"
import * as NodeInstallationService from "@effect-pleo/node/NodeInstallationService"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
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
    const fiber = yield* update({ status: "ERROR", metadata: { key: "any-metadata" } }).pipe(
      RetryPolicy.timeout("10 seconds"),
      Effect.either,
      Effect.fork
    )
    yield* received(1)
    yield* TestClock.adjust(`${seconds} seconds`)
    const end = yield* Fiber.join(fiber)
    const { metadata } = yield* update({ status: "ACTIVATED" })
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
      const { update } = yield* InstallationService
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
