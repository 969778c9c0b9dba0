/**
 * The App Marketplace API and its authorization server on 127.0.0.1, for tests and demonstrations. The index does not
 * have this module: import `@effect-pleo/testing/Sandbox`, with `@effect/platform-node` and its peers installed.
 *
 * An access token that the sandbox issued is refused once it is expired, replaced or revoked, and a refresh token that
 * is used twice revokes its grant. Any other credential is accepted, with an installation of its own.
 *
 * @since 0.1.0
 * @module
 */
import * as HttpServer from "@effect/platform/HttpServer"
import type * as HttpServerError from "@effect/platform/HttpServerError"
import type { Installation } from "@effect-pleo/core/Installation"
import * as ConfigError from "effect/ConfigError"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Fault from "./Fault.ts"
import { TypeId } from "./internal/marketplace/plan.ts"
import { authorizePath, type RecordedRequest, tokenPath } from "./internal/sandbox/api.ts"
import * as Consent from "./internal/sandbox/consent.ts"
import { hostsOf } from "./internal/sandbox/guard.ts"
import * as server from "./internal/sandbox/server.ts"
import * as State from "./internal/sandbox/state.ts"

/**
 * A request that the sandbox received. It lacks the headers `authorization`, `cookie` and `referer`: of the credential,
 * only the scheme is kept. Of a form, only the grant type, the client's id, and a person's decision on the consent page are.
 *
 * @example
 * ```ts
 * const format = ({ method, path, scheme, status }: Sandbox.Request) =>
 *   `${method} ${path} ${scheme} ${status ?? "no response"}`
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Request extends RecordedRequest {}

/**
 * A running sandbox.
 *
 * @example
 * ```ts
 * const program = Effect.flatMap(Sandbox.Sandbox, ({ inject }) => inject(Fault.status(503)))
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class Sandbox extends Context.Tag("@effect-pleo/testing/Sandbox")<
  Sandbox,
  {
    /** Its address, such as `http://127.0.0.1:49152`: a server for `InstallationClient`. */
    readonly url: string
    /**
     * The variables that configure an application for it: `PLEO_SERVER` and `PLEO_API_KEY` or, with a `clientId`, those
     * of `OAuth.config`.
     */
    readonly environment: Readonly<Record<string, string>>
    /** Adds faults after those that are left. A request meets the oldest one that is for it. */
    readonly inject: (...faults: ReadonlyArray<Fault.Fault>) => Effect.Effect<void>
    /**
     * Decides on an authorization request, as a person does on its page, and returns the address of the redirect to the
     * app. Dies if the request leads to no redirect.
     */
    readonly consent: (
      authorizationUrl: string | URL,
      decision?: {
        /** Default: `true`. */
        readonly approve?: boolean | undefined
        /** The same name is the same company, with the same installation. Default: `Acme`. */
        readonly company?: string | undefined
      }
    ) => Effect.Effect<URL>
    /** Makes a grant without consent: a first pair of tokens, and an installation of its own. */
    readonly authorize: (options?: {
      /** The client that may refresh the grant. Default: the one that the sandbox expects. */
      readonly clientId?: string | undefined
      readonly clientSecret?: string | Redacted.Redacted | undefined
      /** Default: 1 hour. An infinite one leaves `expires_in` out of the responses of the token endpoint. */
      readonly expiresIn?: Duration.DurationInput | undefined
    }) => Effect.Effect<{
      readonly id: string
      readonly accessToken: Redacted.Redacted
      readonly refreshToken: Redacted.Redacted
      /** The life of each access token of the grant. Refresh tokens last until they are used or revoked. */
      readonly expiresIn: Duration.Duration
    }>
    /** Revokes a grant with all its tokens. Does nothing if it is unknown. */
    readonly revoke: (id: string) => Effect.Effect<void>
    /** Expires the access token of a grant, and not its refresh token. Does nothing if the grant is unknown. */
    readonly expire: (id: string) => Effect.Effect<void>
    /** The requests received so far, oldest first. */
    readonly requests: Effect.Effect<ReadonlyArray<Request>>
    /** Waits until so many requests have been received in all, and returns `requests`. */
    readonly awaitRequests: (count: number) => Effect.Effect<ReadonlyArray<Request>>
  }
>() {}

/**
 * The initial state.
 *
 * @example
 * ```ts
 * const options: Sandbox.Options = { port: 8080, installation: { status: "ACTIVATED" } }
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Default: any free port. */
  readonly port?: number | undefined
  /** How each installation begins. Default: `AUTHORIZED`, without metadata. */
  readonly installation?: Partial<Installation> | undefined
  /** The client that the sandbox expects, and that `environment` is for. Default: any, and an API key. */
  readonly clientId?: string | undefined
  readonly clientSecret?: string | Redacted.Redacted | undefined
  /** Where the app may be redirected to. Default: any `https` URL, and any `http` URL of this machine. */
  readonly redirectUris?: ReadonlyArray<string> | undefined
  /** The life of an authorization code. Default: 60 seconds. */
  readonly codeExpiresIn?: Duration.DurationInput | undefined
}

const plain = (secret: string | Redacted.Redacted): string =>
  Redacted.isRedacted(secret) ? Redacted.value(secret) : secret

/** The authorization endpoint without HTTP. */
const consent = (
  state: State.SandboxState["Type"],
  authorizationUrl: URL,
  {
    approve = true,
    company = Consent.defaultCompany
  }: { approve?: boolean | undefined; company?: string | undefined }
) => {
  const request = Consent.read(authorizationUrl.searchParams, state.registered)
  if (Either.isRight(request)) return Consent.decide(state, request.right, { approve, company })
  return "location" in request.left
    ? Effect.succeed(request.left.location)
    : Effect.die(new Error(`Invalid authorization request: ${request.left.message}`))
}

const sandbox = ({ clientId, clientSecret = "sandbox-secret" }: Options) =>
  Effect.gen(function* () {
    const state = yield* State.SandboxState
    const { authorization, marketplace } = state
    const { address } = yield* HttpServer.HttpServer
    const url = address._tag === "TcpAddress" ? `http://${address.hostname}:${address.port}` : address.path
    const hosts = address._tag === "TcpAddress" ? hostsOf(address.port) : []
    return Sandbox.of({
      url,
      environment: {
        PLEO_SERVER: url,
        ...(clientId === undefined
          ? { PLEO_API_KEY: "sandbox-key" }
          : {
              PLEO_CLIENT_ID: clientId,
              PLEO_CLIENT_SECRET: plain(clientSecret),
              PLEO_TOKEN_ENDPOINT: `${url}${tokenPath}`
            })
      },
      inject: (...faults) => Effect.sync(() => marketplace.inject(faults.map((fault) => fault[TypeId]))),
      consent: (authorizationUrl, decision = {}) =>
        Effect.suspend(() => {
          const target = new URL(authorizationUrl)
          if (!hosts.includes(target.host) || target.pathname !== authorizePath)
            return Effect.die(new Error(`Expected the authorization endpoint ${url}${authorizePath}`))
          return Effect.map(consent(state, target, decision), (location) => new URL(location))
        }),
      authorize: authorization.authorize,
      revoke: (id) => Effect.asVoid(authorization.revoke(id)),
      expire: (id) => Effect.asVoid(authorization.expire(id)),
      requests: marketplace.record.all,
      awaitRequests: (count) => marketplace.record.await(count)
    })
  })

/**
 * A sandbox that runs as long as its scope, by the `Clock` of its builder: under a `TestClock`, adjusting that expires
 * tokens and ends delays. Fails with `ServeError` if the port is taken.
 *
 * @example
 * ```ts
 * const program = Effect.map(Sandbox.Sandbox, ({ url }) => url)
 * const url = await Effect.runPromise(Effect.provide(program, Sandbox.layer()))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<Sandbox, HttpServerError.ServeError> =>
  Layer.effect(Sandbox, sandbox(options)).pipe(
    Layer.provide(server.layer(options.port ?? 0)),
    Layer.provide(State.layer(options))
  )

const missing = (path: ReadonlyArray<string>) =>
  ConfigError.MissingData([...path], "not among those that the sandbox sets")

/** The sandbox's variables instead of all others of this library, and what else is configured. */
const configuredBy = ({ environment }: Sandbox["Type"]): Layer.Layer<never> =>
  Effect.configProviderWith(({ flattened }) => {
    const others = ConfigProvider.fromFlat(
      ConfigProvider.makeFlat({
        load: (path, config, split) =>
          path[0]?.startsWith("PLEO_") ? Effect.fail(missing(path)) : flattened.load(path, config, split),
        enumerateChildren: flattened.enumerateChildren,
        patch: flattened.patch
      })
    )
    const own = ConfigProvider.fromMap(new Map(Object.entries(environment)))
    return Effect.succeed(Layer.setConfigProvider(ConfigProvider.orElse(own, () => others)))
  }).pipe(Layer.unwrapEffect)

/**
 * A sandbox with an application configured by its `environment`, as are the effects that the layer is provided to. Of
 * the variables that begin with `PLEO_` they see only the sandbox's, and others as they were.
 *
 * @example
 * ```ts
 * const live = Sandbox.layerTest(NodeInstallationService.layerConfig())
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerTest = <A, E, R>(
  application: Layer.Layer<A, E, R>,
  options?: Options
): Layer.Layer<A | Sandbox, E | HttpServerError.ServeError, Exclude<R, Sandbox>> =>
  application.pipe(
    Layer.provideMerge(Layer.unwrapEffect(Effect.map(Sandbox, configuredBy))),
    Layer.provideMerge(layer(options))
  )
