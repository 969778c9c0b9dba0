import { OAuth } from "@effect-pleo/core"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const TokenResponse = Schema.Struct({
  access_token: Schema.Redacted(Schema.NonEmptyString),
  refresh_token: Schema.Redacted(Schema.NonEmptyString),
  expires_in: Schema.optional(Schema.Number) // seconds
})

/** With the JSON that the token endpoint answered when the authorization code was exchanged. */
export const connect = (tenant: string, response: unknown) =>
  Effect.gen(function* () {
    const tokens = yield* Schema.decodeUnknown(TokenResponse)(response).pipe(
      // A ParseError quotes what it could not parse: here, tokens.
      Effect.mapError(() => new Error("the token endpoint did not answer with tokens"))
    )
    const grant = yield* OAuth.clientConfig
    yield* OAuth.storeTokens(
      { ...grant, tenant },
      {
        accessToken: tokens.access_token,
        refreshToken: tokens.refresh_token,
        expiresIn: tokens.expires_in === undefined ? undefined : Duration.seconds(tokens.expires_in)
      }
    )
  })
