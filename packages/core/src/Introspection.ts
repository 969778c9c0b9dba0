/**
 * The credential of a request, as Pleo sees it.
 *
 * @since 0.1.0
 * @module
 */
import * as Schema from "effect/Schema"

const optional = Schema.optionalWith(Schema.String, { exact: true })

// The contract's enum, open so that values may be added.
const AuthMethod: Schema.Schema<"OAUTH2" | "API_KEY" | "NONE" | (string & {}), string> = Schema.String

const Response = Schema.Struct({
  data: Schema.Struct({
    authMethod: AuthMethod,
    clientId: Schema.String,
    /** Separated by spaces (RFC 6749 section 3.3). */
    scope: Schema.String,
    applicationName: optional,
    subjectURN: optional
  })
})

/**
 * The app, the subject, and the scopes of a credential, decoded from the response of `GET /v1/introspect`.
 *
 * @example
 * ```ts
 * const describe = ({ applicationName, subject }: Introspection.Introspection) => `${applicationName} for ${subject}`
 * ```
 * @since 0.1.0
 * @category schemas
 */
export const Introspection = Schema.transform(
  Response.annotations({ identifier: "IntrospectionResponse" }),
  Schema.Struct({
    authMethod: Schema.typeSchema(AuthMethod),
    clientId: Schema.String,
    scopes: Schema.Array(Schema.String),
    applicationName: optional,
    /** The URN of the customer, such as `urn:pleo:company:123e4567-e89b-12d3-a456-426614174000`. */
    subject: optional
  }),
  {
    strict: true,
    decode: ({ data: { scope, subjectURN, ...others } }) => ({
      ...others,
      scopes: scope.split(" ").filter((scope) => scope !== ""),
      ...(subjectURN === undefined ? {} : { subject: subjectURN })
    }),
    encode: ({ scopes, subject, ...others }) => ({
      data: {
        ...others,
        scope: scopes.join(" "),
        ...(subject === undefined ? {} : { subjectURN: subject })
      }
    })
  }
)

export interface Introspection extends Schema.Schema.Type<typeof Introspection> {}
