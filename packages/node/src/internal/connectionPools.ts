import type { BadRequest } from "@effect-pleo/core/InstallationError"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Connection } from "./connection.ts"
import { ConnectionPool } from "./connectionPool.ts"
import { makeDirect } from "./dial.ts"
import { type Options, resolve, type Settings } from "./settings.ts"
import { makeThrough } from "./tunnel.ts"

/** How long requests in flight may still take when the layer is closed. */
const drainTimeout = Duration.seconds(1)

/** The largest head of a response, in bytes: Node's default, whatever its command line says. */
const maxHeaderSize = 16 * 1024

/** The connections to every origin. */
export class ConnectionPools {
  readonly isTunneled: boolean
  readonly #pools = new Map<string, ConnectionPool>()
  readonly #make: (origin: string) => ConnectionPool
  #isClosed = false

  constructor({ connections, connectTimeout, keepAliveTimeout, maxResponseSize, proxy }: Settings) {
    const limits = { allowH2: false, keepAliveTimeout, maxHeaderSize, pipelining: 1 }
    const dial = proxy === undefined ? makeDirect(connectTimeout) : makeThrough(proxy, connectTimeout)
    this.isTunneled = proxy !== undefined
    this.#make = (origin) =>
      new ConnectionPool(connections, maxResponseSize, () => new Connection(origin, limits, dial))
  }

  to(origin: string): ConnectionPool {
    const known = this.#pools.get(origin)
    if (known !== undefined) return known
    const pool = this.#make(origin)
    if (this.#isClosed) void pool.close()
    this.#pools.set(origin, pool)
    return pool
  }

  readonly close = Effect.promise(() => {
    this.#isClosed = true
    return Promise.all(Array.from(this.#pools.values(), (pool) => pool.close()))
  })

  readonly destroy = Effect.promise(() =>
    Promise.all(Array.from(this.#pools.values(), (pool) => pool.destroy()))
  )
}

/** The connections of a client, closed with the scope. */
export const make = (options: Options): Effect.Effect<ConnectionPools, BadRequest, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.map(resolve(options), (settings) => new ConnectionPools(settings)),
    (pools) =>
      pools.close.pipe(
        Effect.interruptible,
        Effect.timeout(drainTimeout),
        Effect.ignore,
        Effect.zipRight(pools.destroy),
        // Sockets live in real time, even if a test has replaced the clock.
        Effect.withClock(Clock.make())
      )
  )
