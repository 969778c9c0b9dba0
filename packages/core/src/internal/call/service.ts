// Builds an `InstallationService` over any sender, from options or from the configuration.
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Credentials from "../../Credentials.ts"
import type { SchemaDrift } from "../../Installation.ts"
import { BadRequest } from "../../InstallationError.ts"
import type { InstallationService } from "../../InstallationService.ts"
import { config as serverConfig } from "../contract/serverConfig.ts"
import { baseUrl, type Server } from "../contract/servers.ts"
import type { Sender } from "../http/sender.ts"
import * as Client from "./client.ts"

/**
 * Options of a service that is configured in code.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<E = never, R = never> {
  /** Runs once, when the layer is built. `Credentials.use` overrides it. */
  readonly credentials: Effect.Effect<Credentials.Credentials, E, R>
  /**
   * `"production"` (the default), `"staging"`, or the URL of another server: `https`, or `http` to this machine. Its path
   * becomes a prefix; user info, a query, and a fragment are rejected.
   */
  readonly server?: Server | undefined
  /** Called once for each unknown value or field, at most 64. Updates neither wait for it nor fail with it. */
  readonly onDrift?: ((drift: SchemaDrift) => Effect.Effect<void>) | undefined
}

/**
 * Options of a service that is configured by environment variables.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConfigOptions<E = never, R = never> {
  /** `Credentials.config` (the default) or, for example, `OAuth.config`. */
  readonly credentials?: Effect.Effect<Credentials.Credentials, E, R> | undefined
  /** Called once for each unknown value or field, at most 64. Updates neither wait for it nor fail with it. */
  readonly onDrift?: ((drift: SchemaDrift) => Effect.Effect<void>) | undefined
}

const refuse = (message: string) => new BadRequest({ issues: [{ path: ["server"], message }] })

export const make = <E, R>(
  sender: Sender,
  { credentials, onDrift, server = "production" }: Options<E, R>
): Effect.Effect<InstallationService["Type"], BadRequest | E, R> =>
  Effect.flatMap(Either.mapLeft(baseUrl(server), refuse), (baseUrl) =>
    Effect.map(credentials, (credentials) => Client.make(sender, { baseUrl, credentials, onDrift }))
  )

export const makeConfig = <E, R>(
  sender: Sender,
  { credentials, onDrift }: ConfigOptions<E, R>
): Effect.Effect<InstallationService["Type"], ConfigError | E, R> =>
  Effect.flatMap(serverConfig, (baseUrl) =>
    Effect.map<Credentials.Credentials, ConfigError | E, R, InstallationService["Type"]>(
      credentials ?? Credentials.config,
      (credentials) => Client.make(sender, { baseUrl, credentials, onDrift })
    )
  )
