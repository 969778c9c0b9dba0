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
import { Installation } from "./Installation.ts"
import * as contract from "./internal/contract.ts"
import { UpdateInstallation } from "./UpdateInstallation.ts"

/**
 * The servers that the contract names.
 *
 * @since 0.1.0
 * @category constants
 */
export const servers = contract.servers

/**
 * Who is calling, on the side that serves: the scheme and the secret as they arrived.
 *
 * @since 0.1.0
 * @category tags
 */
export class Caller extends Context.Tag("@effect-pleo/core/AppMarketplaceApi/Caller")<
  Caller,
  { readonly scheme: "Bearer" | "Basic"; readonly secret: Redacted.Redacted }
>() {}

/**
 * Either scheme of the contract: an OAuth access token as bearer, or an API key as the user name of HTTP
 * Basic with an empty password.
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

const json = { kind: "Json", contentType: contract.contentType } as const

// Encoding a schema makes it another one, which has to be named again.
const payload = UpdateInstallation.pipe(HttpApiSchema.withEncoding(json)).annotations({
  identifier: "UpdateInstallationRequest"
})
const success = Installation.pipe(HttpApiSchema.withEncoding(json)).annotations({
  identifier: "InstallationResponse"
})

/**
 * `PUT /v1/installations/me`. There is no id in the path: the credential is the identity.
 *
 * @since 0.1.0
 * @category endpoints
 */
export const updateClientInstallation = HttpApiEndpoint.put("updateClientInstallation", contract.path)
  .setPayload(payload)
  .addSuccess(success)
  .addError(HttpApiError.BadRequest)
  .addError(HttpApiError.InternalServerError)
  .annotate(OpenApi.Identifier, "updateClientInstallation")
  .annotate(OpenApi.Summary, "Change the status, the error code or the metadata of the caller's installation")

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
 * The operation that updates an installation, as an `HttpApi`.
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
  .annotate(OpenApi.Transform, withoutDecodeErrors)

/**
 * The OpenAPI document of the contract as it stands here. Properties that it does not name are allowed,
 * as they are ignored.
 *
 * @since 0.1.0
 * @category conversions
 */
export const openApi = (): OpenApi.OpenAPISpec =>
  OpenApi.fromApi(AppMarketplaceApi, { additionalPropertiesStrategy: "allow" })
