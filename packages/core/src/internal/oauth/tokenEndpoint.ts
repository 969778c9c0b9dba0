// Exchanges a refresh token for new tokens (RFC 6749 section 6), and classifies the responses.
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Metric from "effect/Metric"
import * as Redacted from "effect/Redacted"
import type { Span } from "effect/Tracer"
import { Infrastructure, type InstallationError, Unauthorized } from "../../InstallationError.ts"
import type * as Transport from "../../Transport.ts"
import { validateSecret } from "../credentials/credentials.ts"
import { monotonic, type TimedOut } from "../http/deadline.ts"
import { fromFailure, retryAfterOf } from "../http/failure.ts"
import * as Json from "../http/json.ts"
import type { Attempt, Sender } from "../http/sender.ts"
import * as metrics from "../telemetry/metrics.ts"
import { endpoint } from "../telemetry/observer.ts"

export interface App {
  readonly clientId: string
  readonly clientSecret: Redacted.Redacted
  readonly tokenEndpoint: URL
}

export type Result =
  | {
      readonly _tag: "Issued"
      readonly accessToken: Redacted.Redacted
      /** If absent, the sent one stays valid. */
      readonly refreshToken: Redacted.Redacted | undefined
      readonly expiresIn: Duration.Duration | undefined
    }
  /** The token was invalid, or is now. */
  | { readonly _tag: "Refused" }
  /** The token was not used, and stays valid. */
  | { readonly _tag: "Failed"; readonly error: InstallationError }
  /** The token was sent, and may have been used. */
  | { readonly _tag: "Lost" }

const lost: Result = { _tag: "Lost" }

const failed = (error: InstallationError): Result => ({ _tag: "Failed", error })

// RFC 6749 section 5.2 defines the first; servers use the others for a grant that has ended. With the status 401, some
// servers use `access_denied` for a wrong client secret.
const endOfGrant: ReadonlySet<unknown> = new Set([
  "invalid_grant",
  "access_denied",
  "invalid_token",
  "consent_required",
  "interaction_required",
  "login_required"
])

const parse = (body: Uint8Array): Readonly<Record<string, unknown>> => {
  const json = Json.parse(new TextDecoder().decode(body))
  return Either.isRight(json) && typeof json.right === "object" && json.right !== null
    ? (json.right as Record<string, unknown>)
    : {}
}

const maxSeconds = 2 ** 31

/** Seconds, which some servers write as a string. */
const parseExpiresIn = (value: unknown): Duration.Duration | undefined => {
  const seconds = typeof value === "string" && value.trim() !== "" ? Number(value) : value
  // An infinite number could not be stored as JSON.
  return typeof seconds === "number" && seconds >= 0 && seconds <= maxSeconds
    ? Duration.seconds(seconds)
    : undefined
}

const isToken = (value: unknown): value is string => typeof value === "string" && value !== ""

/** Invalid tokens were issued all the same: the refresh token is used. */
const fromSuccess = (body: Uint8Array): Result => {
  const { access_token, expires_in, refresh_token, token_type } = parse(body)
  return isToken(access_token) &&
    validateSecret(access_token) === undefined &&
    (refresh_token === undefined || isToken(refresh_token)) &&
    (token_type === undefined || /^bearer$/i.test(String(token_type)))
    ? {
        _tag: "Issued",
        accessToken: Redacted.make(access_token),
        refreshToken: refresh_token === undefined ? undefined : Redacted.make(refresh_token),
        expiresIn: parseExpiresIn(expires_in)
      }
    : lost
}

/** A rejection of the app rather than the customer: the client is unknown, or may not refresh. */
const fromOtherRefusal = (status: number, code: string): Result =>
  failed(
    new Unauthorized({
      reason: "Unauthenticated",
      issues: [
        { path: ["clientId"], message: `the authorization server responded with ${code} (status ${status})` }
      ]
    })
  )

const fromResponse = (response: Transport.Response, now: number): Result => {
  const { body, status } = response
  if (status >= 200 && status < 300) return fromSuccess(body)
  // A gateway without a valid response from its server does not know whether the token was used.
  if (status === 502 || status === 504) return lost
  if (status >= 400 && status < 500 && status !== 408 && status !== 429) {
    const { error } = parse(body)
    const isOfApp = status === 401 && error === "access_denied"
    if (endOfGrant.has(error) && !isOfApp) return { _tag: "Refused" }
    if (typeof error === "string" && /^[a-z_]{1,40}$/.test(error)) return fromOtherRefusal(status, error)
  }
  const retryAfter = retryAfterOf(response, now)
  return failed(
    new Infrastructure({
      reason: "TokenEndpoint",
      status,
      ...(retryAfter === undefined ? {} : { retryAfter })
    })
  )
}

const fromBroken = (failure: Transport.Failure | TimedOut, { isSent }: Attempt): Result => {
  if (failure._tag === "TimedOut")
    return isSent ? lost : failed(new Infrastructure({ reason: "TokenEndpoint" }))
  const error = fromFailure(failure)
  if (error._tag !== "Infrastructure") return failed(error)
  const { code, phase, proxyStatus } = error
  return phase === undefined
    ? lost
    : failed(
        new Infrastructure({
          reason: "TokenEndpoint",
          ...(code === undefined ? {} : { code }),
          ...(proxyStatus === undefined ? {} : { proxyStatus })
        })
      )
}

/** Exchanges a refresh token. `timeout` is in milliseconds. */
export const exchange = (
  app: App,
  refreshToken: Redacted.Redacted,
  sender: Sender,
  timeout: number
): Effect.Effect<Result> => {
  const body = new URLSearchParams({
    grant_type: "refresh_token",
    refresh_token: Redacted.value(refreshToken),
    client_id: app.clientId,
    client_secret: Redacted.value(app.clientSecret)
  }).toString()
  const headers = { accept: "application/json", "content-type": "application/x-www-form-urlencoded" }
  const { attributes, name } = endpoint("POST", app.tokenEndpoint)
  const send = (span: Span) =>
    Effect.clockWith((clock) => {
      const attempt: Attempt = {
        deadline: { clock, at: monotonic(clock) + timeout },
        span: undefined,
        isSent: false
      }
      return sender("POST", app.tokenEndpoint)({ headers, body, freshConnection: true }, attempt).pipe(
        Effect.match({
          onFailure: (failure) => fromBroken(failure, attempt),
          onSuccess: (response) => {
            span.attribute("http.response.status_code", response.status)
            return fromResponse(response, clock.unsafeCurrentTimeMillis())
          }
        }),
        // A transport that throws may have sent the request.
        Effect.catchAllDefect(() => Effect.succeed(lost)),
        Effect.tap(({ _tag }) => {
          if (_tag !== "Issued") span.attribute("error.type", _tag)
          return Effect.zipRight(
            Metric.update(Metric.tagged(metrics.refreshes, "result", _tag), 1),
            Effect.logDebug(`${name} ${_tag}`)
          )
        })
      )
    })
  return Effect.useSpan(
    name,
    { kind: "client", captureStackTrace: false, attributes: Object.fromEntries(attributes) },
    send
  )
}
