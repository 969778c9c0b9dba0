import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Credentials from "../src/Credentials.ts"
import * as RetryPolicy from "../src/RetryPolicy.ts"
import type * as Transport from "../src/Transport.ts"
import * as TransportInstallationService from "../src/TransportInstallationService.ts"
import { exampleResponse } from "./support/contract.ts"
import { activated, bearer } from "./support/http.ts"

type End = Parameters<ReturnType<Transport.Transport>>[1]

const answer: Either.Either<Transport.Response, Transport.Failure> = Either.right({
  status: 200,
  headers: {},
  body: new TextEncoder().encode(JSON.stringify(exampleResponse))
})

/** A service over a transport that ends each request as it is told, and what it was asked and told to give up. */
const service = (onRequest: (request: Transport.Request, number: number, end: End) => void) => {
  const requests: Array<Transport.Request> = []
  const givenUp: Array<number> = []
  const transport: Transport.Transport = () => (request, onEnd) => {
    const number = requests.push(request)
    onRequest(request, number, onEnd)
    return () => {
      givenUp.push(number)
      return true
    }
  }
  return Effect.map(
    TransportInstallationService.make(transport, { credentials: bearer("token") }),
    ({ update }) => ({
      givenUp,
      requests,
      update
    })
  )
}

describe("an update over a transport", () => {
  it.effect("is what the transport answers", () =>
    Effect.gen(function* () {
      const { requests, update } = yield* service((_, __, end) => end(answer))
      expect((yield* update(activated)).id).toBe(exampleResponse["id"])
      expect(requests).toEqual([
        {
          headers: {
            authorization: "Bearer token",
            accept: "application/json",
            "accept-encoding": "identity",
            "content-type": "application/json;charset=UTF-8"
          },
          body: '{"status":"ACTIVATED"}',
          freshConnection: false
        }
      ])
    })
  )

  it.effect.each([
    [{ _tag: "Unwritable" }, "BadRequest"],
    [{ _tag: "Broken", cause: { code: "ECONNRESET" } }, "Infrastructure"]
  ] as const)("fails as the transport does: %j", ([failure, tag]) =>
    Effect.gen(function* () {
      const { update } = yield* service((_, __, end) => end(Either.left(failure)))
      expect((yield* Effect.flip(update(activated)))._tag).toBe(tag)
    })
  )

  it.effect("that is interrupted is given up, and lets the next one go", () =>
    Effect.gen(function* () {
      const { givenUp, update } = yield* service((_, number, end) => {
        if (number > 1) end(answer)
      })
      const fiber = yield* Effect.fork(update(activated))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      expect(givenUp).toEqual([1])
      yield* update(activated)
    })
  )

  it.live("that is late is given up at once, also while it waits for its turn", () =>
    Effect.gen(function* () {
      const { givenUp, requests, update } = yield* service(() => {})
      const first = yield* Effect.fork(update(activated))
      yield* Effect.yieldNow()
      const late = update(activated).pipe(RetryPolicy.timeout(50))
      expect(yield* Effect.flip(late)).toMatchObject({ reason: "Timeout" })
      expect(requests).toHaveLength(1)
      yield* Fiber.interrupt(first)
      expect(yield* Effect.flip(late)).toMatchObject({ reason: "Timeout" })
      expect(givenUp).toEqual([1, 2])
    })
  )

  it.live("that is late before it was sent was not applied, and says what it waited for", () =>
    Effect.gen(function* () {
      const update = (yield* TransportInstallationService.make(() => () => () => false, {
        credentials: bearer("token")
      })).update
      const error = yield* Effect.flip(update(activated).pipe(RetryPolicy.timeout(50)))
      expect(error).toMatchObject({ reason: "Timeout", phase: "Connection", mayHaveBeenApplied: false })
      expect(error.message).toContain("waiting for a connection to Pleo")
    })
  )

  it.live("that is late in a finalizer is canceled there too", () =>
    Effect.gen(function* () {
      const { givenUp, update } = yield* service(() => {})
      const told: Array<unknown> = []
      for (const policy of [
        RetryPolicy.timeout(50),
        RetryPolicy.retry({ attempts: 1, attemptTimeout: 50 }),
        RetryPolicy.retry({ deadline: 50 })
      ])
        yield* Effect.ensuring(
          Effect.void,
          Effect.ignore(
            Effect.flatMap(Effect.flip(policy(update(activated))), (error) => {
              told.push(error.mayHaveBeenApplied)
              return Effect.void
            })
          )
        )
      expect(told).toEqual([true, true, true])
      expect(givenUp).toEqual([1, 2, 3])
    })
  )

  it.effect("has the credentials and the policy that are around it, whatever stands between", () =>
    Effect.gen(function* () {
      const { requests, update } = yield* service((_, number, end) =>
        end(number % 2 === 1 ? Either.left({ _tag: "Broken", cause: undefined }) : answer)
      )
      const self = update(activated)
      const use = Credentials.use(bearer("other"))
      const retry = RetryPolicy.retry({ baseDelay: 0 })
      yield* self.pipe(use, retry)
      yield* self.pipe(retry, use)
      yield* self.pipe(
        Effect.map((it) => it),
        use,
        Effect.map((it) => it),
        retry
      )
      yield* self.pipe(
        retry,
        Effect.tap(() => Effect.void),
        use
      )
      yield* Effect.gen(function* () {
        yield* Effect.yieldNow()
        return yield* self
      }).pipe(use, retry)
      expect(new Set(requests.map(({ headers }) => headers["authorization"]))).toEqual(
        new Set(["Bearer other"])
      )
    })
  )

  it.effect("whose transport throws dies, and hurts neither the one before nor the one after", () =>
    Effect.gen(function* () {
      let endFirst: End = () => {}
      const { update } = yield* service((_, number, end) => {
        if (number === 2) throw new Error("broken transport")
        if (number === 1) endFirst = end
        else end(answer)
      })
      const first = yield* Effect.fork(update(activated))
      const second = yield* Effect.fork(update(activated))
      yield* Effect.yieldNow()
      endFirst(answer)
      expect((yield* Fiber.join(first)).id).toBe(exampleResponse["id"])
      const exit = yield* Fiber.await(second)
      expect(Exit.isFailure(exit) && Cause.isDieType(exit.cause)).toBe(true)
      expect((yield* update(activated)).id).toBe(exampleResponse["id"])
    })
  )

  it.effect("that makes the credentials of another has those around it", () =>
    Effect.gen(function* () {
      const { requests, update } = yield* service((_, __, end) => end(answer))
      const self = update(activated)
      const made = Effect.zipRight(self, bearer("made"))
      yield* self.pipe(Credentials.use(made), Credentials.use(bearer("outer")))
      expect(requests.map(({ headers }) => headers["authorization"])).toEqual(["Bearer outer", "Bearer made"])
    })
  )
})
