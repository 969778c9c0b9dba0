// What cannot be shown by one request: figures under load, under stalls and under hostile bodies.
import { fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as Credentials from "@effect-pleo/core/Credentials"
import * as InstallationClient from "@effect-pleo/core/InstallationClient"
import * as InstallationService from "@effect-pleo/core/InstallationService"
import * as OAuth from "@effect-pleo/core/OAuth"
import * as RetryPolicy from "@effect-pleo/core/RetryPolicy"
import * as TokenStore from "@effect-pleo/core/TokenStore"
import * as NodeInstallationService from "@effect-pleo/node/NodeInstallationService"
import * as Fault from "@effect-pleo/testing/Fault"
import * as Sandbox from "@effect-pleo/testing/Sandbox"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as RawServer from "../../packages/node/test/support/rawServer.ts"
import type { Measurements } from "./memory.ts"

const update = InstallationService.update({ status: "ACTIVATED" })

const as = (customer: number) => Credentials.use(Credentials.bearer(Redacted.make(`token-${customer}`)))

const credentials = Credentials.bearer(Redacted.make("token"))

/** Requests per update when each of 1000 updates, of as many installations, fails. */
export const requestsPerUpdate = Effect.gen(function* () {
  const server = yield* RawServer.make(RawServer.send(RawServer.respond(503)))
  const updates = 1000
  yield* Effect.forEach(
    Array.from({ length: updates }, (_, customer) => customer),
    (customer) => update.pipe(as(customer), RetryPolicy.retry({ baseDelay: 1 }), Effect.exit),
    { concurrency: 64 }
  ).pipe(Effect.provide(NodeInstallationService.layer({ server: server.url, credentials })))
  return server.requests.length / updates
}).pipe(Effect.scoped)

/** Sockets still open after 10 000 updates were interrupted in flight, a thousand at a time. */
export const socketsAfterInterruptions = Effect.gen(function* () {
  const server = yield* RawServer.make(RawServer.ignore)
  const rounds = 10
  const inFlight = 1000
  yield* Effect.gen(function* () {
    for (let round = 0; round < rounds; round++) {
      const opened = server.sockets.opened
      const fibers = yield* Effect.forEach(
        Array.from({ length: inFlight }, (_, customer) => customer),
        (customer) => Effect.fork(as(customer)(update))
      )
      yield* server.until(({ sockets }) => sockets.opened > opened)
      yield* Fiber.interruptAll(fibers)
    }
    yield* server.until(({ sockets }) => sockets.open === 0).pipe(Effect.timeoutOption("5 seconds"))
  }).pipe(Effect.provide(NodeInstallationService.layer({ server: server.url, credentials })))
  return server.sockets.open
}).pipe(Effect.scoped)

/** Requests that reach another origin when every kind of redirect points there, over both transports. */
export const strayRequests = Effect.gen(function* () {
  const target = yield* RawServer.make(RawServer.send(RawServer.updated))
  for (const status of [301, 302, 303, 307, 308]) {
    const server = yield* RawServer.make(
      RawServer.send(RawServer.respond(status, { location: `${target.url}/v1/installations/me` }))
    )
    const options = { server: server.url, credentials }
    const layers = [
      NodeInstallationService.layer(options),
      Layer.provide(InstallationClient.layer(options), FetchHttpClient.layer)
    ]
    for (const layer of layers) yield* update.pipe(RetryPolicy.retry(), Effect.provide(layer), Effect.exit)
  }
  return target.received.length
}).pipe(Effect.scoped)

/**
 * Exchanges of the refresh token when 1000 fibers of two clients on one store meet a token that is not good any more:
 * half of them find out by themselves, since it has expired, and half by a 401, mostly when it was replaced
 * already. Whoever asks first is interrupted.
 */
export const refreshesInStorm = Effect.gen(function* () {
  const sandbox = Context.get(yield* Layer.build(Sandbox.layer()), Sandbox.Sandbox)
  const app = { tenant: "acme", clientId: "app", tokenEndpoint: `${sandbox.url}/oauth/token` }
  const store = yield* Layer.build(TokenStore.layerMemory)
  const grant = yield* sandbox.authorize()
  const storeFor = (expiresIn: Duration.DurationInput) =>
    Effect.provide(OAuth.storeTokens(app, { ...grant, expiresIn }), store)
  const open = Effect.map(
    Layer.build(
      Layer.provide(
        NodeInstallationService.layer({
          server: sandbox.url,
          credentials: OAuth.credentials({ ...app, clientSecret: Redacted.make("secret") })
        }),
        Layer.succeedContext(store)
      )
    ),
    Context.get(InstallationService.InstallationService)
  )
  const refused = yield* open
  const exchanges = Effect.map(
    sandbox.requests,
    (requests) => requests.filter(({ path, status }) => path === "/oauth/token" && status === 200).length
  )
  yield* storeFor("1 hour")
  yield* refused.update({ status: "ACTIVATED" })
  yield* storeFor(0)
  yield* sandbox.expire(grant.id)
  const expired = yield* open
  yield* sandbox.inject(Fault.delay("200 millis", { when: ({ path }) => path === "/oauth/token" }))
  const leaders = yield* Effect.forEach([refused, expired], ({ update }) =>
    Effect.fork(update({ status: "ACTIVATED" }))
  )
  const others = yield* Effect.forEach(Array.from({ length: 998 }), (_, index) =>
    Effect.fork((index % 2 === 0 ? refused : expired).update({ status: "ACTIVATED" }))
  )
  yield* Effect.sleep("100 millis")
  yield* Fiber.interruptAll(leaders)
  yield* Effect.orDie(Fiber.joinAll(others))
  return yield* exchanges
}).pipe(Effect.scoped)

const drip: RawServer.Handler = (_, socket) => {
  socket.write(RawServer.head(200, { "content-length": "1000000" }))
  const timer = setInterval(() => socket.write(" "), 1000)
  socket.on("close", () => clearInterval(timer))
}

const deadline = Duration.seconds(30)

/** By how many milliseconds an effect ends after the deadline. */
const timePast = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.map(
    Effect.timed(Effect.exit(self)),
    ([took]) => Duration.toMillis(took) - Duration.toMillis(deadline)
  )

const oneAttempt = { deadline, attemptTimeout: Duration.infinity, budget: false }
const manyAttempts = { deadline, attempts: 100, budget: false }

/** Over a server that stalls. */
const over = (handler: RawServer.Handler, policy: RetryPolicy.Options, scheme = "http") =>
  Effect.flatMap(RawServer.make(handler), ({ port }) =>
    Effect.provide(
      timePast(RetryPolicy.retry(policy)(update)),
      NodeInstallationService.layer({ server: `${scheme}://127.0.0.1:${port}`, credentials })
    )
  )

/** Over a client whose requests stall. */
const here = (stall: Effect.Effect<never>) =>
  timePast(RetryPolicy.retry(oneAttempt)(update)).pipe(
    Effect.provide(InstallationClient.layer({ credentials })),
    Effect.provideService(
      HttpClient.HttpClient,
      HttpClient.make(() => stall)
    )
  )

const uninterruptible = Effect.uninterruptible(
  Effect.zipRight(Effect.sleep(Duration.times(deadline, 1.1)), Effect.never)
)

const stalls = [
  over(RawServer.ignore, manyAttempts, "https"), // no TLS handshake
  over(RawServer.ignore, oneAttempt), // no headers
  over(RawServer.ignore, manyAttempts),
  Effect.uninterruptible(over(RawServer.ignore, oneAttempt)), // as in a finalizer
  over(RawServer.send(RawServer.head(200, { "content-length": "10" })), oneAttempt), // no body
  over(drip, oneAttempt),
  over(RawServer.send(RawServer.respond(503, { "retry-after": "7" })), manyAttempts),
  here(uninterruptible),
  here(Effect.onInterrupt(Effect.never, () => uninterruptible))
]

/** By how many milliseconds the worst kind of stall keeps an update beyond its deadline of 30 s. */
export const pastDeadline = Effect.map(
  Effect.scoped(Effect.all(stalls, { concurrency: "unbounded" })),
  (times) => Math.max(0, ...times)
)

/** Measures in a process of its own, whose memory nothing else uses. */
const inProcess = <Name extends keyof Measurements>(name: Name) =>
  Effect.promise(async () => {
    const child = fork(fileURLToPath(new URL("memory.ts", import.meta.url)), [name], {
      execArgv: [...process.execArgv, "--expose-gc"]
    })
    const [measured] = (await once(child, "message")) as [Measurements[Name]]
    child.disconnect()
    return measured
  })

export const hostileBodies = inProcess("hostileBodies")

export const tenants = inProcess("tenants")
