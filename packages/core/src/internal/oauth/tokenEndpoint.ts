// Exchanges a refresh token for new tokens (RFC 6749 section 6), and classifies the responses.
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import { Infrastructure, type InstallationError, Unauthorized } from "../../InstallationError.ts"
import type * as Transport from "../../Transport.ts"
import * as operations from "../contract/operations.ts"
import { validateSecret } from "../credentials/credentials.ts"
import { monotonic, type TimedOut } from "../http/deadline.ts"
import { detailOf, fromFailure } from "../http/failure.ts"
import * as Json from "../http/json.ts"
import * as Redact from "../http/redact.ts"
import { retryAfterOf } from "../http/retryAfter.ts"
import type { Attempt, Sender } from "../http/sender.ts"
import * as MetricLabels from "../telemetry/metricLabels.ts"
import * as metrics from "../telemetry/metrics.ts"
import { endpoint } from "../telemetry/observer.ts"
import { log } from "../telemetry/quietly.ts"
import * as Span from "../telemetry/span.ts"

export interface App {
  readonly clientId: string
  readonly clientSecret: Redacted.Redacted
  readonly clientAuthentication: "client_secret_post" | "client_secret_basic"
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
  | { readonly _tag: "Failed"; readonly error: InstallationError; readonly hasResponded: boolean }
  /** The token was sent, and may have been used. `error` is of a gateway. */
  | { readonly _tag: "Lost"; readonly error?: Infrastructure }

const lost: Result = { _tag: "Lost" }

const unsent = (error: InstallationError): Result => ({ _tag: "Failed", error, hasResponded: false })

const failed = (error: InstallationError): Result => ({ _tag: "Failed", error, hasResponded: true })

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

/** Some servers write `null` or an empty string for an absent member. */
const isAbsent = (value: unknown): value is undefined | null | "" =>
  value === undefined || value === null || value === ""

/** Invalid tokens were issued all the same: the refresh token is used. */
const fromSuccess = (body: Uint8Array): Result => {
  const { access_token, expires_in, refresh_token, token_type } = parse(body)
  return isToken(access_token) &&
    validateSecret(access_token) === undefined &&
    (isAbsent(refresh_token) || isToken(refresh_token)) &&
    (isAbsent(token_type) || /^bearer$/i.test(String(token_type).trim()))
    ? {
        _tag: "Issued",
        accessToken: Redacted.make(access_token),
        refreshToken: isAbsent(refresh_token) ? undefined : Redacted.make(refresh_token),
        expiresIn: parseExpiresIn(expires_in)
      }
    : lost
}

/** A rejection of the app rather than the customer: the client is unknown, or may not refresh. */
const fromOtherRefusal = (app: App, status: number, code: string, detail: string | undefined): Result => {
  const hint =
    code === "invalid_client"
      ? `: check the client secret, and the option clientAuthentication, which is ${app.clientAuthentication}`
      : ""
  const message = `the authorization server responded with ${code} (status ${status})${hint}`
  return failed(
    new Unauthorized({ reason: "Unauthenticated", detail, issues: [{ path: ["clientId"], message }] })
  )
}

/** Errors that pass, though some servers write them with the status 400. */
const transientCodes: ReadonlySet<unknown> = new Set(["temporarily_unavailable", "server_error", "slow_down"])

// A gateway that heard nothing, or nonsense, from the server behind it knows no more than we do. So does one that
// answers with a status of its own, as those of content delivery networks do (520 to 530).
const isOfGateway = (status: number): boolean =>
  status === 502 || status === 504 || (status > 511 && status < 600)

const fromResponse = (app: App, { secrets }: Form, response: Transport.Response, now: number): Result => {
  const { body, status } = response
  if (status >= 200 && status < 300) return fromSuccess(body)
  const retryAfter = retryAfterOf(response, now)
  const wait = retryAfter === undefined ? {} : { retryAfter }
  if (isOfGateway(status))
    return { _tag: "Lost", error: new Infrastructure({ reason: "TokenEndpoint", status, ...wait }) }
  const { error } = parse(body)
  const stated = detailOf(response, new TextDecoder().decode(body), Redact.make(secrets, "{}"))
  const detail = stated === error ? undefined : stated
  const isTransient = transientCodes.has(error)
  if (status >= 400 && status < 500 && status !== 408 && status !== 429 && !isTransient) {
    const isOfApp = status === 401 && error === "access_denied"
    if (endOfGrant.has(error) && !isOfApp) return { _tag: "Refused" }
    if (
      typeof error === "string" &&
      /^[a-z_]{1,40}$/.test(error) &&
      !secrets.some((it) => error.includes(it))
    )
      return fromOtherRefusal(app, status, error, detail)
  }
  return failed(
    new Infrastructure({
      reason: "TokenEndpoint",
      detail,
      // The code says that it passes, whatever the status says.
      ...(isTransient && status < 500 ? { code: String(error) } : { status }),
      ...wait
    })
  )
}

const fromBroken = (failure: Transport.Failure | TimedOut, { isSent }: Attempt): Result => {
  if (failure._tag === "TimedOut")
    return isSent ? lost : unsent(new Infrastructure({ reason: "TokenEndpoint" }))
  const error = fromFailure(failure)
  if (error._tag !== "Infrastructure") return unsent(error)
  const { code, phase, proxyStatus } = error
  return phase === undefined
    ? lost
    : unsent(new Infrastructure({ reason: "TokenEndpoint", code, proxyStatus }))
}

interface Form {
  readonly body: string
  readonly authorization: string | undefined
  /** Every form in which a response could quote what is secret. */
  readonly secrets: ReadonlyArray<string>
}

const encode = (value: string): string => new URLSearchParams([["", value]]).toString().slice(1)

/** The form of a refresh, with the client's authentication inside or, for Basic, beside it (RFC 6749 section 2.3.1). */
const formOf = (app: App, refreshToken: Redacted.Redacted): Form => {
  const token = Redacted.value(refreshToken)
  const secret = Redacted.value(app.clientSecret)
  const basic = btoa(`${encode(app.clientId)}:${encode(secret)}`)
  const isBasic = app.clientAuthentication === "client_secret_basic"
  const fields = { grant_type: "refresh_token", refresh_token: token }
  const client = isBasic ? {} : { client_id: app.clientId, client_secret: secret }
  return {
    body: new URLSearchParams({ ...fields, ...client }).toString(),
    authorization: isBasic ? `Basic ${basic}` : undefined,
    secrets: [token, secret, encode(secret), basic.replace(/=+$/, "")]
  }
}

const results = new MetricLabels.Cache()

/** Exchanges a refresh token. `timeout` is in milliseconds. */
export const exchange = (
  app: App,
  refreshToken: Redacted.Redacted,
  sender: Sender,
  timeout: number
): Effect.Effect<Result> => {
  const form = formOf(app, refreshToken)
  const { authorization, body } = form
  const headers = {
    accept: operations.accept,
    "accept-encoding": operations.acceptEncoding,
    "content-type": "application/x-www-form-urlencoded",
    ...(authorization === undefined ? {} : { authorization })
  }
  const { attributes, name } = endpoint("POST", app.tokenEndpoint)
  return Effect.withFiberRuntime((fiber) => {
    const clock = Context.get(fiber.currentDefaultServices, Clock.Clock)
    const span = Span.begin(fiber, name, "client", attributes, clock.unsafeCurrentTimeNanos())
    const attempt: Attempt = {
      deadline: { clock, at: monotonic(clock) + timeout },
      span: undefined,
      isSent: false
    }
    return sender("POST", app.tokenEndpoint)({ headers, body, freshConnection: true }, attempt).pipe(
      Effect.match({
        onFailure: (failure) => fromBroken(failure, attempt),
        onSuccess: (response) => {
          Span.setAttribute(span, "http.response.status_code", response.status)
          return fromResponse(app, form, response, clock.unsafeCurrentTimeMillis())
        }
      }),
      // A transport that throws may have sent the request.
      Effect.catchAllDefect(() => Effect.succeed(lost)),
      Effect.tap(({ _tag }) => {
        if (_tag !== "Issued") Span.setAttribute(span, "error.type", _tag)
        MetricLabels.update(
          metrics.refreshes,
          1,
          MetricLabels.around(fiber),
          results.get(_tag, () => ({ result: _tag }))
        )
        return log(Effect.logDebug(`${name} ${_tag}`))
      }),
      Effect.onExit((exit) => Effect.sync(() => Span.end(span, clock.unsafeCurrentTimeNanos(), exit)))
    )
  })
}
