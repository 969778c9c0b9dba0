// The nightly synchronisation as it runs in production, over HTTP and with
// OAuth, and the sandbox in Pleo's place.
import { expect, it } from "@effect/vitest"
import { Fault } from "@effect-pleo/testing"
import * as Sandbox from "@effect-pleo/testing/Sandbox"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as TestClock from "effect/TestClock"
import { Accounting } from "./nightly/Accounting.ts"
import { connect, installations } from "./nightly/live.ts"
import { layer as layerNightly, Nightly } from "./nightly/Nightly.ts"

const customers = ["acme", "borealis"]

const application = Effect.provide(
  Sandbox.layerTest(
    layerNightly({ customers }).pipe(
      Layer.provideMerge(installations),
      Layer.provide(
        Layer.succeed(Accounting, { book: () => Effect.succeed(3) })
      )
    ),
    { clientId: "my-app" }
  )
)

/** Each customer authorizes the app: the IDs of the grants, by name. */
const consents = Effect.gen(function* () {
  const sandbox = yield* Sandbox.Sandbox
  const ids: Record<string, string> = {}
  for (const customer of customers) {
    const grant = yield* sandbox.authorize({ expiresIn: "1 hour" })
    yield* connect(customer, grant)
    ids[customer] = grant.id
  }
  return ids
})

/**
 * A night in which nobody waits before a retry: the jitter is at its least.
 */
const night = Effect.flatMap(Nightly, ({ night }) =>
  Effect.withRandom(night, Random.fixed([0]))
)

const seen = Effect.flatMap(Sandbox.Sandbox, ({ requests }) =>
  Effect.map(requests, (requests) =>
    requests.map(({ method, status }) => `${method} ${status}`).toSorted()
  )
)

it.scoped("each customer's expired token is refreshed once a night", () =>
  Effect.gen(function* () {
    yield* consents
    yield* night
    expect(yield* seen).toEqual([
      "PUT 200",
      "PUT 200",
      "PUT 200",
      "PUT 200"
    ])
    yield* TestClock.adjust("24 hours")
    yield* night
    const requests = yield* seen
    expect(
      requests.filter((request) => request.startsWith("POST"))
    ).toEqual(["POST 200", "POST 200"])
    expect(requests.filter((request) => request.startsWith("PUT"))).toEqual(
      Array(8).fill("PUT 200")
    )
  }).pipe(application)
)

it.scoped("a customer who revoked the consent is postponed, no other", () =>
  Effect.gen(function* () {
    const sandbox = yield* Sandbox.Sandbox
    const { acme = "" } = yield* consents
    yield* sandbox.revoke(acme)
    expect(yield* night).toMatchObject([
      {
        _tag: "Postponed",
        customer: "acme",
        why: expect.stringContaining("authorize the app again")
      },
      { _tag: "Synchronised", customer: "borealis" }
    ])
  }).pipe(application)
)

it.scoped("lost connections are retried, a login page postpones", () =>
  Effect.gen(function* () {
    const sandbox = yield* Sandbox.Sandbox
    yield* consents
    const { synchronise } = yield* Nightly
    yield* sandbox.inject(Fault.loseResponse())
    yield* sandbox.inject(Fault.status(503))
    expect(
      yield* Effect.withRandom(synchronise("acme"), Random.fixed([0]))
    ).toMatchObject({
      _tag: "Synchronised"
    })
    expect((yield* sandbox.requests).map(({ status }) => status)).toEqual([
      null,
      503,
      200,
      200
    ])
    yield* sandbox.inject(Fault.malformedResponse())
    expect(yield* synchronise("acme")).toMatchObject({
      _tag: "Postponed",
      why: expect.stringContaining("is invalid")
    })
  }).pipe(application)
)
