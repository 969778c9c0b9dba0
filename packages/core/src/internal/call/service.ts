// What every layer of an `InstallationService` takes, resolved: credentials and server, given or from the configuration.
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Credentials from "../../Credentials.ts"
import { BadRequest } from "../../InstallationError.ts"
import type { InstallationService } from "../../InstallationService.ts"
import type { OnDrift } from "../../SchemaDrift.ts"
import * as Server from "../../Server.ts"
import { baseUrl } from "../contract/servers.ts"
import type { Sender } from "../http/sender.ts"
import * as Client from "./client.ts"

export interface Options<E = never, R = never> {
  /** Run once, when the layer is built. `Credentials.use` replaces it for a single call or a region. */
  readonly credentials: Effect.Effect<Credentials.Credentials, E, R>
  /** Default: `"production"`. */
  readonly server?: Server.Server | undefined
  /** Called with each value or field of a response that this version does not know, once. */
  readonly onDrift?: OnDrift | undefined
}

export interface ConfigOptions<E = never, R = never> {
  /** Default: `Credentials.config`. `OAuth.config` is the other. */
  readonly credentials?: Effect.Effect<Credentials.Credentials, E, R> | undefined
  /** Called with each value or field of a response that this version does not know, once. */
  readonly onDrift?: OnDrift | undefined
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
  Effect.flatMap(Server.config, (baseUrl) =>
    Effect.map<Credentials.Credentials, ConfigError | E, R, InstallationService["Type"]>(
      credentials ?? Credentials.config,
      (credentials) => Client.make(sender, { baseUrl, credentials, onDrift })
    )
  )
