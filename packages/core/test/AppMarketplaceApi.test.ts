import type { OpenAPISpec } from "@effect/platform/OpenApi"
import { describe, expect, it } from "@effect/vitest"
import { openApi } from "../src/AppMarketplaceApi.ts"
import { contract } from "./support/contract.ts"

type Node = { readonly [key: string]: unknown }
type Fact = string | number | boolean | null
type Facts = Readonly<Record<string, Fact>>

const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null

/** Keys whose order says nothing. */
const sets: ReadonlySet<string> = new Set(["required", "enum"])

const resolve = (document: Node, reference: string): unknown =>
  reference
    .slice(2)
    .split("/")
    .reduce<unknown>((node, key) => (isNode(node) ? node[key] : undefined), document)

const isProse = (key: string, value: unknown) =>
  (key === "description" || key === "summary") && typeof value === "string"

const asText = (value: unknown): Fact => (isNode(value) ? JSON.stringify(value) : (value as Fact))

/** The facts inside a value, by their paths. References are followed; prose is no fact. */
const factsIn = (
  document: Node,
  value: unknown,
  path: string,
  key = ""
): ReadonlyArray<readonly [string, Fact]> => {
  if (!isNode(value)) return [[path, asText(value)]]
  if (typeof value["$ref"] === "string") return factsIn(document, resolve(document, value["$ref"]), path, key)
  if (Array.isArray(value) && sets.has(key)) return [[path, asText([...value].sort())]]
  const entries = Object.entries(value).filter(([name, inner]) => !isProse(name, inner))
  return entries.length === 0
    ? [[path, Array.isArray(value) ? "[]" : "{}"]]
    : entries.flatMap(([name, inner]) => factsIn(document, inner, `${path}/${name}`, name))
}

const factsOf = (document: Node): Facts => {
  const { components, security, tags, ...rest } = document as unknown as OpenAPISpec
  return Object.fromEntries([
    ...factsIn(document, rest, ""),
    ...factsIn(document, components.securitySchemes, "/components/securitySchemes"),
    ["/components/schemas", asText(Object.keys(components.schemas).sort())],
    ["/security", asText(security)],
    ["/tags", asText(tags.map(({ name }) => name).sort())]
  ])
}

interface Difference {
  readonly contract: Fact | undefined
  readonly derived: Fact | undefined
}

const compare = (ofContract: Facts, ofDerived: Facts): Readonly<Record<string, Difference>> =>
  Object.fromEntries(
    [...new Set([...Object.keys(ofContract), ...Object.keys(ofDerived)])]
      .filter((path) => ofContract[path] !== ofDerived[path])
      .map((path) => [path, { contract: ofContract[path], derived: ofDerived[path] }])
  )

const derived = (): Node => structuredClone(openApi()) as unknown as Node

const json = "content/application/json;charset=UTF-8/schema"
const me = "/paths//v1/installations/me"
const get = `${me}/get`
const post = `${me}/post`
const put = `${me}/put`
const remove = `${me}/delete`
const activate = `${me}:activate/post`
const introspect = "/paths//v1/introspect/get"

const operations = [get, post, put, remove, activate, introspect]
const installations = [get, post, put, activate].map((operation) => `${operation}/responses/200/${json}`)
const requests = [post, put].map((operation) => `${operation}/requestBody/${json}`)
const introspection = `${introspect}/responses/200/${json}`
const request = `${put}/requestBody/${json}`
const response = `${put}/responses/200/${json}`

const absent = undefined
const uuidPattern = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"

type Declared = readonly [path: string, contract: Fact | undefined, derived: Fact | undefined]

/** The differences at each of some paths. */
const at = (paths: ReadonlyArray<string>, ...differences: ReadonlyArray<Declared>): ReadonlyArray<Declared> =>
  paths.flatMap((path) =>
    differences.map(([below, contract, derived]): Declared => [`${path}/${below}`, contract, derived])
  )

/** Each deliberate difference between the contract and the derived document, with its reason. */
const declared: ReadonlyArray<{
  readonly because: string
  readonly differences: ReadonlyArray<Declared>
}> = [
  {
    because: "@effect/platform writes OpenAPI 3.1, and only that",
    differences: [
      ["/openapi", "3.0.1", "3.1.0"],
      ...at(
        operations.filter((operation) => operation !== get),
        ["parameters", absent, "[]"]
      ),
      [`${post}/requestBody/${json}/required`, absent, "[]"]
    ]
  },
  {
    because: "HttpApi states security with the operation, where it replaces what the root says",
    differences: [
      ["/security", '[{"bearerAuth":[]},{"basicAuth":[]}]', "[]"],
      ...at(operations, ["security/0/bearerAuth", absent, "[]"], ["security/1/basicAuth", absent, "[]"])
    ]
  },
  {
    because: "only the groups of the declared operations are there",
    differences: [
      [
        "/tags",
        '["Applications","Authentication","Capabilities","Installations","health"]',
        '["Authentication","Installations"]'
      ]
    ]
  },
  {
    because: "the contract describes the 401 in its Authentication tag, not in the operation",
    differences: at(operations, ["responses/401", absent, "{}"])
  },
  {
    because: "the examples hold strings where the contract says object: any JSON value is sent and accepted",
    differences: at(
      [...requests, ...installations],
      ["properties/metadata/additionalProperties", absent, "{}"],
      ["properties/metadata/additionalProperties/type", "object", absent]
    )
  },
  {
    because: "it is OpenAPI's default, stated",
    differences: at(
      [...requests, ...installations, introspection, `${introspection}/properties/data`],
      ["additionalProperties", absent, true]
    )
  },
  {
    because: "a response may have a new value, which a closed enum would refuse",
    differences: [
      [`${introspection}/properties/data/properties/authMethod/enum`, '["API_KEY","NONE","OAUTH2"]', absent]
    ]
  },
  {
    because: "effect/Schema gives a uuid a pattern beside its format",
    differences: [
      [`${get}/parameters/0/schema/pattern`, absent, uuidPattern],
      ...at(
        installations,
        ["properties/id/pattern", absent, uuidPattern],
        ["properties/applicationId/pattern", absent, uuidPattern]
      )
    ]
  },
  {
    because: "error messages name what was expected by its title",
    differences: [
      ...at([...requests, ...installations], ["properties/metadata/title", absent, "a JSON object"]),
      ...at(
        installations,
        ["properties/createdAt/title", absent, "an RFC 3339 date-time"],
        ["properties/updatedAt/title", absent, "an RFC 3339 date-time"]
      )
    ]
  },
  {
    because: "effect/JSONSchema has no readOnly, and the request has a schema of its own",
    differences: ["applicationId", "createdAt", "errorCode", "id", "resource", "updatedAt"].flatMap((field) =>
      at(installations, [`properties/${field}/readOnly`, true, absent])
    )
  },
  {
    because: "the contract's examples live with the contract",
    differences: [
      ...at(
        requests,
        ["properties/metadata/example/externalApplicationId", "123456789", absent],
        ["properties/metadata/additionalProperties/example/externalApplicationId", "123456789", absent]
      ),
      ...at(
        installations,
        ["properties/applicationId/example", "123e4567-e89b-12d3-a456-426614174000", absent],
        ["properties/createdAt/example", "2021-01-01T00:00:00Z", absent],
        ["properties/errorCode/example", "NOT_ENTITLED", absent],
        ["properties/id/example", "123e4567-e89b-12d3-a456-426614174000", absent],
        ["properties/metadata/example/key", "value", absent],
        ["properties/metadata/additionalProperties/example/key", "value", absent],
        ["properties/resource/example", "urn:pleo:company:123e4567-e89b-12d3-a456-426614174000", absent],
        ["properties/status/example", "ACTIVATED", absent],
        ["properties/updatedAt/example", "2021-01-01T00:00:00Z", absent]
      )
    ]
  },
  {
    because: "effect/JSONSchema names the uuid",
    differences: [
      [
        "/components/schemas",
        '["CreateInstallationRequest","InstallationErrorCode","InstallationResponse","InstallationStatus","IntrospectionResponse","UpdateInstallationRequest"]',
        '["CreateInstallationRequest","InstallationErrorCode","InstallationResponse","InstallationStatus","IntrospectionResponse","UUID","UpdateInstallationRequest"]'
      ]
    ]
  }
]

const expected: Readonly<Record<string, Difference>> = Object.fromEntries(
  declared.flatMap(({ differences }) =>
    differences.map(([path, contract, derived]) => [path, { contract, derived }])
  )
)

const differencesOf = (document: Node) => compare(factsOf(contract), factsOf(document))

// biome-ignore lint/suspicious/noExplicitAny: a document to break, in one place at a time.
type Broken = any

const operation = (document: Broken) => document.paths["/v1/installations/me"].put
const requestSchema = (document: Broken) => document.components.schemas.UpdateInstallationRequest
const responseSchema = (document: Broken) => document.components.schemas.InstallationResponse

describe("AppMarketplaceApi", () => {
  it("derives the published contract, save for the declared differences", () => {
    expect(differencesOf(derived())).toEqual(expected)
  })

  it("shares with the contract every fact that a client depends on", () => {
    const facts = factsOf(derived())
    expect(facts).toMatchObject({
      "/info/title": "App Marketplace API",
      "/info/version": "39.4.0",
      "/servers/0/url": "https://external.pleo.io",
      "/servers/1/url": "https://external.staging.pleo.io",
      [`${get}/operationId`]: "getClientInstallation",
      [`${get}/parameters/0/name`]: "company_id",
      [`${post}/operationId`]: "createClientInstallation",
      [`${put}/operationId`]: "updateClientInstallation",
      [`${remove}/operationId`]: "deleteClientInstallation",
      [`${remove}/responses/204`]: "{}",
      [`${activate}/operationId`]: "activateMyInstallation",
      [`${introspect}/operationId`]: "introspect",
      [`${put}/tags/0`]: "Installations",
      [`${put}/requestBody/required`]: true,
      [`${request}/required`]: '["status"]',
      [`${request}/properties/status/enum`]:
        '["ACTIVATED","AUTHORIZED","ERROR","INACTIVE","PENDING_INTEGRATION"]',
      [`${request}/properties/errorCode/enum`]: '["AUTH_ERROR","NOT_ENTITLED"]',
      [`${response}/required`]:
        '["applicationId","createdAt","id","metadata","resource","status","updatedAt"]',
      [`${response}/properties/id/format`]: "uuid",
      [`${response}/properties/createdAt/format`]: "date-time",
      [`${put}/responses/400`]: "{}",
      [`${put}/responses/500`]: "{}",
      "/components/securitySchemes/bearerAuth/scheme": "bearer",
      "/components/securitySchemes/bearerAuth/bearerFormat": "JWT",
      "/components/securitySchemes/basicAuth/scheme": "basic"
    })
    const shared = Object.keys(facts).filter((path) => facts[path] === factsOf(contract)[path])
    expect(shared.length).toBeGreaterThan(30)
  })

  it("declares each difference once", () => {
    const paths = declared.flatMap(({ differences }) => differences.map(([path]) => path))
    expect(paths).toHaveLength(new Set(paths).size)
  })

  describe("a difference that nobody declared is noticed", () => {
    const changes: ReadonlyArray<readonly [string, (document: Broken) => void]> = [
      ["another server", (document) => document.servers.pop()],
      [
        "another path",
        (document) => {
          document.paths["/v2/installations/me"] = document.paths["/v1/installations/me"]
          delete document.paths["/v1/installations/me"]
        }
      ],
      [
        "another method",
        (document) => {
          document.paths["/v1/installations/me"].patch = operation(document)
          delete document.paths["/v1/installations/me"].put
        }
      ],
      ["another operationId", (document) => (operation(document).operationId = "update")],
      ["another tag", (document) => (operation(document).tags = ["Applications"])],
      [
        "another media type",
        (document) => {
          const { requestBody } = operation(document)
          requestBody.content = { "application/json": requestBody.content["application/json;charset=UTF-8"] }
        }
      ],
      ["an optional body", (document) => (operation(document).requestBody.required = false)],
      ["a status that may be left out", (document) => (requestSchema(document).required = [])],
      ["a field less required", (document) => responseSchema(document).required.pop()],
      ["a field more", (document) => (responseSchema(document).properties.name = { type: "string" })],
      [
        "a field of another type",
        (document) => (responseSchema(document).properties.resource.type = "number")
      ],
      ["a field without format", (document) => delete responseSchema(document).properties.createdAt.format],
      ["a status less", (document) => document.components.schemas.InstallationStatus.enum.pop()],
      [
        "a closed status in the response",
        (document) => (responseSchema(document).properties.status.enum = ["X"])
      ],
      ["a response less", (document) => delete operation(document).responses[400]],
      ["a described 500", (document) => (operation(document).responses[500].content = { "text/plain": {} })],
      ["a scheme less", (document) => delete document.components.securitySchemes.basicAuth],
      ["another scheme", (document) => (document.components.securitySchemes.bearerAuth.scheme = "digest")],
      [
        "an operation less",
        (document) => {
          delete document.paths["/v1/introspect"]
        }
      ],
      ["a query parameter less", (document) => document.paths["/v1/installations/me"].get.parameters.pop()],
      [
        "another status of a deletion",
        (document) => {
          const { responses } = document.paths["/v1/installations/me"].delete
          responses[200] = responses[204]
          delete responses[204]
        }
      ],
      ["a public operation", (document) => (operation(document).security = [])]
    ]

    it.each(changes)("%s", (_, change) => {
      const document = derived()
      change(document)
      expect(differencesOf(document)).not.toEqual(expected)
    })
  })

  it("a declared difference that is gone is noticed", () => {
    for (const path of Object.keys(expected)) {
      const { [path]: _, ...others } = factsOf(derived())
      const fact = factsOf(contract)[path]
      const agreeing = fact === undefined ? others : { ...others, [path]: fact }
      expect(compare(factsOf(contract), agreeing), path).not.toEqual(expected)
    }
  })

  it("takes the order of required fields and of enum values for no fact", () => {
    const document: Broken = derived()
    responseSchema(document).required.reverse()
    document.components.schemas.InstallationStatus.enum.reverse()
    expect(differencesOf(document)).toEqual(expected)
  })
})
