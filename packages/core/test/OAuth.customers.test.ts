import type { HttpClientRequest } from "@effect/platform/HttpClientRequest"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/TestClock"
import * as Credentials from "../src/Credentials.ts"
import { monotonic } from "../src/internal/http/deadline.ts"
import { Sessions } from "../src/internal/oauth/sessions.ts"
import * as OAuth from "../src/OAuth.ts"
import * as RetryPolicy from "../src/RetryPolicy.ts"
import * as FakeOAuth from "./support/fakeOAuth.ts"
import { activated, authorizationOf, bodyOf } from "./support/http.ts"
import { privateSize } from "./support/inspect.ts"
import { leaks } from "./support/probes.ts"
import { recordingTracer } from "./support/tracer.ts"

/** Two customers of one layer, of whom the other's tokens are good for a day. */
const two = (...[expiresIn, options]: Parameters<typeof FakeOAuth.setUp>) =>
  Effect.gen(function* () {
    const customer = yield* FakeOAuth.setUp(expiresIn, options)
    const { server, shelf, update } = customer
    yield* FakeOAuth.storeTokens(shelf.store, server.authorize("other"), "1 day")
    return { ...customer, ofOther: Credentials.use(update(activated), OAuth.tenant("other")) }
  })

describe("a customer who is idle", () => {
  it.scoped("is let go after 10 minutes, when another is served, and is loaded again from the store", () =>
    Effect.gen(function* () {
      const { ofOther, server, shelf, update } = yield* two("1 day")
      yield* update(activated)
      yield* ofOther
      const { loads } = shelf
      yield* TestClock.adjust("599999 millis")
      yield* ofOther
      yield* update(activated)
      expect(shelf.loads).toBe(loads)
      yield* TestClock.adjust("10 minutes")
      yield* ofOther
      yield* ofOther
      expect(shelf.loads).toBe(loads)
      yield* update(activated)
      expect(shelf.loads).toBe(loads + 1)
      expect(server.updates.at(-1)).toBe("access-canary-1 200")
      expect(server.presented).toEqual([])
    })
  )

  it.scoped("is not let go while the tokens are renewed", () =>
    Effect.gen(function* () {
      const { ofOther, server, shelf, update } = yield* two(0, { timeout: "1 hour" })
      server.tokenFaults.push(FakeOAuth.slow("15 minutes"))
      const first = yield* Effect.fork(update(activated))
      yield* FakeOAuth.settled
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust("12 minutes")
      yield* ofOther
      const { loads } = shelf
      const second = yield* Effect.fork(update(activated))
      yield* TestClock.adjust("3 minutes")
      yield* Fiber.join(second)
      expect(shelf.loads).toBe(loads)
      expect(server.presented).toEqual(["refresh-canary-1"])
    })
  )

  it.scoped("is not let go while new tokens are not stored: nobody else has them", () =>
    Effect.gen(function* () {
      const { ofOther, server, shelf, update } = yield* two(0, { timeout: "1 second" })
      server.tokenFaults.push((answer) =>
        Effect.sync(() => {
          shelf.isReadOnly = true
          return answer()
        })
      )
      const fiber = yield* Effect.fork(update(activated))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      yield* ofOther
      yield* TestClock.adjust("11 minutes")
      yield* ofOther
      const later = yield* Effect.fork(update(activated))
      yield* FakeOAuth.settled
      expect(server.updates.at(-1)).toBe("access-canary-3 200")
      yield* Fiber.join(later)
      shelf.isReadOnly = false
      yield* TestClock.adjust("5 seconds")
      expect([...shelf.stored.values()].map(({ authorization }) => authorization._tag)).toEqual([
        "Active",
        "Active"
      ])
    })
  )

  it.effect("was not used recently, whatever the clock says", () =>
    Effect.gen(function* () {
      const sessions = new Sessions({
        clientId: FakeOAuth.clientId,
        clientSecret: Redacted.make(FakeOAuth.clientSecret),
        clientAuthentication: "client_secret_post",
        tokenEndpoint: new URL("https://auth.test/token"),
        store: new FakeOAuth.Shelf().store,
        timeout: 1000
      })
      const clock = yield* Effect.clock
      yield* TestClock.adjust("1 hour")
      sessions.of("new", clock)
      sessions.touch(sessions.of("other", clock), monotonic(clock))
      expect(privateSize(sessions, "#sessions")).toBe(2)
      yield* TestClock.adjust("10 minutes")
      sessions.touch(sessions.of("other", clock), monotonic(clock))
      expect(privateSize(sessions, "#sessions")).toBe(1)
    })
  )
})

describe("the order of updates", () => {
  const named = (name: string) => ({ status: "ACTIVATED", metadata: { name } }) as const

  const shown = (request: HttpClientRequest): string =>
    `${JSON.parse(bodyOf(request)).metadata?.name} with ${authorizationOf(request)?.slice(-1)}`

  /** Notes the next updates that arrive, and then does with them what is asked for. */
  const noting = (server: FakeOAuth.Server, ...faults: ReadonlyArray<FakeOAuth.Fault>) => {
    const noted: Array<string> = []
    server.updateFaults.push(
      ...faults.map(
        (fault): FakeOAuth.Fault =>
          (answer, request) => {
            noted.push(shown(request))
            return fault(answer, request)
          }
      )
    )
    return noted
  }

  const works: FakeOAuth.Fault = (answer) => Effect.sync(answer)

  it.scoped("is each customer's own: one that is slow does not hold up another's", () =>
    Effect.gen(function* () {
      const { ofOther, server, update } = yield* two("1 hour")
      server.updateFaults.push(FakeOAuth.slow("1 minute"))
      const slow = yield* Effect.fork(update(activated))
      yield* FakeOAuth.settled
      const behind = yield* Effect.fork(update(activated))
      yield* FakeOAuth.settled
      yield* ofOther
      expect(server.updates).toEqual(["access-canary-2 200"])
      yield* TestClock.adjust("1 minute")
      yield* Fiber.joinAll([slow, behind])
      expect(server.updates).toHaveLength(3)
    })
  )

  it.scoped("is kept across a refresh, though the tokens change between them", () =>
    Effect.gen(function* () {
      const { server, update } = yield* FakeOAuth.setUp("1 hour")
      const noted = noting(server, FakeOAuth.status(401), works, works, works, works)
      server.tokenFaults.push(FakeOAuth.slow("3 seconds"))
      const fibers = [yield* Effect.fork(update(named("a"))), yield* Effect.fork(update(named("b")))]
      yield* TestClock.adjust("1 second")
      fibers.push(yield* Effect.fork(update(named("c"))))
      yield* TestClock.adjust("1 second")
      expect(noted).toEqual(["a with 1"])
      yield* TestClock.adjust("1 second")
      fibers.push(yield* Effect.fork(update(named("d"))))
      yield* Fiber.joinAll(fibers)
      expect(noted).toEqual(["a with 1", "a with 2", "b with 2", "c with 2", "d with 2"])
      expect(server.presented).toEqual(["refresh-canary-1"])
    })
  )

  it.scoped("is kept by a retry: it is given up after a newer update with newer tokens", () =>
    Effect.gen(function* () {
      const { server, update } = yield* FakeOAuth.setUp("1 hour")
      const noted = noting(server, FakeOAuth.status(503), FakeOAuth.status(401), works, works)
      const older = yield* update(named("older")).pipe(
        RetryPolicy.retry(),
        Effect.flip,
        // The wait is as long as it can be: 500 ms.
        Effect.withRandom(Random.fixed([0.999_999_999])),
        Effect.fork
      )
      yield* TestClock.adjust("100 millis")
      yield* update(named("newer"))
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(older)).toMatchObject({ _tag: "Infrastructure", reason: "Superseded" })
      expect(noted).toEqual(["older with 1", "newer with 1", "newer with 2"])
    })
  )
})

describe("the name of a customer", () => {
  const acme = Effect.gen(function* () {
    const customer = yield* two(0)
    yield* FakeOAuth.storeTokens(customer.shelf.store, customer.server.authorize("acme"), 0)
    const update = customer.update(activated)
    return { ...customer, ofAcme: Credentials.use(update, OAuth.tenant("acme")) }
  })

  it.scoped("is in errors of the API and of the token endpoint, with the server of each", () =>
    Effect.gen(function* () {
      const { ofAcme, server } = yield* acme
      const description =
        "client-of-the-tests or canary-of-the-client-secret is unknown, refresh-canary-3 is not"
      const body = JSON.stringify({ error: "invalid_client", error_description: description })
      server.tokenFaults.push(FakeOAuth.unsent, FakeOAuth.status(401, body), FakeOAuth.status(503, "", {}))
      server.updateFaults.push(FakeOAuth.status(400, '{"message":"no such app"}'))
      const unsent = yield* Effect.flip(ofAcme)
      expect(unsent).toMatchObject({ server: "auth.pleo.io", tenant: "acme" })
      expect(unsent.message).toContain('(ECONNREFUSED, server auth.pleo.io, tenant "acme").')
      const unknown = yield* Effect.flip(ofAcme)
      expect(unknown.message).toMatch(
        /server auth\.pleo\.io, tenant "acme"\) .*: client-of-the-tests or <redacted> is unknown, <redacted> is not\./
      )
      expect(yield* Effect.flip(ofAcme)).toMatchObject({
        status: 503,
        server: "auth.pleo.io",
        tenant: "acme"
      })
      const rejected = yield* Effect.flip(ofAcme)
      expect(rejected.message).toContain(
        '(status 400, server external.pleo.io, tenant "acme"): no such app. Nothing'
      )
    })
  )

  it.scoped("is in the error of a token store, which names no server", () =>
    Effect.gen(function* () {
      const { ofAcme, server, shelf } = yield* acme
      shelf.isDown = true
      const reading = yield* Effect.flip(ofAcme)
      const writing = yield* Effect.flip(FakeOAuth.storeTokens(shelf.store, server.authorize("acme")))
      for (const error of [reading, writing]) {
        expect(error).toMatchObject({ reason: "TokenStore", tenant: "acme" })
        expect(error).not.toHaveProperty("server")
        expect(error.message).toContain('(ENOSPC, tenant "acme").')
      }
    })
  )

  it.scoped(
    "is in errors before sending: of an invalid request, and of waiting for a token or for a turn",
    () =>
      Effect.gen(function* () {
        const { ofAcme, server, update } = yield* acme
        const invalid = Credentials.use(update({} as never), OAuth.tenant("acme"))
        expect((yield* Effect.flip(invalid)).message).toContain('tenant "acme"')
        server.tokenFaults.push(FakeOAuth.slow("2 seconds"))
        const fibers = [
          yield* Effect.fork(RetryPolicy.timeout("1 second")(ofAcme)),
          yield* Effect.fork(RetryPolicy.timeout("1 second")(ofAcme))
        ]
        yield* FakeOAuth.settled
        yield* TestClock.adjust("1 second")
        const errors = yield* Effect.forEach(fibers, (fiber) => Effect.flip(Fiber.join(fiber)))
        expect(errors).toMatchObject([
          { phase: "AccessToken", server: "auth.pleo.io", tenant: "acme" },
          { phase: "Queue", server: "external.pleo.io", tenant: "acme" }
        ])
        // The refresh ends before the layer closes.
        yield* TestClock.adjust("1 second")
      })
  )

  it.scoped("is in the span of the update, with the status that was asked for", () =>
    Effect.gen(function* () {
      const { ofAcme } = yield* acme
      const { spans, tracer } = recordingTracer()
      yield* Effect.withTracer(ofAcme, tracer)
      expect(
        spans.map(({ attributes, name }) => [
          name,
          attributes.get("pleo.tenant"),
          attributes.get("pleo.installation.status"),
          attributes.get("http.route")
        ])
      ).toEqual([
        ["InstallationService.update", "acme", "ACTIVATED", undefined],
        ["POST /oauth/token", undefined, undefined, "/oauth/token"],
        ["PUT /v1/installations/me", undefined, undefined, "/v1/installations/me"]
      ])
      expect(
        leaks(
          spans.map(({ attributes }) => [...attributes]),
          "canary"
        )
      ).toEqual([])
    })
  )
})
