import { describe, expect, it } from "@effect/vitest"
import {
  Installation,
  InstallationErrorCode,
  InstallationStatus,
  type UpdateInstallation
} from "@effect-pleo/core/Installation"
import {
  Infrastructure,
  type InstallationError,
  isInstallationError
} from "@effect-pleo/core/InstallationError"
import { update } from "@effect-pleo/core/InstallationService"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { fromFailure, fromStatus } from "../../core/src/internal/http/failure.ts"
import { infrastructureReasons, unauthorizedReasons } from "../../core/test/support/errors.ts"
import { answering, bodyOf, installation, send } from "../../core/test/support/http.ts"
import * as Fault from "../src/Fault.ts"
import * as InstallationArbitrary from "../src/InstallationArbitrary.ts"
import * as InstallationServiceTest from "../src/InstallationServiceTest.ts"

const sample = <A>(arbitrary: FastCheck.Arbitrary<A>) =>
  FastCheck.sample(arbitrary, { numRuns: 1000, seed: 1 })

describe("updateInstallation", () => {
  it.effect.prop(
    "is accepted by the client, and sent as it is",
    [InstallationArbitrary.updateInstallation],
    ([request]) =>
      Effect.gen(function* () {
        const { client, requests } = answering(() => installation())
        yield* send(client, { request })
        expect(JSON.parse(bodyOf(requests[0]))).toStrictEqual(request)
      })
  )

  it("has every status, with and without an error code and metadata", () => {
    const requests = sample(InstallationArbitrary.updateInstallation)
    expect(new Set(requests.map(({ status }) => status))).toEqual(new Set(InstallationStatus.literals))
    for (const field of ["errorCode", "metadata"] as const) {
      expect(requests.some((request) => field in request)).toBe(true)
      expect(requests.some((request) => !(field in request))).toBe(true)
    }
    expect(new Set(requests.flatMap(({ errorCode }) => errorCode ?? []))).toEqual(
      new Set(InstallationErrorCode.literals)
    )
  })
})

it("what breaks a property is made as small as can be", () => {
  const { counterexample } = FastCheck.check(
    FastCheck.property(
      InstallationArbitrary.failure,
      InstallationArbitrary.updateInstallation,
      (error, request) => {
        if (error.status === undefined) return true
        return request.metadata === undefined || Object.keys(request.metadata).length === 0
      }
    ),
    { seed: 1 }
  )
  const [error, request] = counterexample ?? []
  expect(error).not.toHaveProperty("body")
  expect(error).not.toHaveProperty("requestId")
  expect(Object.values(request?.metadata ?? {})).toHaveLength(1)
  expect(request).not.toHaveProperty("errorCode")
})

describe("invalidUpdateInstallation", () => {
  const refusal = (request: UpdateInstallation) => {
    const { client, requests } = answering(() => installation())
    return Effect.map(Effect.flip(send(client, { request })), (error) => {
      expect(requests).toEqual([])
      return error
    })
  }

  it.effect.prop(
    "is refused by the client before it is sent, and says why",
    [InstallationArbitrary.invalidUpdateInstallation],
    ([request]) =>
      Effect.gen(function* () {
        const error = yield* refusal(request)
        expect(error._tag).toBe("BadRequest")
        expect(error).toHaveProperty("issues.0")
      })
  )

  it("is wrong in each of the fields, and in a field too many", () => {
    const places = sample(InstallationArbitrary.invalidUpdateInstallation).flatMap((request) => {
      const error = Effect.runSync(refusal(request))
      return "issues" in error ? (error.issues ?? []).map(({ path }) => String(path[0])) : []
    })
    const known = new Set(places.map((place) => (place.startsWith("x-") ? "another" : place)))
    expect(known).toEqual(new Set(["status", "errorCode", "metadata", "another"]))
  })
})

describe("installation", () => {
  const encode = Schema.encodeSync(Installation)
  const decode = Schema.decodeUnknownSync(Installation)

  it.prop("is the same after a way through JSON", [InstallationArbitrary.installation], ([installation]) => {
    expect(decode(JSON.parse(JSON.stringify(encode(installation))))).toEqual(installation)
  })

  it.prop(
    "was not updated before it was created",
    [InstallationArbitrary.installation],
    ([{ createdAt, updatedAt }]) => {
      expect(DateTime.lessThanOrEqualTo(createdAt, updatedAt)).toBe(true)
    }
  )

  it.effect.prop(
    "can be what a test begins with",
    [InstallationArbitrary.installation, InstallationArbitrary.updateInstallation],
    ([installation, request]) =>
      Effect.gen(function* () {
        const updated = yield* update(request)
        expect(updated).toMatchObject({ id: installation.id, ...request })
      }).pipe(Effect.provide(InstallationServiceTest.layerTest({ installation })))
  )

  it("has every status and error code that is known, some that are not, and sometimes no error code", () => {
    const installations = sample(InstallationArbitrary.installation)
    const statuses = new Set(installations.map(({ status }) => status))
    for (const status of InstallationStatus.literals) expect(statuses).toContain(status)
    expect(statuses.size).toBeGreaterThan(InstallationStatus.literals.length)
    const codes = new Set(installations.map(({ errorCode }) => errorCode))
    for (const code of [undefined, ...InstallationErrorCode.literals]) expect(codes).toContain(code)
    expect(codes.size).toBeGreaterThan(InstallationErrorCode.literals.length + 1)
  })
})

describe("failure", () => {
  it.prop(
    "is an error of an update, with a message of one line",
    [InstallationArbitrary.failure],
    ([error]) => {
      expect(isInstallationError(error)).toBe(true)
      expect(error.message).toMatch(/^[A-Z][^\n\r\u2028\u2029]+\.$/)
      expect(error.message.length).toBeLessThan(2000)
    }
  )

  const sourceOf = (error: InstallationError): InstallationError | undefined => {
    const retryAfter = error instanceof Infrastructure ? error.retryAfter : undefined
    if (error.status !== undefined) {
      const headers = {
        ...(error.requestId === undefined ? {} : { "x-request-id": error.requestId }),
        ...(retryAfter === undefined ? {} : { "retry-after": String(Duration.toSeconds(retryAfter)) })
      }
      const answer = { status: error.status, headers, body: new Uint8Array() }
      return fromStatus(answer, error.body ?? "", 0, (text) => text)
    }
    if (!(error instanceof Infrastructure)) return undefined
    const { code, phase, proxyStatus } = error
    if (phase === "Connection" && error.reason === "Transport")
      return fromFailure({ _tag: "Unsent", cause: { code }, proxyStatus })
    return code === undefined ? undefined : fromFailure({ _tag: "Broken", cause: { code } })
  }

  it.prop(
    "is what the client makes of such a response, or of no response with such a code",
    [InstallationArbitrary.failure.filter((error) => sourceOf(error) !== undefined)],
    ([error]) => {
      const isOfTokens =
        error._tag === "Infrastructure" && ["TokenEndpoint", "TokenStore"].includes(error.reason)
      // A success that is no installation is not known by its status.
      const isInvalidSuccess = error._tag === "Infrastructure" && error.issues !== undefined
      if (!isOfTokens && !isInvalidSuccess) expect(sourceOf(error)?.toJSON()).toEqual(error.toJSON())
    }
  )

  it("is of each tag and reason, retryable or not, applied or not", () => {
    const failures = sample(InstallationArbitrary.failure)
    const kinds = new Set(failures.map((error) => ("reason" in error ? error.reason : error._tag)))
    expect(kinds).toEqual(new Set(["BadRequest", ...unauthorizedReasons, ...infrastructureReasons]))
    const sides = failures.map(
      ({ isRetryable, mayHaveBeenApplied }) => `${isRetryable} ${mayHaveBeenApplied}`
    )
    expect(new Set(sides).size).toBe(4)
  })

  it.effect.prop(
    "is what an update fails with when it is injected",
    [InstallationArbitrary.failure, InstallationArbitrary.updateInstallation],
    ([error, request]) =>
      Effect.gen(function* () {
        expect(yield* Effect.flip(update(request))).toBe(error)
      }).pipe(Effect.provide(InstallationServiceTest.layerTest({ faults: [Fault.fail(error)] })))
  )
})
