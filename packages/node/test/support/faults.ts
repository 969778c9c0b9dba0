// What the tests of the fault matrix share: an update by each transport with each kind of credential, and what
// is expected after any fault: a typed failure that shows no secret, and a client as good as before.
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { expect, it } from "@effect/vitest"
import * as Credentials from "@effect-pleo/core/Credentials"
import * as FetchInstallationService from "@effect-pleo/core/FetchInstallationService"
import type { Installation, UpdateInstallation } from "@effect-pleo/core/Installation"
import * as InstallationClient from "@effect-pleo/core/InstallationClient"
import { type InstallationError, isInstallationError } from "@effect-pleo/core/InstallationError"
import { InstallationService } from "@effect-pleo/core/InstallationService"
import * as RetryPolicy from "@effect-pleo/core/RetryPolicy"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as NodeHttpClient from "../../src/NodeHttpClient.ts"
import * as NodeInstallationService from "../../src/NodeInstallationService.ts"
import * as RawServer from "./rawServer.ts"
import { probesThatFind } from "./secrets.ts"

/** What stands in the metadata of each update, and has no place in a failure. */
export const metadataCanary = "canary-of-the-metadata-7e5d3c1b"

export const request: UpdateInstallation = { status: "ACTIVATED", metadata: { note: metadataCanary } }

const secret = "canary-0f9d8c7b6a5e4d3c"

export const bearer = {
  scheme: "Bearer",
  authorization: `Bearer ${secret}`,
  credentials: Credentials.bearer(Redacted.make(secret)),
  secrets: [secret, metadataCanary]
} as const

const encodedKey = Buffer.from(`${secret}:`).toString("base64")

export const apiKey = {
  scheme: "Basic",
  authorization: `Basic ${encodedKey}`,
  credentials: Credentials.apiKey(Redacted.make(secret)),
  secrets: [secret, encodedKey, encodedKey.replaceAll("=", ""), metadataCanary]
} as const

export interface Side {
  /** The `HttpClient`s are beneath `InstallationClient`. */
  readonly transport: "node" | "fetch" | "NodeHttpClient" | "FetchHttpClient"
  readonly credential: typeof bearer | typeof apiKey
}

export const overNode: ReadonlyArray<Side> = [
  { transport: "node", credential: bearer },
  { transport: "node", credential: apiKey }
]

/** The same, and with an `HttpClient` between. */
export const overNodeAndClient: ReadonlyArray<Side> = [
  ...overNode,
  { transport: "NodeHttpClient", credential: bearer }
]

export const overBoth: ReadonlyArray<Side> = [
  ...overNode,
  { transport: "fetch", credential: bearer },
  { transport: "FetchHttpClient", credential: apiKey }
]

export type Update = InstallationService["Type"]["update"]

/** `update` of a client that lives as long as the scope. */
export const open = (
  { credential: { credentials }, transport }: Side,
  server: string,
  options: NodeHttpClient.Options = {}
): Effect.Effect<Update, InstallationError, Scope.Scope> =>
  Effect.map(
    Layer.build(
      transport === "node"
        ? NodeInstallationService.layer({ server, credentials, ...options })
        : transport === "fetch"
          ? FetchInstallationService.layer({ server, credentials })
          : Layer.provide(
              InstallationClient.layer({ server, credentials }),
              transport === "NodeHttpClient" ? NodeHttpClient.layer(options) : FetchHttpClient.layer
            )
    ),
    (context) => Context.get(context, InstallationService).update
  )

/** The same over this package's transport, with a bearer token. */
export const openNode = (server: string, options?: NodeHttpClient.Options) =>
  open({ transport: "node", credential: bearer }, server, options)

/** Runs an update as one of many customers: updates of the same one wait for each other. */
export const as = (customer: number | string) =>
  Credentials.use(Credentials.bearer(Redacted.make(`token-of-customer-${customer}`)))

/** The typed failure of an effect. A success or a defect fails the test. */
export const failureOf = <A, R>(
  self: Effect.Effect<A, InstallationError, R>
): Effect.Effect<InstallationError, never, R> =>
  Effect.map(Effect.exit(self), (exit) => {
    const failure = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined
    if (failure === undefined || !isInstallationError(failure)) throw new Error(`not a failure: ${exit}`)
    return failure
  })

export interface Expected {
  readonly _tag: InstallationError["_tag"]
  readonly reason?: string
  readonly status?: number
  readonly isRetryable: boolean
  readonly mayHaveBeenApplied: boolean
  /** Default: any, or none. */
  readonly code?: unknown
  readonly phase?: string
  readonly proxyStatus?: number
  readonly retryAfter?: Duration.Duration
  readonly issues?: unknown
  readonly body?: unknown
  readonly requestId?: string
  /** Default: any, except with a token store. */
  readonly server?: undefined
  /** How many there were, if more than one. */
  readonly attempts?: number
}

/** That a failure has these facts, no others, and shows none of the secrets. */
export const expectFailure = (
  failure: InstallationError,
  expected: Expected,
  secrets: ReadonlyArray<string> = bearer.secrets
): void => {
  // Of a response that is described here by its `body`.
  const { detail: _, retried, ...fields } = failure
  const facts = {
    ...fields,
    attempts: retried?.attempts,
    _tag: failure._tag,
    isRetryable: failure.isRetryable,
    mayHaveBeenApplied: failure.mayHaveBeenApplied
  }
  const tenant = failure.tenant
  const code = "code" in failure ? failure.code : undefined
  const server = expected.reason === "TokenStore" ? undefined : expect.any(String)
  expect(facts).toEqual({ code, server, tenant, ...expected })
  expect(probesThatFind(secrets, failure)).toEqual([])
}

export const refused = { isRetryable: false, mayHaveBeenApplied: false } as const
export const lost = {
  _tag: "Infrastructure",
  reason: "Transport",
  isRetryable: true,
  mayHaveBeenApplied: true
} as const
export const unsent = { ...lost, phase: "Connection", mayHaveBeenApplied: false } as const
export const late = { ...lost, reason: "Timeout" } as const
export const serverError = {
  _tag: "Infrastructure",
  reason: "ServerError",
  mayHaveBeenApplied: true
} as const
export const incomprehensible = {
  _tag: "Infrastructure",
  reason: "InvalidResponse",
  isRetryable: false,
  mayHaveBeenApplied: true
} as const

/** A response that holds no installation, and why. */
export const notAnInstallation = (message: string, ...path: ReadonlyArray<string | number>) =>
  ({ ...incomprehensible, status: 200, issues: [{ path, message }] }) as const

export const ok: RawServer.Handler = RawServer.send(RawServer.updated)

/** Quotes the credential in the body, as a proxy's page for developers might. */
export const quoting =
  (status: number | string, headers?: Record<string, string>): RawServer.Handler =>
  (request, socket) => {
    socket.write(RawServer.respond(status, headers, `You sent ${RawServer.authorizationsOf(request)}.`))
  }

export const quoted: unknown = expect.stringMatching(/^You sent (Bearer|Basic) <redacted>\.$/)

/** An installation in JSON, with these fields in place of its own. */
export const answer = (fields: object = {}, headers?: Record<string, string>): RawServer.Handler =>
  RawServer.send(RawServer.respond(200, headers, JSON.stringify({ ...RawServer.installation, ...fields })))

export const answerText = (body: string | Uint8Array, headers?: Record<string, string>): RawServer.Handler =>
  RawServer.send(RawServer.respond(200, headers, body))

export interface Options {
  /** Default: both transports, with both kinds of credential. */
  readonly sides?: ReadonlyArray<Side>
  /** Default: no timeout around the first update, and the policy's own later. */
  readonly attemptTimeout?: Duration.DurationInput
  /** Whether `RetryPolicy.retry` tries again. Default: whether the failure is retryable. */
  readonly isRetried?: boolean
  /** Whether the socket must not be used again. Default: it does not matter. */
  readonly closesSocket?: boolean
}

const meet = (side: Side, fault: RawServer.Handler, expected: Expected, options: Options) =>
  Effect.gen(function* () {
    const server = yield* RawServer.make(RawServer.inTurn(fault, ok, fault, ok))
    const { attemptTimeout } = options
    const once =
      attemptTimeout === undefined ? <A>(self: A) => self : RetryPolicy.retry({ attempts: 1, attemptTimeout })
    yield* Effect.gen(function* () {
      const update = yield* open(side, server.url)
      expectFailure(yield* failureOf(once(update(request))), expected, side.credential.secrets)
      expect(server.requests).toHaveLength(1)
      expect((yield* update(request)).id).toBe(RawServer.installation.id)
      expect(server.requests).toHaveLength(2)
      if (options.closesSocket) expect(server.requests.map(({ connection }) => connection)).toEqual([0, 1])
      // The same fault once more, to see what the policy makes of it.
      const insistent = update(request).pipe(
        RetryPolicy.retry({ baseDelay: 1, maxDelay: "1 second", attemptTimeout })
      )
      if (options.isRetried ?? expected.isRetryable) {
        expect((yield* insistent).id).toBe(RawServer.installation.id)
        expect(server.requests).toHaveLength(4)
      } else {
        expectFailure(yield* failureOf(insistent), expected, side.credential.secrets)
        expect(server.requests).toHaveLength(3)
      }
    }).pipe(Effect.scoped)
    // Those of fetch are the process's own, and outlive the client.
    if (side.transport === "node") yield* server.until(({ sockets }) => sockets.open === 0)
  })

const titled = (title: string, { credential, transport }: Side) =>
  `${title} (${transport}, ${credential.scheme})`

/**
 * Tests on each side that a response makes an update fail as expected, without a secret, after one request; that
 * the next update works; that the policy tries again or does not; and that no socket is left.
 */
export const fails = (
  title: string,
  fault: RawServer.Handler,
  expected: Expected,
  options: Options = {}
): void => {
  for (const side of options.sides ?? overBoth)
    it.scopedLive(titled(title, side), () => meet(side, fault, expected, options))
}

/** Tests on each side that a response makes an update succeed, after one request, and so the next update. */
export const succeeds = (
  title: string,
  handler: RawServer.Handler,
  check: (installation: Installation) => void = () => {},
  options: Pick<Options, "sides"> = {}
): void => {
  for (const side of options.sides ?? overBoth)
    it.scopedLive(titled(title, side), () =>
      Effect.gen(function* () {
        const server = yield* RawServer.make(RawServer.inTurn(handler, ok))
        const update = yield* open(side, server.url)
        const installation = yield* update(request)
        expect(installation.id).toBe(RawServer.installation.id)
        check(installation)
        expect(server.requests).toHaveLength(1)
        yield* update(request)
        expect(server.requests).toHaveLength(2)
      })
    )
}

/** Tests something on each side. */
export const onEachSide = <E>(
  title: string,
  test: (side: Side) => Effect.Effect<void, E, Scope.Scope>,
  sides: ReadonlyArray<Side> = overBoth
): void => {
  for (const side of sides) it.scopedLive(titled(title, side), () => test(side))
}
