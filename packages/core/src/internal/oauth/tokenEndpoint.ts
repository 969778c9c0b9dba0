// Exchanges a grant for tokens: an authorization code (RFC 6749 section 4.1.3) or a refresh token (section 6). Classifies
// the responses.
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

/** A grant, as the parameters of the form. */
export type Grant =
  | { readonly grant_type: "refresh_token"; readonly refresh_token: string }
  | {
      readonly grant_type: "authorization_code"
      readonly code: string
      readonly redirect_uri: string
      readonly code_verifier: string
    }

export type Result =
  | {
      readonly _tag: "Issued"
      readonly accessToken: Redacted.Redacted
      /** If absent, a refresh token that was sent stays valid. */
      readonly refreshToken: Redacted.Redacted | undefined
      readonly expiresIn: Duration.Duration | undefined
    }
  /** The grant was invalid, or is now. */
  | { readonly _tag: "Refused" }
  /** The grant was not used, and stays valid. */
  | { readonly _tag: "Failed"; readonly error: InstallationError; readonly hasResponded: boolean }
  /** The grant was sent, and may have been used. `error` is of a gateway. */
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

/** Invalid tokens were issued all the same: the grant is used. */
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

/** A rejection of the app rather than the customer: the client is unknown, or may not use this grant. */
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

/** The secret parameters of a grant. */
const secretsOf = (grant: Grant): ReadonlyArray<string> =>
  grant.grant_type === "refresh_token" ? [grant.refresh_token] : [grant.code, grant.code_verifier]

/** The form of a grant, with the client's authentication inside or, for Basic, beside it (RFC 6749 section 2.3.1). */
const formOf = (app: App, grant: Grant): Form => {
  const secret = Redacted.value(app.clientSecret)
  const basic = btoa(`${encode(app.clientId)}:${encode(secret)}`)
  const isBasic = app.clientAuthentication === "client_secret_basic"
  const client = isBasic ? {} : { client_id: app.clientId, client_secret: secret }
  return {
    body: new URLSearchParams({ ...grant, ...client }).toString(),
    authorization: isBasic ? `Basic ${basic}` : undefined,
    secrets: [...secretsOf(grant), secret, encode(secret), basic.replace(/=+$/, "")]
  }
}

const results = new MetricLabels.Cache()

/**
 * Exchanges a grant. Its callers cannot be interrupted, since a token that may have been used must not be forgotten. `timeout`
 * is in milliseconds.
 */
export const exchange = (app: App, grant: Grant, sender: Sender, timeout: number): Effect.Effect<Result> => {
  const form = formOf(app, grant)
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
      isSent: false,
      // Only the deadline cancels it.
      cancel: () => {}
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
        if (grant.grant_type === "refresh_token")
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
