/**
 * Generators for property-based tests: arbitraries of fast-check, for `it.prop` and `it.effect.prop` of @effect/vitest,
 * and for `effect/FastCheck`.
 *
 * @since 0.1.0
 * @module
 */

import {
  Installation,
  InstallationErrorCode,
  InstallationStatus,
  UpdateInstallation
} from "@effect-pleo/core/Installation"
import {
  BadRequest,
  Infrastructure,
  type InstallationError,
  type Issue,
  Unauthorized
} from "@effect-pleo/core/InstallationError"
import * as Arbitrary from "effect/Arbitrary"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as FastCheck from "effect/FastCheck"

// The deepest metadata that an update may have.
const maxDepth = 128

// A value after JSON: no -0, no `undefined`, no objects without a prototype.
const asJson = <A>(value: A): A => JSON.parse(JSON.stringify(value))

/** An object with some of these fields, and with all that are required. */
const some = <A extends object>(fields: { readonly [K in keyof A]: FastCheck.Arbitrary<A[K]> }) =>
  FastCheck.record(fields, { requiredKeys: [] }) as FastCheck.Arbitrary<Partial<A>>

/**
 * Requests that the contract knows, as plain objects that JSON does not change.
 *
 * @example
 * ```ts
 * const [request] = FastCheck.sample(InstallationArbitrary.updateInstallation, 1)
 * ```
 *
 * @since 0.1.0
 * @category arbitraries
 */
export const updateInstallation: FastCheck.Arbitrary<UpdateInstallation> =
  Arbitrary.make(UpdateInstallation).map(asJson)

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

const unknownName = FastCheck.string().filter(
  (name) =>
    !([...InstallationStatus.literals, ...InstallationErrorCode.literals] as Array<string>).includes(name)
)

/**
 * Requests that are refused with `BadRequest` before they are sent: without a status or with an unknown one, with an
 * unknown error code or field, or with metadata that JSON cannot hold. They have the type of a request, as a cast or
 * `JSON.parse` gives it.
 *
 * @example
 * ```ts
 * const requests = FastCheck.sample(InstallationArbitrary.invalidUpdateInstallation, 10)
 * ```
 *
 * @since 0.1.0
 * @category arbitraries
 */
export const invalidUpdateInstallation: FastCheck.Arbitrary<UpdateInstallation> = FastCheck.oneof(
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

/**
 * Installations as Pleo may respond with: some have a status or an error code that this version does not know.
 *
 * @example
 * ```ts
 * const layers = InstallationArbitrary.installation.map((installation) =>
 *   InstallationServiceTest.layerTest({ installation })
 * )
 * ```
 *
 * @since 0.1.0
 * @category arbitraries
 */
export const installation: FastCheck.Arbitrary<Installation> = FastCheck.tuple(
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

// In the client's own words: each is one line.
const message = FastCheck.constantFrom(
  "is missing",
  "is not part of the contract",
  "expected a finite number",
  "expected a UUID",
  "expected an RFC 3339 date-time"
)

const issuesAt = (path: FastCheck.Arbitrary<Issue["path"]>) =>
  FastCheck.array(FastCheck.record({ path, message }, { noNullPrototype: true }), {
    minLength: 1,
    maxLength: 3
  })

const requestPath = FastCheck.oneof(
  FastCheck.constantFrom(["status"], ["errorCode"]),
  FastCheck.array(FastCheck.oneof(FastCheck.string(), FastCheck.nat(9)), { maxLength: 3 }).map((path) => [
    "metadata",
    ...path
  ])
)

const credentialPath = FastCheck.constantFrom(["accessToken"], ["apiKey"], ["tenant"])

const responsePath = FastCheck.constantFrom(
  [],
  ["id"],
  ["applicationId"],
  ["resource"],
  ["createdAt"],
  ["metadata"]
)

const quoted = FastCheck.tuple(
  FastCheck.constantFrom(
    {},
    { body: "<html>no such app</html>" },
    { body: "no such app", detail: "no such app" },
    { body: '{"message":"no such app"}', detail: "no such app" }
  ),
  some({ requestId: FastCheck.uuid() })
).map(([reason, requestId]) => ({ ...reason, ...requestId }))

/** The fields of an error after a response of this status. */
const responded = (status: FastCheck.Arbitrary<number>) =>
  FastCheck.tuple(status, quoted).map(([status, quoted]) => ({ status, ...quoted }))

const withRetryAfter = <A>(fields: FastCheck.Arbitrary<A>) =>
  FastCheck.tuple(fields, some({ retryAfter: FastCheck.nat(3600).map(Duration.seconds) })).map(
    ([fields, retryAfter]) => ({ ...fields, ...retryAfter })
  )

const nothing = FastCheck.constant({})

const coded = (...codes: ReadonlyArray<string>) =>
  FastCheck.record({ code: FastCheck.constantFrom(...codes) }, { noNullPrototype: true })

const notConnected = FastCheck.oneof(
  coded("ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "ECONNRESET", "UND_ERR_CONNECT_TIMEOUT"),
  coded("DEPTH_ZERO_SELF_SIGNED_CERT", "CERT_HAS_EXPIRED", "ERR_TLS_CERT_ALTNAME_INVALID", "UND_ERR_CLOSED"),
  FastCheck.record({ proxyStatus: FastCheck.constantFrom(403, 407, 502, 503) }, { noNullPrototype: true })
)

/** Failed before it was sent. */
const phased = <A>(
  fields: FastCheck.Arbitrary<A>,
  ...phases: ReadonlyArray<NonNullable<Infrastructure["phase"]>>
) =>
  FastCheck.tuple(fields, FastCheck.constantFrom(...phases)).map(([fields, phase]) => ({ ...fields, phase }))

const badRequest: FastCheck.Arbitrary<BadRequest> = FastCheck.oneof(
  FastCheck.record({ issues: issuesAt(requestPath) }, { noNullPrototype: true }),
  responded(
    FastCheck.oneof(
      FastCheck.constantFrom(400, 404, 422),
      FastCheck.integer({ min: 400, max: 499 }).filter((status) => ![401, 403, 408, 429].includes(status))
    )
  )
).map((fields) => new BadRequest(fields))

const unauthorized: FastCheck.Arbitrary<Unauthorized> = FastCheck.oneof(
  responded(FastCheck.constant(401)).map(
    (fields) => new Unauthorized({ reason: "Unauthenticated", ...fields })
  ),
  issuesAt(credentialPath).map((issues) => new Unauthorized({ reason: "Unauthenticated", issues })),
  responded(FastCheck.constant(403)).map((fields) => new Unauthorized({ reason: "Forbidden", ...fields })),
  FastCheck.constant(
    'no tokens are stored under client ID "my-app" and token endpoint https://auth.pleo.io/oauth/token'
  ).map((message) => new Unauthorized({ reason: "NotConnected", issues: [{ path: [], message }] })),
  FastCheck.constantFrom(
    "the refresh token was sent, but no response arrived",
    "the authorization server rejected the refresh token"
  ).map((message) => new Unauthorized({ reason: "ReauthorizationRequired", issues: [{ path: [], message }] }))
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
    withRetryAfter(responded(FastCheck.constant(408)))
  ),
  RateLimited: withRetryAfter(responded(FastCheck.constant(429))),
  ServerError: withRetryAfter(
    responded(
      FastCheck.oneof(FastCheck.constantFrom(500, 502, 503, 504), FastCheck.integer({ min: 500, max: 999 }))
    )
  ),
  InvalidResponse: FastCheck.oneof(
    coded("HPE_INVALID_CONSTANT", "UND_ERR_HEADERS_OVERFLOW", "UND_ERR_RES_EXCEEDED_MAX_SIZE"),
    FastCheck.tuple(responded(FastCheck.constantFrom(200, 201, 204)), issuesAt(responsePath)).map(
      ([response, issues]) => ({ ...response, issues })
    )
  ),
  Redirect: withRetryAfter(responded(FastCheck.constantFrom(0, 301, 302, 303, 304, 307, 308))),
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

const infrastructure: FastCheck.Arbitrary<Infrastructure> = FastCheck.oneof(
  ...Object.entries(fieldsOf()).map(([reason, fields]) =>
    fields.map((fields) => new Infrastructure({ reason: reason as Infrastructure["reason"], ...fields }))
  )
)

/**
 * Every error that an update can fail with, with fields as they occur together.
 *
 * @example
 * ```ts
 * const faults = InstallationArbitrary.failure.map((error) => Fault.fail(error))
 * ```
 *
 * @since 0.1.0
 * @category arbitraries
 */
export const failure: FastCheck.Arbitrary<InstallationError> = FastCheck.oneof(
  badRequest,
  unauthorized,
  infrastructure
)
