import { BadRequest, type Issue } from "@effect-pleo/core/InstallationError"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Options } from "../NodeHttpClient.ts"
import { type Connect, connect } from "./connection.ts"
import { Origins, Sockets } from "./sockets.ts"
import { importProxyAgent } from "./undici.ts"

const resolve = (options: Options) => ({
  connections: options.connections ?? 64,
  connectTimeout: Duration.toMillis(options.connectTimeout ?? Duration.seconds(5)),
  keepAliveTimeout: Duration.toMillis(options.keepAliveTimeout ?? Duration.seconds(4)),
  maxResponseSize: options.maxResponseSize ?? 1024 * 1024,
  proxy: options.proxy
})

type Settings = ReturnType<typeof resolve>

/** How long requests under way may still take when the layer is closed. */
const drainTimeout = Duration.seconds(1)

/** The largest head of an answer, in bytes: Node's own limit, whatever its command line says. */
const maxHeaderSize = 16 * 1024

const connector = ({ connectTimeout, keepAliveTimeout, proxy }: Settings): Effect.Effect<Connect> => {
  // An explicit value, so that NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment changes nothing.
  const tls = {
    rejectUnauthorized: true,
    timeout: connectTimeout
  }
  const limits = { allowH2: false, keepAliveTimeout, maxHeaderSize, pipelining: 1 }
  if (proxy === undefined) return Effect.succeed((origin) => connect(origin, limits, tls))
  const options = { ...limits, uri: proxy.href, connections: 1, proxyTls: tls, requestTls: tls }
  return Effect.map(Effect.promise(importProxyAgent), (makeProxyAgent) => () => ({
    dispatcher: makeProxyAgent(options),
    abandon: () => {}
  }))
}

const canBeDecoded = (text: string): boolean => {
  try {
    return decodeURIComponent(text) !== undefined
  } catch {
    return false
  }
}

const isPositive = (value: number): boolean => value > 0 && value < Number.POSITIVE_INFINITY

/** What undici would refuse with the first request, or take for no limit. */
const flawsOf = (settings: Settings): ReadonlyArray<Issue> => {
  const { connectTimeout, connections, keepAliveTimeout, maxResponseSize, proxy } = settings
  const checks = {
    connections: [Number.isInteger(connections) && connections > 0, "expected a whole number from 1"],
    connectTimeout: [isPositive(connectTimeout), "expected a finite duration above 0"],
    keepAliveTimeout: [isPositive(keepAliveTimeout), "expected a finite duration above 0"],
    maxResponseSize: [maxResponseSize > 0, "expected a number of bytes above 0"],
    proxy: [
      proxy === undefined ||
        (/^https?:$/.test(proxy.protocol) && canBeDecoded(proxy.username) && canBeDecoded(proxy.password)),
      "expected an http or https URL, with user and password percent-encoded"
    ]
  } as const
  return Object.entries(checks).flatMap(([name, [isFine, message]]) =>
    isFine ? [] : [{ path: [name], message }]
  )
}

/** The sockets of a client, which are closed with the scope. */
export const make = (options: Options): Effect.Effect<Origins, BadRequest, Scope.Scope> => {
  const settings = resolve(options)
  const { connections, maxResponseSize } = settings
  return Effect.acquireRelease(
    Effect.suspend(() => {
      const issues = flawsOf(settings)
      return issues.length > 0
        ? Effect.fail(new BadRequest({ issues }))
        : Effect.map(
            connector(settings),
            (connect) =>
              new Origins((origin) => new Sockets(connections, maxResponseSize, () => connect(origin)))
          )
    }),
    (origins) =>
      origins.close.pipe(
        Effect.interruptible,
        Effect.timeout(drainTimeout),
        Effect.ignore,
        Effect.zipRight(origins.destroy),
        // Sockets live in real time, also where a test has replaced the clock.
        Effect.withClock(Clock.make())
      )
  )
}
