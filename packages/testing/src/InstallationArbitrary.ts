/**
 * Generators for property-based tests of the applications that use `InstallationService`: requests,
 * installations, and the failures of updates, with fields as they really occur together. They are arbitraries
 * of fast-check, as `effect/FastCheck` has it: for `it.prop` and `it.effect.prop` of @effect/vitest, and for
 * fast-check itself.
 *
 * @module
 * @since 0.1.0
 */

import { Installation, InstallationErrorCode, InstallationStatus } from "@effect-pleo/core/Installation"
import {
  BadRequest,
  Infrastructure,
  type InstallationError,
  type Issue,
  Unauthorized
} from "@effect-pleo/core/InstallationError"
import { maxDepth } from "@effect-pleo/core/Metadata"
import { UpdateInstallation } from "@effect-pleo/core/UpdateInstallation"
import * as Arbitrary from "effect/Arbitrary"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as FastCheck from "effect/FastCheck"

/** Made when it is first used: the barrel that names this module is imported by applications too. */
class Lazy<A> extends FastCheck.Arbitrary<A> {
  readonly #make: () => FastCheck.Arbitrary<A>
  #made: FastCheck.Arbitrary<A> | undefined

  constructor(make: () => FastCheck.Arbitrary<A>) {
    super()
    this.#make = make
  }

  get #arbitrary(): FastCheck.Arbitrary<A> {
    this.#made ??= this.#make()
    return this.#made
  }

  override generate(random: FastCheck.Random, bias: number | undefined): FastCheck.Value<A> {
    return this.#arbitrary.generate(random, bias)
  }

  override canShrinkWithoutContext(value: unknown): value is A {
    return this.#arbitrary.canShrinkWithoutContext(value)
  }

  override shrink(value: A, context: unknown): FastCheck.Stream<FastCheck.Value<A>> {
    return this.#arbitrary.shrink(value, context)
  }
}

const lazy = <A>(make: () => FastCheck.Arbitrary<A>): FastCheck.Arbitrary<A> => new Lazy(make)

// What JSON makes of a value: no -0, no `undefined`, no objects without a prototype.
const asJson = <A>(value: A): A => JSON.parse(JSON.stringify(value))

/** An object with some of these fields, and with all that are required. */
const some = <A extends object>(fields: { readonly [K in keyof A]: FastCheck.Arbitrary<A[K]> }) =>
  FastCheck.record(fields, { requiredKeys: [] }) as FastCheck.Arbitrary<Partial<A>>

/**
 * Requests that the contract knows, as plain objects that are the same after a way through JSON.
 *
 * @example
 * ```ts
 * import { InstallationService } from "@effect-pleo/core"
 * import { InstallationArbitrary, InstallationServiceTest } from "@effect-pleo/testing"
 * import * as Effect from "effect/Effect"
 * import * as FastCheck from "effect/FastCheck"
 * import * as assert from "node:assert/strict"
 *
 * // Whatever is sent is received.
 * await FastCheck.assert(
 *   FastCheck.asyncProperty(InstallationArbitrary.updateInstallation, (request) =>
 *     Effect.gen(function* () {
 *       yield* InstallationService.update(request)
 *       const test = yield* InstallationServiceTest.InstallationServiceTest
 *       assert.deepEqual(yield* test.requests, [request])
 *     }).pipe(Effect.provide(InstallationServiceTest.layerTest()), Effect.runPromise)
 *   )
 * )
 * ```
 *
 * @since 0.1.0
 * @category arbitraries
 */
export const updateInstallation: FastCheck.Arbitrary<UpdateInstallation> = lazy(() =>
  Arbitrary.make(UpdateInstallation).map(asJson)
)

const nested = (levels: number): object => (levels === 1 ? {} : { a: nested(levels - 1) })

const circular = (): object => {
  const list: Array<unknown> = []
  list.push(list)
  return list
}

const change = (fields: Readonly<Record<string, FastCheck.Arbitrary<unknown>>>) =>
  FastCheck.tuple(updateInstallation, FastCheck.record(fields, { noNullPrototype: true })).map(
    ([request, changes]): object => ({ ...request, ...changes })
  )

const unknownName = lazy(() =>
  FastCheck.string().filter(
    (name) =>
      !([...InstallationStatus.literals, ...InstallationErrorCode.literals] as Array<string>).includes(name)
  )
)

/**
 * Requests that are refused with `BadRequest` before anything is sent: without a status or with one that is
 * unknown, with an unknown error code, with a field too many, or with metadata that JSON cannot hold. They
 * have the type of a request, as what comes from `JSON.parse` or out of a cast may have.
 *
 * @example
 * ```ts
 * import { InstallationService } from "@effect-pleo/core"
 * import { InstallationArbitrary, InstallationServiceTest } from "@effect-pleo/testing"
 * import * as Effect from "effect/Effect"
 * import * as FastCheck from "effect/FastCheck"
 * import * as assert from "node:assert/strict"
 *
 * await FastCheck.assert(
 *   FastCheck.asyncProperty(InstallationArbitrary.invalidUpdateInstallation, async (request) => {
 *     const error = await InstallationService.update(request).pipe(
 *       Effect.flip,
 *       Effect.provide(InstallationServiceTest.layerTest()),
 *       Effect.runPromise
 *     )
 *     assert.equal(error._tag, "BadRequest")
 *   })
 * )
 * ```
 *
 * @since 0.1.0
 * @category arbitraries
 */
export const invalidUpdateInstallation: FastCheck.Arbitrary<UpdateInstallation> = lazy(
  () =>
    FastCheck.oneof(
      updateInstallation.map(({ status: _, ...others }) => others),
      change({ status: unknownName }),
      change({ errorCode: unknownName }),
      FastCheck.tuple(updateInstallation, FastCheck.string({ minLength: 1 })).map(([request, name]) => ({
        ...request,
        [`x-${name}`]: true
      })),
      change({
        metadata: FastCheck.oneof(
          FastCheck.constantFrom(null, "text", 1, []),
          FastCheck.constantFrom(
            Number.NaN,
            Number.POSITIVE_INFINITY,
            undefined,
            1n,
            new Date(0),
            circular(),
            nested(maxDepth)
          ).map((value) => ({ value }))
        )
      })
    ) as FastCheck.Arbitrary<UpdateInstallation>
)

/**
 * Installations as Pleo may answer: now and then with a status or an error code that this version does not
 * know.
 *
 * @example
 * ```ts
 * import { Installation } from "@effect-pleo/core"
 * import { InstallationArbitrary } from "@effect-pleo/testing"
 * import * as FastCheck from "effect/FastCheck"
 * import * as Schema from "effect/Schema"
 * import * as assert from "node:assert/strict"
 *
 * const encode = Schema.encodeSync(Installation.Installation)
 * const decode = Schema.decodeSync(Installation.Installation)
 *
 * FastCheck.assert(
 *   FastCheck.property(InstallationArbitrary.installation, (installation) => {
 *     assert.deepEqual(encode(decode(encode(installation))), encode(installation))
 *   })
 * )
 * ```
 *
 * @since 0.1.0
 * @category arbitraries
 */
export const installation: FastCheck.Arbitrary<Installation> = lazy(() =>
  FastCheck.tuple(
    Arbitrary.make(Installation),
    some({
      status: Arbitrary.make(InstallationStatus),
      errorCode: Arbitrary.make(InstallationErrorCode)
    }),
    FastCheck.uuid()
  ).map(([any, known, company]) => ({
    ...any,
    ...known,
    resource: `urn:pleo:company:${company}`,
    metadata: asJson(any.metadata),
    createdAt: DateTime.min(any.createdAt, any.updatedAt),
    updatedAt: DateTime.max(any.createdAt, any.updatedAt)
  }))
)

// In the client's own words: each is one line.
const message = lazy(() =>
  FastCheck.constantFrom(
    "is missing",
    "is not part of the contract",
    "expected a finite number",
    "expected a UUID",
    "expected an RFC 3339 date-time"
  )
)

const issuesAt = (path: FastCheck.Arbitrary<Issue["path"]>) =>
  FastCheck.array(FastCheck.record({ path, message }, { noNullPrototype: true }), {
    minLength: 1,
    maxLength: 3
  })

const requestPath = lazy(() =>
  FastCheck.oneof(
    FastCheck.constantFrom(["status"], ["errorCode"]),
    FastCheck.array(FastCheck.oneof(FastCheck.string(), FastCheck.nat(9)), { maxLength: 3 }).map((path) => [
      "metadata",
      ...path
    ])
  )
)

const credentialPath = lazy(() => FastCheck.constantFrom(["accessToken"], ["apiKey"], ["tenant"]))

const answerPath = lazy(() =>
  FastCheck.constantFrom([], ["id"], ["applicationId"], ["resource"], ["createdAt"], ["metadata"])
)

const quoted = lazy(() =>
  some({
    body: FastCheck.string({ minLength: 1, maxLength: 200 }),
    requestId: FastCheck.uuid()
  })
)

/** What an answer of this status leaves in an error. */
const answered = (status: FastCheck.Arbitrary<number>) =>
  FastCheck.tuple(status, quoted).map(([status, quoted]) => ({ status, ...quoted }))

const withRetryAfter = <A>(fields: FastCheck.Arbitrary<A>) =>
  FastCheck.tuple(fields, some({ retryAfter: FastCheck.nat(3600).map(Duration.seconds) })).map(
    ([fields, retryAfter]) => ({ ...fields, ...retryAfter })
  )

const nothing = lazy(() => FastCheck.constant({}))

const coded = (...codes: ReadonlyArray<string>) =>
  FastCheck.record({ code: FastCheck.constantFrom(...codes) }, { noNullPrototype: true })

const notConnected = lazy(() =>
  FastCheck.oneof(
    coded("ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "ECONNRESET", "UND_ERR_CONNECT_TIMEOUT"),
    coded(
      "DEPTH_ZERO_SELF_SIGNED_CERT",
      "CERT_HAS_EXPIRED",
      "ERR_TLS_CERT_ALTNAME_INVALID",
      "UND_ERR_CLOSED"
    ),
    FastCheck.record({ proxyStatus: FastCheck.constantFrom(403, 407, 502, 503) }, { noNullPrototype: true })
  )
)

/** Failed before it was sent. */
const phased = <A>(
  fields: FastCheck.Arbitrary<A>,
  ...phases: ReadonlyArray<NonNullable<Infrastructure["phase"]>>
) =>
  FastCheck.tuple(fields, FastCheck.constantFrom(...phases)).map(([fields, phase]) => ({ ...fields, phase }))

/**
 * `BadRequest`: refused here, with the issues and without a status, or by Pleo, with a status of 4xx.
 *
 * @example
 * ```ts
 * import { InstallationArbitrary } from "@effect-pleo/testing"
 * import * as FastCheck from "effect/FastCheck"
 * import * as assert from "node:assert/strict"
 *
 * FastCheck.assert(
 *   FastCheck.property(InstallationArbitrary.badRequest, (error) => {
 *     assert.equal(error.isRetryable, false)
 *     assert.equal(error.status === undefined, error.issues !== undefined)
 *   })
 * )
 * ```
 *
 * @since 0.1.0
 * @category arbitraries
 */
export const badRequest: FastCheck.Arbitrary<BadRequest> = lazy(() =>
  FastCheck.oneof(
    FastCheck.record({ issues: issuesAt(requestPath) }, { noNullPrototype: true }),
    answered(
      FastCheck.oneof(
        FastCheck.constantFrom(400, 404, 422),
        FastCheck.integer({ min: 400, max: 499 }).filter((status) => ![401, 403, 408, 429].includes(status))
      )
    )
  ).map((fields) => new BadRequest(fields))
)

/**
 * `Unauthorized`, of each reason: with a status where Pleo said so, and with the issues where it was known
 * here.
 *
 * @example
 * ```ts
 * import { InstallationArbitrary } from "@effect-pleo/testing"
 * import * as FastCheck from "effect/FastCheck"
 * import * as assert from "node:assert/strict"
 *
 * FastCheck.assert(
 *   FastCheck.property(InstallationArbitrary.unauthorized, (error) => {
 *     assert.equal(error.reason === "Forbidden", error.status === 403)
 *   })
 * )
 * ```
 *
 * @since 0.1.0
 * @category arbitraries
 */
export const unauthorized: FastCheck.Arbitrary<Unauthorized> = lazy(() =>
  FastCheck.oneof(
    answered(FastCheck.constant(401)).map(
      (fields) => new Unauthorized({ reason: "Unauthenticated", ...fields })
    ),
    issuesAt(credentialPath).map((issues) => new Unauthorized({ reason: "Unauthenticated", issues })),
    answered(FastCheck.constant(403)).map((fields) => new Unauthorized({ reason: "Forbidden", ...fields })),
    FastCheck.constantFrom(
      "no tokens are stored",
      "the refresh token was sent and no answer came",
      "the authorisation server refused the refresh token"
    ).map(
      (message) => new Unauthorized({ reason: "ReauthorizationRequired", issues: [{ path: [], message }] })
    )
  )
)

// As an object, so that the compiler knows when one is missing.
const fieldsOf = (): {
  readonly [R in Infrastructure["reason"]]: FastCheck.Arbitrary<
    Omit<ConstructorParameters<typeof Infrastructure>[0], "reason">
  >
} => ({
  Transport: FastCheck.oneof(
    nothing,
    phased(notConnected, "Connection"),
    coded("ECONNRESET", "EPIPE", "ETIMEDOUT", "UND_ERR_SOCKET", "UND_ERR_DESTROYED")
  ),
  Timeout: FastCheck.oneof(
    nothing,
    phased(nothing, "Queue", "AccessToken", "Connection"),
    coded("UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT"),
    withRetryAfter(answered(FastCheck.constant(408)))
  ),
  RateLimited: withRetryAfter(answered(FastCheck.constant(429))),
  ServerError: withRetryAfter(
    answered(
      FastCheck.oneof(FastCheck.constantFrom(500, 502, 503, 504), FastCheck.integer({ min: 500, max: 999 }))
    )
  ),
  InvalidResponse: FastCheck.oneof(
    coded("HPE_INVALID_CONSTANT", "UND_ERR_HEADERS_OVERFLOW", "UND_ERR_RES_EXCEEDED_MAX_SIZE"),
    FastCheck.tuple(answered(FastCheck.constantFrom(200, 201, 204)), issuesAt(answerPath)).map(
      ([answer, issues]) => ({ ...answer, issues })
    )
  ),
  Redirect: withRetryAfter(answered(FastCheck.constantFrom(0, 301, 302, 303, 304, 307, 308))),
  Superseded: nothing,
  TokenEndpoint: FastCheck.oneof(
    notConnected,
    withRetryAfter(
      FastCheck.record(
        { status: FastCheck.constantFrom(400, 404, 408, 429, 500, 503) },
        { noNullPrototype: true }
      )
    )
  ),
  TokenStore: FastCheck.oneof(nothing, coded("ECONNREFUSED", "TIMEOUT", "DEFECT"))
})

/**
 * `Infrastructure`, of each reason, with the fields that it has: a status where there was an answer, a code
 * where there was none, `retryAfter` where the server may have asked for it.
 *
 * @example
 * ```ts
 * import { InstallationArbitrary } from "@effect-pleo/testing"
 * import * as FastCheck from "effect/FastCheck"
 * import * as assert from "node:assert/strict"
 *
 * // What is worth another try.
 * const retryable = InstallationArbitrary.infrastructure.filter((error) => error.isRetryable)
 *
 * FastCheck.assert(
 *   FastCheck.property(retryable, ({ reason }) => {
 *     assert.notEqual(reason, "Redirect")
 *   })
 * )
 * ```
 *
 * @since 0.1.0
 * @category arbitraries
 */
export const infrastructure: FastCheck.Arbitrary<Infrastructure> = lazy(() =>
  FastCheck.oneof(
    ...Object.entries(fieldsOf()).map(([reason, fields]) =>
      fields.map((fields) => new Infrastructure({ reason: reason as Infrastructure["reason"], ...fields }))
    )
  )
)

/**
 * Everything an update can fail with.
 *
 * @example
 * ```ts
 * import { InstallationService } from "@effect-pleo/core"
 * import { InstallationArbitrary, InstallationServiceTest } from "@effect-pleo/testing"
 * import * as Effect from "effect/Effect"
 * import * as FastCheck from "effect/FastCheck"
 * import * as assert from "node:assert/strict"
 *
 * // Whatever goes wrong, the application under test hears of it.
 * await FastCheck.assert(
 *   FastCheck.asyncProperty(InstallationArbitrary.failure, async (failure) => {
 *     const script = [InstallationServiceTest.fail(failure)]
 *     const error = await InstallationService.update({ status: "ACTIVATED" }).pipe(
 *       Effect.flip,
 *       Effect.provide(InstallationServiceTest.layerTest({ script })),
 *       Effect.runPromise
 *     )
 *     assert.equal(error, failure)
 *   })
 * )
 * ```
 *
 * @since 0.1.0
 * @category arbitraries
 */
export const failure: FastCheck.Arbitrary<InstallationError> = lazy(() =>
  FastCheck.oneof(badRequest, unauthorized, infrastructure)
)
