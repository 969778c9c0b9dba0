import { BadRequest, type Issue } from "@effect-pleo/core/InstallationError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"

/**
 * Limits of sockets and responses, and the proxy.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The most open sockets, at least 1; further requests wait. Default: 64. */
  readonly connections?: number | undefined
  /** Limits connecting, including TLS and a proxy's tunnel. Default: 5 seconds. */
  readonly connectTimeout?: Duration.DurationInput | undefined
  /** How long an idle socket stays open: finite, and above 0. Default: 4 seconds. */
  readonly keepAliveTimeout?: Duration.DurationInput | undefined
  /** The largest body of a 2xx response, in bytes, also once decoded. Default: 1 MiB. */
  readonly maxResponseSize?: number | undefined
  /** A proxy to tunnel through (HTTP CONNECT), with its user and password. Default: none; `HTTPS_PROXY` is ignored. */
  readonly proxy?: URL | undefined
}

const withDefaults = (options: Options) => ({
  connections: options.connections ?? 64,
  connectTimeout: Duration.toMillis(options.connectTimeout ?? Duration.seconds(5)),
  keepAliveTimeout: Duration.toMillis(options.keepAliveTimeout ?? Duration.seconds(4)),
  maxResponseSize: options.maxResponseSize ?? 1024 * 1024,
  proxy: options.proxy
})

/** Durations are in milliseconds. */
export type Settings = ReturnType<typeof withDefaults>

const canBeDecoded = (text: string): boolean => {
  try {
    return decodeURIComponent(text) !== undefined
  } catch {
    return false
  }
}

const isPositive = (value: number): boolean => value > 0 && value < Number.POSITIVE_INFINITY

/** Rejects options that undici would reject only at the first request, or interpret as no limit. */
const validate = (settings: Settings): ReadonlyArray<Issue> => {
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

export const resolve = (options: Options): Effect.Effect<Settings, BadRequest> =>
  Effect.suspend(() => {
    const settings = withDefaults(options)
    const issues = validate(settings)
    return issues.length > 0 ? Either.left(new BadRequest({ issues })) : Either.right(settings)
  })
