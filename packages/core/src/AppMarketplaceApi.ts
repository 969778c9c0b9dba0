/**
 * The contract of Pleo's App Marketplace API.
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
 * The caller of a request, on the server: the authentication scheme and the secret.
 *
 * @example
 * ```ts
 * const scheme = Effect.map(AppMarketplaceApi.Caller, (caller) => caller.scheme)
 * ```
 * @since 0.1.0
 * @category tags
 */
export class Caller extends Context.Tag("@effect-pleo/core/AppMarketplaceApi/Caller")<
  Caller,
  { readonly scheme: "Bearer" | "Basic"; readonly secret: Redacted.Redacted }
>() {}

/**
 * Authenticates callers, on the server: by an OAuth access token as bearer, or by an API key as the user name of HTTP
 * Basic with an empty password.
 *
 * @example
 * ```ts
 * Layer.succeed(AppMarketplaceApi.Authentication, {
 *   bearerAuth: (secret) => Effect.succeed({ scheme: "Bearer", secret }),
 *   basicAuth: () => new HttpApiError.Unauthorized()
 * })
 * ```
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

// Encoding a schema creates another one, which needs the identifier again.
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

// Kept off the schemas, which every application bundles.
const descriptions = {
  InstallationStatus: [
    "ACTIVATED: it works.",
    "INACTIVE: it is not in use.",
    "AUTHORIZED: the user has authorized the app, but cannot use it yet.",
    "PENDING_INTEGRATION: it is synchronizing or doing other background work.",
    "ERROR: it does not work; the error code says why."
  ],
  InstallationErrorCode: [
    "NOT_ENTITLED: this installation may not use the app.",
    "AUTH_ERROR: authentication failed during installation."
  ]
}

const withDescriptions = (spec: Record<string, unknown>): Record<string, unknown> => {
  const { components } = structuredClone(spec) as unknown as OpenApi.OpenAPISpec
  for (const [name, sentences] of Object.entries(descriptions))
    Object.assign(components.schemas[name] ?? {}, { description: sentences.join(" ") })
  return { ...spec, components }
}

// HttpApi adds a body schema to every 400. The contract describes none.
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
 * The App Marketplace API as an `HttpApi`, to serve it or to derive other clients from it.
 *
 * @example
 * ```ts
 * HttpApiBuilder.group(AppMarketplaceApi.AppMarketplaceApi, "Installations", (handlers) =>
 *   handlers.handle("updateClientInstallation", ({ payload }) =>
 *     Effect.orDie(InstallationService.update(payload))
 *   )
 * )
 * ```
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
 * The OpenAPI document of the contract.
 *
 * @example
 * ```ts
 * JSON.stringify(AppMarketplaceApi.openApi(), null, 2)
 * ```
 * @since 0.1.0
 * @category conversions
 */
export const openApi = (): OpenApi.OpenAPISpec =>
  OpenApi.fromApi(AppMarketplaceApi, { additionalPropertiesStrategy: "allow" })
