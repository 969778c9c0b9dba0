/**
 * The App Marketplace API as far as this project uses it, written once: the client sends it, the sandbox
 * serves it, and the OpenAPI document is derived from it.
 *
 * @since 0.1.0
 * @module
 */
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiError from "@effect/platform/HttpApiError"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiMiddleware from "@effect/platform/HttpApiMiddleware"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as HttpApiSecurity from "@effect/platform/HttpApiSecurity"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Context from "effect/Context"
import type * as Redacted from "effect/Redacted"
import * as operations from "./internal/contract/operations.ts"
import { servers } from "./internal/contract/servers.ts"

/**
 * Who is calling, on the side that serves: the scheme and the secret as they arrived.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { AppMarketplaceApi } from "@effect-pleo/core"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * const describe = Effect.map(AppMarketplaceApi.Caller, ({ scheme, secret }) => `${scheme} ${secret}`)
 *
 * const caller = { scheme: "Basic", secret: Redacted.make("key-of-a-customer") } as const
 * assert.equal(
 *   Effect.runSync(Effect.provideService(describe, AppMarketplaceApi.Caller, caller)),
 *   "Basic <redacted>"
 * )
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class Caller extends Context.Tag("@effect-pleo/core/AppMarketplaceApi/Caller")<
  Caller,
  { readonly scheme: "Bearer" | "Basic"; readonly secret: Redacted.Redacted }
>() {}

/**
 * How a server finds out who is calling, by either scheme of the contract: an OAuth access token as bearer, or an
 * API key as the user name of HTTP Basic with an empty password.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import * as HttpApiError from "@effect/platform/HttpApiError"
 * import { AppMarketplaceApi } from "@effect-pleo/core"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 *
 * // A server that lets every token in, and no key.
 * const authentication = Layer.succeed(AppMarketplaceApi.Authentication, {
 *   bearerAuth: (secret) => Effect.succeed({ scheme: "Bearer", secret }),
 *   basicAuth: () => new HttpApiError.Unauthorized()
 * })
 *
 * const schemes = Effect.map(AppMarketplaceApi.Authentication, Object.keys)
 * assert.deepEqual(Effect.runSync(Effect.provide(schemes, authentication)), ["bearerAuth", "basicAuth"])
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class Authentication extends HttpApiMiddleware.Tag<Authentication>()(
  "@effect-pleo/core/AppMarketplaceApi/Authentication",
  {
    failure: HttpApiError.Unauthorized,
    provides: Caller,
    security: {
      bearerAuth: HttpApiSecurity.bearer.pipe(HttpApiSecurity.annotate(OpenApi.Format, "JWT")),
      basicAuth: HttpApiSecurity.basic
    }
  }
) {}

const json = { kind: "Json", contentType: operations.contentType } as const

const { method, operationId, path, request, response, summary } = operations.updateInstallation

// Encoding a schema makes it another one, which has to be named again.
const updateClientInstallation = HttpApiEndpoint.make(method)(operationId, path)
  .setPayload(
    request.pipe(HttpApiSchema.withEncoding(json)).annotations({ identifier: "UpdateInstallationRequest" })
  )
  .addSuccess(
    response.pipe(HttpApiSchema.withEncoding(json)).annotations({ identifier: "InstallationResponse" })
  )
  .addError(HttpApiError.BadRequest)
  .addError(HttpApiError.InternalServerError)
  .annotate(OpenApi.Identifier, operationId)
  .annotate(OpenApi.Summary, summary)

// Here and not on the schemas, which every application has in its bundle.
const descriptions = {
  InstallationStatus: [
    "ACTIVATED: it works.",
    "INACTIVE: it is not in use at present.",
    "AUTHORIZED: the user has let the app in, but it cannot be used yet.",
    "PENDING_INTEGRATION: the integration synchronises or does other background work.",
    "ERROR: it does not work; the error code says why."
  ],
  InstallationErrorCode: [
    "NOT_ENTITLED: this installation may not use the app.",
    "AUTH_ERROR: authentication failed while it was being installed."
  ]
}

const withDescriptions = (spec: Record<string, unknown>): Record<string, unknown> => {
  const { components } = structuredClone(spec) as unknown as OpenApi.OpenAPISpec
  for (const [name, sentences] of Object.entries(descriptions))
    Object.assign(components.schemas[name] ?? {}, { description: sentences.join(" ") })
  return { ...spec, components }
}

// HttpApi adds a described body to every 400. The contract describes none, and Pleo need not send one.
const withoutDecodeErrors = (spec: Record<string, unknown>): Record<string, unknown> => {
  const { components, paths } = structuredClone(spec) as unknown as OpenApi.OpenAPISpec
  for (const operations of Object.values(paths)) {
    for (const operation of Object.values(operations)) delete operation.responses[400]?.content
  }
  for (const name of ["HttpApiDecodeError", "Issue", "PropertyKey", "BadRequest"])
    delete components.schemas[name]
  return { ...spec, components, paths }
}

/**
 * The App Marketplace API as an `HttpApi`: what serves it, and clients of your own, are derived from it.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
 * import * as HttpServer from "@effect/platform/HttpServer"
 * import { AppMarketplaceApi, InstallationService } from "@effect-pleo/core"
 * import { InstallationServiceTest } from "@effect-pleo/testing"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 *
 * const authentication = Layer.succeed(AppMarketplaceApi.Authentication, {
 *   bearerAuth: (secret) => Effect.succeed({ scheme: "Bearer", secret }),
 *   basicAuth: (basic) => Effect.succeed({ scheme: "Basic", secret: basic.password })
 * })
 * const installations = HttpApiBuilder.group(
 *   AppMarketplaceApi.AppMarketplaceApi,
 *   "Installations",
 *   (handlers) =>
 *     handlers.handle("updateClientInstallation", ({ payload }) =>
 *       Effect.orDie(InstallationService.update(payload))
 *     )
 * )
 * const api = HttpApiBuilder.api(AppMarketplaceApi.AppMarketplaceApi).pipe(
 *   Layer.provide(installations),
 *   Layer.provide([authentication, InstallationServiceTest.layerTest()])
 * )
 * const { dispose, handler } = HttpApiBuilder.toWebHandler(Layer.merge(api, HttpServer.layerContext))
 *
 * const response = await handler(
 *   new Request("https://external.pleo.io/v1/installations/me", {
 *     method: "PUT",
 *     headers: { authorization: "Bearer token", "content-type": "application/json" },
 *     body: JSON.stringify({ status: "ACTIVATED" })
 *   })
 * )
 * assert.equal(response.status, 200)
 * await dispose()
 * ```
 *
 * @since 0.1.0
 * @category apis
 */
export const AppMarketplaceApi = HttpApi.make("AppMarketplaceApi")
  .add(HttpApiGroup.make("Installations").add(updateClientInstallation).middleware(Authentication))
  .annotate(OpenApi.Title, "App Marketplace API")
  .annotate(OpenApi.Version, "39.4.0")
  .annotate(OpenApi.Servers, [
    { url: servers.production, description: "production" },
    { url: servers.staging, description: "staging" }
  ])
  .annotate(OpenApi.Transform, (spec) => withDescriptions(withoutDecodeErrors(spec)))

/**
 * The OpenAPI document of the contract as it stands here. Properties that it does not name are allowed,
 * as they are ignored.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { AppMarketplaceApi } from "@effect-pleo/core"
 *
 * const { info, paths } = AppMarketplaceApi.openApi()
 * assert.equal(info.title, "App Marketplace API")
 * assert.deepEqual(Object.keys(paths), ["/v1/installations/me"])
 * ```
 *
 * @since 0.1.0
 * @category conversions
 */
export const openApi = (): OpenApi.OpenAPISpec =>
  OpenApi.fromApi(AppMarketplaceApi, { additionalPropertiesStrategy: "allow" })
