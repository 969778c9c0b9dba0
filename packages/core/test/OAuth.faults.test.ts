import * as HttpClient from "@effect/platform/HttpClient"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as InstallationClient from "../src/InstallationClient.ts"
import * as KeyValueTokenStore from "../src/KeyValueTokenStore.ts"
import * as OAuth from "../src/OAuth.ts"
import { TokenStore } from "../src/TokenStore.ts"
import * as FakeOAuth from "./support/fakeOAuth.ts"
import { activated } from "./support/http.ts"

const activatedInstallation = { status: "ACTIVATED" }

describe("a save of the lease that lands after its timeout", () => {
  /** A store whose next save of a lease happens when `land` is called, whatever became of its caller. */
  const setUp = Effect.gen(function* () {
    const server = new FakeOAuth.Server()
    const shelf = new FakeOAuth.Shelf()
    yield* FakeOAuth.storeTokens(shelf.store, server.authorize(), 0)
    const late: Array<() => Effect.Effect<boolean>> = []
    let isLate = true
    const store = TokenStore.of({
      ...shelf.store,
      save: (key, expected, authorization) => {
        if (!isLate || authorization._tag !== "Refreshing")
          return shelf.store.save(key, expected, authorization)
        isLate = false
        late.push(() => Effect.orDie(shelf.store.save(key, expected, authorization)))
        return Effect.never
      }
    })
    const land = Effect.suspend(() => Effect.forEach(late, (save) => save()))
    return { server, shelf, store, land }
  })

  it.scoped("is fenced: it changes nothing, and the customer goes on", () =>
    Effect.gen(function* () {
      const { land, server, shelf, store } = yield* setUp
      const update = yield* FakeOAuth.startProcess(server, store)
      const failed = yield* Effect.fork(Effect.flip(update(activated)))
      yield* TestClock.adjust("10 seconds")
      expect(yield* Fiber.join(failed)).toMatchObject({ reason: "TokenStore", code: "TIMEOUT" })
      expect(yield* land).toEqual([false])
      expect(shelf.only._tag).toBe("Active")
      yield* TestClock.adjust("1 hour")
      expect(yield* update(activated)).toMatchObject(activatedInstallation)
      const other = yield* FakeOAuth.startProcess(server, shelf.store)
      expect(yield* other(activated)).toMatchObject(activatedInstallation)
      expect(server.replayed).toEqual([])
    })
  )

  it.scoped("is given back when it lands before the fence could be stored", () =>
    Effect.gen(function* () {
      const { land, server, shelf, store } = yield* setUp
      const update = yield* FakeOAuth.startProcess(server, store)
      const failed = yield* Effect.fork(Effect.flip(update(activated)))
      yield* TestClock.adjust("9 seconds")
      shelf.isReadOnly = true
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(failed)
      shelf.isReadOnly = false
      expect(yield* land).toEqual([true])
      expect(shelf.only._tag).toBe("Refreshing")
      yield* TestClock.adjust("5 seconds")
      expect(shelf.only._tag).toBe("Active")
      expect(yield* update(activated)).toMatchObject(activatedInstallation)
      expect(server.replayed).toEqual([])
    })
  )
})

describe("a store that answers false for long", () => {
  /** Saves nothing, as it seems: its reads lag behind. */
  const lagging = (shelf: FakeOAuth.Shelf) =>
    TokenStore.of({ ...shelf.store, save: () => Effect.succeed(false) })

  it.scoped("is asked with a pause between, by a refresh", () =>
    Effect.gen(function* () {
      const server = new FakeOAuth.Server()
      const shelf = new FakeOAuth.Shelf()
      yield* FakeOAuth.storeTokens(shelf.store, server.authorize(), 0)
      const update = yield* FakeOAuth.startProcess(server, lagging(shelf))
      yield* Effect.fork(update(activated))
      yield* TestClock.adjust("1 minute")
      expect(shelf.loads).toBeLessThan(80)
      expect(server.tokenRequests).toEqual([])
    })
  )

  it.scoped("is asked with a pause between, by storeTokens", () =>
    Effect.gen(function* () {
      const server = new FakeOAuth.Server()
      const shelf = new FakeOAuth.Shelf()
      yield* Effect.fork(FakeOAuth.storeTokens(lagging(shelf), server.authorize()))
      yield* TestClock.adjust("1 minute")
      expect(shelf.loads).toBeLessThan(80)
    })
  )
})

describe("closing the layer", () => {
  const startProcess = (server: FakeOAuth.Server, store: FakeOAuth.Store) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const update = yield* Scope.extend(FakeOAuth.startProcess(server, store), scope)
      return { update, close: Scope.close(scope, Exit.void) }
    })

  it.effect("does not wait for the lease of a dead process", () =>
    Effect.gen(function* () {
      const server = new FakeOAuth.Server()
      const shelf = new FakeOAuth.Shelf()
      yield* FakeOAuth.storeTokens(shelf.store, server.authorize(), 0)
      server.tokenFaults.push(FakeOAuth.hang)
      const dead = yield* startProcess(server, shelf.store)
      const dying = yield* Effect.fork(dead.update(activated))
      yield* FakeOAuth.settled
      expect(shelf.only._tag).toBe("Refreshing")
      const { close, update } = yield* startProcess(server, shelf.store)
      const waiting = yield* Effect.fork(Effect.flip(update(activated)))
      yield* FakeOAuth.settled
      // No time passes on the clock by which the lease is watched.
      yield* close
      expect(yield* Fiber.join(waiting)).toMatchObject({ reason: "TokenEndpoint", code: "UND_ERR_CLOSED" })
      expect(shelf.only._tag).toBe("Refreshing")
      yield* Fiber.interrupt(dying)
      yield* TestClock.adjust("20 seconds")
      yield* dead.close
    })
  )

  it.effect("does not wait for a store that does not answer a load", () =>
    Effect.gen(function* () {
      const server = new FakeOAuth.Server()
      const shelf = new FakeOAuth.Shelf()
      yield* FakeOAuth.storeTokens(shelf.store, server.authorize(), 0)
      shelf.next.push("hangs")
      const { close, update } = yield* startProcess(server, shelf.store)
      const waiting = yield* Effect.fork(Effect.flip(update(activated)))
      yield* FakeOAuth.settled
      yield* close
      expect(yield* Fiber.join(waiting)).toMatchObject({ reason: "TokenEndpoint", code: "UND_ERR_CLOSED" })
    })
  )

  it.effect("waits for a refresh token that was sent, and stores what it brings", () =>
    Effect.gen(function* () {
      const server = new FakeOAuth.Server()
      const shelf = new FakeOAuth.Shelf()
      yield* FakeOAuth.storeTokens(shelf.store, server.authorize(), 0)
      const arrived = yield* Deferred.make<void>()
      server.tokenFaults.push((answer) => Effect.as(Deferred.await(arrived), answer()))
      const { close, update } = yield* startProcess(server, shelf.store)
      yield* Effect.fork(update(activated))
      yield* FakeOAuth.settled
      const closing = yield* Effect.fork(close)
      yield* FakeOAuth.settled
      expect(closing.unsafePoll()).toBeNull()
      yield* Deferred.succeed(arrived, undefined)
      yield* Fiber.join(closing)
      expect(shelf.only._tag).toBe("Active")
      const other = yield* startProcess(server, shelf.store)
      expect(yield* other.update(activated)).toMatchObject(activatedInstallation)
      expect(server.replayed).toEqual([])
      yield* other.close
    })
  )
})

describe("a token that Pleo refuses", () => {
  it.scoped("before it was ever accepted is refreshed again, without a loop of refreshes", () =>
    Effect.gen(function* () {
      const { server, update } = yield* FakeOAuth.setUp(0)
      const refuse = (times: number) =>
        Effect.gen(function* () {
          for (let time = 0; time < times; time++) server.updateFaults.push(FakeOAuth.status(401))
          expect(yield* Effect.flip(update(activated))).toMatchObject({ reason: "Unauthenticated" })
        })
      yield* refuse(1)
      yield* refuse(1)
      expect(server.presented).toHaveLength(1)
      yield* TestClock.adjust("1 minute")
      // Refreshed, and refused again: the next time comes later.
      yield* refuse(2)
      expect(server.presented).toHaveLength(2)
      yield* TestClock.adjust("1 minute")
      yield* refuse(1)
      expect(server.presented).toHaveLength(2)
      yield* TestClock.adjust("1 minute")
      server.updateFaults.push(FakeOAuth.status(401))
      expect(yield* update(activated)).toMatchObject(activatedInstallation)
      expect(server.presented).toHaveLength(3)
    })
  )

  it.scoped("while it is being refreshed is not sent again when that fails", () =>
    Effect.gen(function* () {
      const server = new FakeOAuth.Server()
      const shelf = new FakeOAuth.Shelf()
      yield* FakeOAuth.storeTokens(shelf.store, server.authorize())
      const credentials = yield* OAuth.credentials({
        tenant: "default",
        clientId: FakeOAuth.clientId,
        clientSecret: Redacted.make(FakeOAuth.clientSecret)
      }).pipe(Effect.provideService(TokenStore, shelf.store))
      // Two clients with the same tokens: they do not wait for each other.
      const make = InstallationClient.make({ credentials: Effect.succeed(credentials) }).pipe(
        Effect.provideService(HttpClient.HttpClient, server.client)
      )
      const [one, other] = yield* Effect.all([make, make])
      const refused = yield* Deferred.make<void>()
      const unavailable = yield* Deferred.make<void>()
      server.updateFaults.push(() => Effect.as(Deferred.await(refused), new Response("", { status: 401 })))
      server.tokenFaults.push((answer, request) =>
        Effect.zipRight(Deferred.await(unavailable), FakeOAuth.status(503)(answer, request))
      )
      const first = yield* Effect.fork(Effect.flip(one.update(activated)))
      yield* TestClock.adjust("59.5 minutes")
      const second = yield* Effect.fork(Effect.flip(other.update(activated)))
      yield* FakeOAuth.settled
      yield* Deferred.succeed(refused, undefined)
      yield* FakeOAuth.settled
      yield* Deferred.succeed(unavailable, undefined)
      expect(yield* Fiber.join(first)).toMatchObject({ reason: "TokenEndpoint", status: 503 })
      expect(yield* Fiber.join(second)).toMatchObject({ reason: "TokenEndpoint", status: 503 })
      expect(server.updates).toEqual(["access-canary-1 401"])
    })
  )
})

describe("a stored token that is due for a refresh and still good", () => {
  it.scoped("is used by a new process while the token endpoint answers 503, until it expires", () =>
    Effect.gen(function* () {
      const { server, update } = yield* FakeOAuth.setUp("1 hour")
      yield* TestClock.adjust("59.5 minutes")
      for (let time = 0; time < 9; time++) server.tokenFaults.push(FakeOAuth.status(503))
      expect(yield* update(activated)).toMatchObject(activatedInstallation)
      expect(server.updates).toEqual(["access-canary-1 200"])
      yield* TestClock.adjust("30 seconds")
      expect(yield* Effect.flip(update(activated))).toMatchObject({ reason: "TokenEndpoint", status: 503 })
      expect(server.updates).toEqual(["access-canary-1 200"])
    })
  )
})

describe("layers over the same files in one process", () => {
  it.scoped("send a refresh token once, however many there are", () =>
    Effect.gen(function* () {
      const server = new FakeOAuth.Server()
      const files = new Map<string, string>()
      // Each operation takes a while, as it does on a disk.
      const slowly = <A>(operation: () => A) =>
        Effect.promise(() => new Promise<A>((resolve) => setImmediate(() => resolve(operation()))))
      const makeStore = KeyValueTokenStore.make.pipe(
        Effect.provideService(
          KeyValueStore.KeyValueStore,
          KeyValueStore.makeStringOnly({
            get: (key) => slowly(() => Option.fromNullable(files.get(key))),
            set: (key, value) => slowly(() => files.set(key, value)),
            remove: (key) => slowly(() => files.delete(key)),
            clear: slowly(() => files.clear()),
            size: slowly(() => files.size)
          })
        )
      )
      yield* FakeOAuth.storeTokens(yield* makeStore, server.authorize(), 0)
      const startProcess = Effect.flatMap(makeStore, (store) => FakeOAuth.startProcess(server, store))
      const updates = yield* Effect.all([startProcess, startProcess, startProcess])
      const running = yield* Effect.fork(
        Effect.forEach(updates, (update) => update(activated), { concurrency: "unbounded" })
      )
      // Hashes are computed beside the fibers, and the lease is looked at again after a while.
      while (running.unsafePoll() === null) {
        yield* slowly(() => {})
        yield* TestClock.adjust("100 millis")
      }
      expect(yield* Fiber.join(running)).toHaveLength(3)
      expect(server.presented).toEqual(["refresh-canary-1"])
    })
  )
})

describe("half of a character", () => {
  it.scoped.each(["tenant", "clientId"] as const)("in the %s is refused by name, and no defect", (name) =>
    Effect.gen(function* () {
      const issues = [{ path: [name], message: "has half of a character (a lone surrogate)" }]
      const options = { clientId: "id", clientSecret: Redacted.make("secret"), [name]: "Acme \ud83d" }
      const made = OAuth.credentials(options).pipe(
        Effect.provideService(TokenStore, new FakeOAuth.Shelf().store)
      )
      expect(yield* Effect.flip(made)).toMatchObject({ _tag: "BadRequest", issues })
    })
  )

  it.effect("in a customer's name is refused, and no defect", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(OAuth.tenant("Acme \udc4d"))
      expect(error).toMatchObject({ _tag: "BadRequest", issues: [{ path: ["tenant"] }] })
    })
  )
})
