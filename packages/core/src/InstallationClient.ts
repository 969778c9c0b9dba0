/**
 * `InstallationService` over any `HttpClient`.
 *
 * @since 0.1.0
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as HttpClient from "@effect/platform/HttpClient"
import type { HttpClientError } from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type { HttpClientResponse } from "@effect/platform/HttpClientResponse"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import { updateClientInstallation } from "./AppMarketplaceApi.ts"
import * as Credentials from "./Credentials.ts"
import type { Installation } from "./Installation.ts"
import type { BadRequest, InstallationError, Issue } from "./InstallationError.ts"
import { InstallationService } from "./InstallationService.ts"
import { decodeInstallation, encodeUpdate } from "./internal/codec.ts"
import * as internalCredentials from "./internal/credentials.ts"
import { fromHttpClientError, fromInvalidBody, fromStatus } from "./internal/failure.ts"
import * as Json from "./internal/json.ts"
import { Ordering } from "./internal/ordering.ts"
import { RetryBudget } from "./internal/retryBudget.ts"
import * as RetryRegion from "./internal/retryRegion.ts"
import * as Scrub from "./internal/scrub.ts"
import * as Server from "./Server.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface Options<E = never, R = never> {
  /** Run once, when the layer is built. `Credentials.use` replaces it for a single call or a region. */
  readonly credentials: Effect.Effect<Credentials.Credentials, E, R>
  /** Default: `"production"`. */
  readonly server?: Server.Server | undefined
}

const mediaType = (schema: Schema.Schema.Any) => HttpApiSchema.getEncoding(schema.ast).contentType

const contentType = mediaType(Option.getOrThrow(updateClientInstallation.payloadSchema))

// Without its charset, which RFC 9110 gives no meaning in a field that names what is accepted.
const accept = mediaType(updateClientInstallation.successSchema).replace(/;.*/, "")

// fetch follows redirects by default, and would carry the request elsewhere.
const withoutRedirects = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.mapInputContext(self, (context: Context.Context<R>) =>
    Context.add(context, FetchHttpClient.RequestInit, {
      ...Option.getOrUndefined(Context.getOption(context, FetchHttpClient.RequestInit)),
      redirect: "manual"
    })
  )

// A client that was told to fail upon a status has the answer all the same.
const withAnyStatus = (
  self: Effect.Effect<HttpClientResponse, HttpClientError>
): Effect.Effect<HttpClientResponse, HttpClientError> =>
  Effect.catchTag(self, "ResponseError", (error) =>
    error.reason === "StatusCode" ? Effect.succeed(error.response) : Effect.fail(error)
  )

const isSuccess = ({ status }: HttpClientResponse) => status >= 200 && status < 300

const strictUtf8 = new TextDecoder("utf-8", { fatal: true })

// Enough of a body for an excerpt of it, however many bytes the credential takes there.
const quotable = (bytes: ArrayBuffer): string => new TextDecoder().decode(bytes.slice(0, 16 * 1024))

const decodeUtf8 = (bytes: ArrayBuffer): Either.Either<string, string> => {
  if (bytes.byteLength === 0) return Either.left("expected a body")
  try {
    return Either.right(strictUtf8.decode(bytes))
  } catch {
    return Either.left("expected UTF-8")
  }
}

const decodeBody = (bytes: ArrayBuffer): Either.Either<Installation, ReadonlyArray<Issue>> =>
  Either.flatMap(decodeUtf8(bytes), Json.parse).pipe(
    Either.mapLeft((message) => [{ path: [], message }]),
    Either.flatMap(decodeInstallation)
  )

const interpret = (
  response: HttpClientResponse,
  makeScrub: () => (text: string) => string
): Effect.Effect<Installation, InstallationError> =>
  isSuccess(response)
    ? Effect.flatMap(Effect.mapError(response.arrayBuffer, fromHttpClientError), (bytes) =>
        Either.mapLeft(decodeBody(bytes), (issues) =>
          fromInvalidBody(response, quotable(bytes), issues, makeScrub())
        )
      )
    : Effect.flatMap(
        Effect.zip(
          Effect.orElseSucceed(response.arrayBuffer, () => new ArrayBuffer(0)),
          Clock.currentTimeMillis
        ),
        ([bytes, now]) => Effect.fail(fromStatus(response, quotable(bytes), now, makeScrub()))
      )

const fromBaseUrl = (
  baseUrl: string,
  credentials: Credentials.Credentials
): Effect.Effect<InstallationService["Type"], never, HttpClient.HttpClient> =>
  Effect.map(HttpClient.HttpClient, (platformClient) => {
    // The platform's span would carry every header, and send trace headers along: ours replaces it.
    const client = HttpClient.withTracerDisabledWhen(platformClient, () => true)
    const url = new URL(baseUrl + updateClientInstallation.path)
    const blank = HttpClientRequest.make(updateClientInstallation.method)(url.href, { headers: { accept } })
    const spanOptions = {
      kind: "client",
      captureStackTrace: false,
      attributes: {
        "http.request.method": blank.method,
        "server.address": url.hostname,
        "server.port": url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port),
        "url.full": url.href
      }
    } as const
    const send = (body: string, credentials: Credentials.Credentials) =>
      blank.pipe(
        HttpClientRequest.setHeader("authorization", internalCredentials.authorization(credentials)),
        HttpClientRequest.bodyText(body, contentType),
        client.execute,
        withoutRedirects,
        withAnyStatus,
        Effect.mapError(fromHttpClientError),
        Effect.tap((response) => Effect.annotateCurrentSpan("http.response.status_code", response.status)),
        Effect.flatMap((response) => interpret(response, () => Scrub.make(credentials, body)))
      )
    const budget = new RetryBudget()
    const ordering = new Ordering(() => budget.deposit())
    const sendInOrder = (body: string) =>
      Effect.flatMap(
        Effect.zip(internalCredentials.current(credentials), RetryRegion.Current),
        ([chosen, current]) => {
          const region = Option.getOrUndefined(current)
          if (region !== undefined) region.budget = budget
          return ordering.attempt(internalCredentials.authorization(chosen), body, region, send(body, chosen))
        }
      )
    return InstallationService.of({
      update: (request) =>
        Effect.withSpan(
          Effect.flatMap(
            Effect.suspend(() => encodeUpdate(request)),
            sendInOrder
          ),
          "InstallationService.update",
          spanOptions
        )
    })
  })

/**
 * An `InstallationService` that sends its updates through the `HttpClient` of the environment, with one
 * span `InstallationService.update` an update. No trace header goes to Pleo, and no redirect is followed.
 *
 * Updates with the same credential are sent one at a time, in the order of their calls; updates with
 * different credentials do not wait for each other. All share one retry budget.
 *
 * Fails with `BadRequest` when the server cannot be used.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <E, R>(
  options: Options<E, R>
): Effect.Effect<InstallationService["Type"], BadRequest | E, HttpClient.HttpClient | R> =>
  Effect.flatMap(Server.baseUrl(options.server ?? "production"), (baseUrl) =>
    Effect.flatMap(options.credentials, (credentials) => fromBaseUrl(baseUrl, credentials))
  )

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = <E, R>(
  options: Options<E, R>
): Layer.Layer<InstallationService, BadRequest | E, HttpClient.HttpClient | R> =>
  Layer.effect(InstallationService, make(options))

/**
 * Configured by `PLEO_ACCESS_TOKEN` or `PLEO_API_KEY`, and `PLEO_SERVER`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (): Layer.Layer<InstallationService, ConfigError, HttpClient.HttpClient> =>
  Layer.effect(
    InstallationService,
    Effect.flatMap(Config.all([Server.config, Credentials.config]), ([baseUrl, credentials]) =>
      fromBaseUrl(baseUrl, credentials)
    )
  )
