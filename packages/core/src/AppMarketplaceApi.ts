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
import type { HttpMethod } from "@effect/platform/HttpMethod"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Context from "effect/Context"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { Installation } from "./Installation.ts"
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

/** A body. Encoding a schema creates another one, which needs the identifier again. */
const asJson = <A, I>(schema: Schema.Schema<A, I>, identifier: string) =>
  schema.pipe(HttpApiSchema.withEncoding(json)).annotations({ identifier })

const installation = asJson(Installation, "InstallationResponse")

const BadGateway = HttpApiSchema.asEmpty(Schema.Literal("BadGateway"), {
  status: 502,
  decode: () => "BadGateway" as const
})

interface Row<Name extends string, Method extends HttpMethod> {
  readonly method: Method
  readonly operationId: Name
  readonly path: `/${string}`
  readonly summary: string
}

/** An endpoint of an operation, without errors. */
const describe = <Name extends string, Method extends HttpMethod>({
  method,
  operationId,
  path,
  summary
}: Row<Name, Method>) =>
  HttpApiEndpoint.make(method)(operationId, path)
    .annotate(OpenApi.Identifier, operationId)
    .annotate(OpenApi.Summary, summary)

/** An endpoint with the errors that the contract describes for all operations but `delete`. */
const endpoint = <Name extends string, Method extends HttpMethod>(operation: Row<Name, Method>) =>
  describe(operation).addError(HttpApiError.BadRequest).addError(HttpApiError.InternalServerError)

const getClientInstallation = endpoint(operations.getInstallation)
  .setUrlParams(operations.getInstallation.query)
  .addSuccess(installation)

const createClientInstallation = endpoint(operations.createInstallation)
  .setPayload(asJson(operations.createInstallation.request, "CreateInstallationRequest"))
  .addSuccess(installation)

const updateClientInstallation = endpoint(operations.updateInstallation)
  .setPayload(asJson(operations.updateInstallation.request, "UpdateInstallationRequest"))
  .addSuccess(installation)

// HttpApi reads a colon as the start of a parameter.
const activateMyInstallation = endpoint({
  ...operations.activateInstallation,
  path: `${operations.getInstallation.path}:action`
})
  .setPath(Schema.Struct({ action: Schema.Literal(":activate") }))
  .addSuccess(installation)

const deleteClientInstallation = describe(operations.deleteInstallation)
  .addSuccess(HttpApiSchema.NoContent)
  .addError(HttpApiError.NotFound)
  .addError(BadGateway)

const introspect = endpoint(operations.introspect).addSuccess(
  operations.introspect.response.pipe(HttpApiSchema.withEncoding(json))
)

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

// HttpApi adds a 400 with a body to every operation, and the parameter of a path. The contract has neither.
const asInContract = (spec: Record<string, unknown>): Record<string, unknown> => {
  const { components, paths } = structuredClone(spec) as unknown as OpenApi.OpenAPISpec
  for (const [path, methods] of Object.entries(paths)) {
    for (const operation of Object.values(methods)) {
      delete operation.responses[400]?.content
      if (operation.operationId === operations.deleteInstallation.operationId) delete operation.responses[400]
      operation.parameters = operation.parameters.filter((parameter) => parameter.in !== "path")
    }
    delete paths[path as keyof typeof paths]
    paths[path.replace("{action}", ":activate") as keyof typeof paths] = methods
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
 * const installation = Effect.flatMap(HttpApiClient.make(AppMarketplaceApi.AppMarketplaceApi), (client) =>
 *   client.Installations.getClientInstallation({ urlParams: {} })
 * )
 * ```
 * @since 0.1.0
 * @category apis
 */
export const AppMarketplaceApi = HttpApi.make("AppMarketplaceApi")
  .add(
    HttpApiGroup.make("Installations")
      .add(getClientInstallation)
      .add(createClientInstallation)
      .add(updateClientInstallation)
      .add(activateMyInstallation)
      .add(deleteClientInstallation)
      .middleware(Authentication)
  )
  .add(HttpApiGroup.make("Authentication").add(introspect).middleware(Authentication))
  .annotate(OpenApi.Title, "App Marketplace API")
  .annotate(OpenApi.Version, "39.4.0")
  .annotate(OpenApi.Servers, [
    { url: servers.production, description: "production" },
    { url: servers.staging, description: "staging" }
  ])
  .annotate(OpenApi.Transform, (spec) => withDescriptions(asInContract(spec)))

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
