/**
 * What carries the requests of a client. `InstallationClient` puts any `HttpClient` underneath; who brings
 * something else implements `Transport`, as `@effect-pleo/node` does.
 *
 * @since 0.1.0
 * @module
 */
import type { ConfigError } from "effect/ConfigError"
import type * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import type { Credentials } from "./Credentials.ts"
import type { BadRequest } from "./InstallationError.ts"
import type { InstallationService } from "./InstallationService.ts"
import * as internal from "./internal/client.ts"
import type * as Server from "./Server.ts"

/**
 * A request, but for its method and its URL.
 *
 * @since 0.1.0
 * @category models
 */
export interface Request {
  /** By their names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/**
 * An answer, whole.
 *
 * @since 0.1.0
 * @category models
 */
export interface Answer {
  readonly status: number
  /** By their names in lower case. */
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  /** Of an answer that is no success (2xx), the start is enough. */
  readonly body: Uint8Array
}

/**
 * That there is no answer.
 *
 * - `Unwritable`: the request cannot be written down as HTTP. Nothing was sent.
 * - `Broken`: anything else. The `code` along the chain of causes tells what; `headers` are those of an answer
 *   that broke off.
 *
 * @since 0.1.0
 * @category models
 */
export type Failure =
  | { readonly _tag: "Unwritable" }
  | {
      readonly _tag: "Broken"
      readonly cause: unknown
      readonly headers?: Answer["headers"] | undefined
    }

/**
 * Sends one request, without following redirects. `onEnd` is called once, unless the request is given up
 * before by calling what this returns. What it throws is a defect of the update.
 *
 * @since 0.1.0
 * @category models
 */
export type Send = (request: Request, onEnd: (end: Either.Either<Answer, Failure>) => void) => () => void

/**
 * `PUT` updates an installation, `POST` refreshes tokens.
 *
 * @since 0.1.0
 * @category models
 */
export type Method = "PUT" | "POST"

/**
 * What sends requests to one URL: what need not be done for each of them is done once. A `POST` cannot be sent
 * again when it broke off: a connection that was idle, and may be closed by now, is not for it.
 *
 * @since 0.1.0
 * @category models
 */
export type Transport = (method: Method, url: URL) => Send

/**
 * Where to send updates, and with which credentials.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<E = never, R = never> {
  /** Run once, when the layer is built. `Credentials.use` replaces it for a single call or a region. */
  readonly credentials: Effect.Effect<Credentials, E, R>
  /** Default: `"production"`. */
  readonly server?: Server.Server | undefined
}

/**
 * What is not read from the configuration.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConfigOptions<E = never, R = never> {
  /** Default: `Credentials.config`. `Credentials.oauthConfig` is the other. */
  readonly credentials?: Effect.Effect<Credentials, E, R> | undefined
}

/**
 * An `InstallationService` over a transport. Fails with `BadRequest` when the server cannot be used.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeService = <E, R>(
  transport: Transport,
  options: Options<E, R>
): Effect.Effect<InstallationService["Type"], BadRequest | E, R> =>
  internal.makeService(internal.fromTransport(transport), options)

/**
 * The same, configured by `PLEO_SERVER`, and by `PLEO_ACCESS_TOKEN` or `PLEO_API_KEY` unless credentials are given.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeServiceConfig = <E = never, R = never>(
  transport: Transport,
  options: ConfigOptions<E, R> = {}
): Effect.Effect<InstallationService["Type"], ConfigError | E, R> =>
  internal.makeServiceConfig(internal.fromTransport(transport), options)
