import { OAuth } from "@effect-pleo/core"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const Session = Schema.parseJson(OAuth.PendingAuthorization)

/**
 * Where to redirect the customer's browser, and a string to keep in its
 * session.
 */
export const begin = Effect.gen(function* () {
  const client = yield* OAuth.clientConfig
  const { pending, url } = yield* OAuth.authorizationRequest({
    ...client,
    redirectUri: "https://app.example/pleo/callback",
    scopes: ["users:read"]
  })
  return { url, session: yield* Schema.encode(Session)(pending) }
})

/**
 * `callback` is the path and query of the request. Take the string out of
 * the session, so that it is used once.
 */
export const complete = (session: string, callback: string) =>
  Effect.gen(function* () {
    const client = yield* OAuth.clientConfig
    const pending = yield* Schema.decode(Session)(session)
    return yield* OAuth.completeAuthorization({
      ...client,
      callback,
      pending
    })
  })
