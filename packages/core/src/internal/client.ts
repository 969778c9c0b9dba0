// The client over a transport: what is sent, in which order, and what an answer means.

import * as Clock from "effect/Clock"
import type { ConfigError } from "effect/ConfigError"
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import type { Span } from "effect/Tracer"
import * as Credentials from "../Credentials.ts"
import type { Installation } from "../Installation.ts"
import type { BadRequest, InstallationError, Issue } from "../InstallationError.ts"
import { InstallationService } from "../InstallationService.ts"
import * as Server from "../Server.ts"
import type * as Transport from "../Transport.ts"
import { Call, type Given } from "./call.ts"
import { decodeInstallation, encodeUpdate } from "./codec.ts"
import * as contract from "./contract.ts"
import { current as chosenCredentials, type Post, type Secrets } from "./credentials.ts"
import { fromFailure, fromInvalidBody, fromStatus } from "./failure.ts"
import * as Json from "./json.ts"
import { type Attempt, Ordering } from "./ordering.ts"
import { RetryBudgets } from "./retryBudget.ts"
import * as RetryRegion from "./retryRegion.ts"
import * as Scrub from "./scrub.ts"
import { asGranted, sourceOf } from "./source.ts"
import { timedOut } from "./timeout.ts"

type Answer = Transport.Answer

// Without the charset, which RFC 9110 gives no meaning in a field that names what is accepted.
const accept = contract.contentType.replace(/;.*/, "")

const strictUtf8 = new TextDecoder("utf-8", { fatal: true })

// Enough of a body for an excerpt of it, however many bytes the credential takes there.
const quotable = (body: Uint8Array): string => new TextDecoder().decode(body.subarray(0, 16 * 1024))

const decodeUtf8 = (body: Uint8Array): Either.Either<string, string> => {
  if (body.length === 0) return Either.left("expected a body")
  try {
    return Either.right(strictUtf8.decode(body))
  } catch {
    return Either.left("expected UTF-8")
  }
}

const decodeBody = (body: Uint8Array): Either.Either<Installation, ReadonlyArray<Issue>> => {
  const json = Either.flatMap(decodeUtf8(body), Json.parse)
  return Either.isLeft(json)
    ? Either.left([{ path: [], message: json.left }])
    : decodeInstallation(json.right)
}

export const isSuccess = ({ status }: { readonly status: number }): boolean => status >= 200 && status < 300

const interpret = (
  answer: Answer,
  clock: Clock.Clock,
  makeScrub: () => (text: string) => string
): Either.Either<Installation, InstallationError> =>
  isSuccess(answer)
    ? Either.mapLeft(decodeBody(answer.body), (issues) =>
        fromInvalidBody(answer, quotable(answer.body), issues, makeScrub())
      )
    : Either.left(fromStatus(answer, quotable(answer.body), clock.unsafeCurrentTimeMillis(), makeScrub()))

type Update = Effect.Effect<Installation, InstallationError>

/** A request, and what its answer means. */
interface Exchange {
  readonly request: Transport.Request
  readonly interpret: (answer: Answer) => Either.Either<Installation, InstallationError>
}

/** How the requests of a client are carried out. */
export interface Carrier {
  /** Carries out what is chosen when the turn of the attempt has come. An effect goes on instead. */
  readonly perform: (
    attempt: Attempt,
    choose: () => Exchange | Update,
    span: Span | undefined,
    /** In milliseconds of real time. */
    timeout: number | undefined
  ) => Update
  /** Whether `perform` keeps to the timeout. */
  readonly timeouts: boolean
  readonly post: Post
}

/** What carries updates to one URL. */
export type MakeCarrier = (url: URL) => Carrier

/** Ends at once when it is interrupted or late, so that neither needs another fiber. */
export const fromTransport =
  (transport: Transport.Transport): MakeCarrier =>
  (url) => {
    const send = transport(contract.method, url)
    return {
      timeouts: true,
      post: (url, request) =>
        Effect.async((resume) => {
          const cancel = transport("POST", url)(request, resume)
          return Effect.sync(cancel)
        }),
      perform: (attempt, choose, _, timeout) =>
        Effect.async((resume) => {
          let cancel = () => {}
          const timer =
            timeout === undefined ? undefined : setTimeout(() => end(Effect.fail(timedOut())), timeout)
          const end = (result: Effect.Effect<Installation, InstallationError>) => {
            clearTimeout(timer)
            resume(result)
          }
          attempt.giveUp = () => {
            clearTimeout(timer)
            cancel()
          }
          attempt.onTurn((refusal) => {
            if (refusal !== undefined) return end(Effect.fail(refusal))
            try {
              const chosen = choose()
              if (Effect.isEffect(chosen)) return end(chosen)
              cancel = send(chosen.request, (answer) =>
                end(
                  Either.isRight(answer)
                    ? Effect.suspend(() => chosen.interpret(answer.right))
                    : Effect.fail(fromFailure(answer.left))
                )
              )
            } catch (defect) {
              end(Effect.die(defect))
            }
          })
        })
    }
  }

/** Effects are interrupted, which may take its time: being late needs a fiber of its own. */
export const fromEffects =
  (
    to: (
      method: Transport.Method,
      url: URL
    ) => (request: Transport.Request, span: Span | undefined) => Effect.Effect<Answer, Transport.Failure>
  ): MakeCarrier =>
  (url) => {
    const send = to(contract.method, url)
    return {
      timeouts: false,
      post: (url, request) => to("POST", url)(request, undefined),
      perform: (attempt, choose, span) =>
        Effect.flatMap(attempt.begin, () => {
          const chosen = choose()
          if (Effect.isEffect(chosen)) return chosen
          return Effect.matchEffect(send(chosen.request, span), {
            onFailure: (failure) => Effect.fail(fromFailure(failure)),
            onSuccess: chosen.interpret
          })
        })
    }
  }

/** The clock that keeps real time, as the timers of the platform do. A test puts another in its place. */
const liveClock = Context.get(DefaultServices.liveServices, Clock.Clock)

// The platform's timers take a longer one for none.
const maxTimer = 2 ** 31 - 1

const make = (
  makeCarrier: MakeCarrier,
  baseUrl: string,
  credentials: Credentials.Credentials
): InstallationService["Type"] => {
  const url = new URL(baseUrl + contract.path)
  const carrier = makeCarrier(url)
  const spanOptions = {
    kind: "client",
    captureStackTrace: false,
    attributes: {
      "http.request.method": contract.method,
      "server.address": url.hostname,
      "server.port": url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port),
      "url.full": url.href
    }
  } as const
  const budgets = new RetryBudgets()
  const ordering = new Ordering((installation) => budgets.deposit(installation))

  const attempt = (
    request: unknown,
    given: Given,
    span: Span | undefined
  ): Effect.Effect<Installation, InstallationError> => {
    const encoded = encodeUpdate(request)
    if (Either.isLeft(encoded)) return Effect.fail(encoded.left)
    const body = encoded.right
    const { clock, timeout } = given
    const source = sourceOf(credentials, given.credentials ?? chosenCredentials(given.context), clock)
    if ("_tag" in source) return Effect.fail(source)
    const exchangeWith = (secrets: Secrets): Exchange => ({
      request: {
        headers: {
          authorization: Redacted.value(secrets.authorization),
          accept,
          "content-type": contract.contentType
        },
        body
      },
      interpret: (answer) => {
        span?.attribute("http.response.status_code", answer.status)
        return interpret(answer, clock, () => Scrub.make(secrets, body))
      }
    })
    const isGrant = "identity" in source
    const installation = isGrant ? source.identity : Redacted.value(source.authorization)
    const region = given.region ?? RetryRegion.current(given.context)
    if (region !== undefined) region.withdraw = () => budgets.withdraw(installation)
    const endsByItself =
      timeout !== undefined && timeout <= maxTimer && carrier.timeouts && clock === liveClock
    const ownTimeout = endsByItself ? timeout : undefined
    return ordering.attempt(
      installation,
      body,
      region,
      (attempt) =>
        isGrant
          ? asGranted(source, carrier.post, clock, attempt, ownTimeout, (choose, timeout) => {
              const chooseExchange = () => {
                const chosen = choose()
                return Effect.isEffect(chosen) ? chosen : exchangeWith(chosen)
              }
              return carrier.perform(attempt, chooseExchange, span, timeout)
            })
          : carrier.perform(attempt, () => exchangeWith(source), span, ownTimeout),
      endsByItself ? undefined : timeout
    )
  }

  return InstallationService.of({
    update: (request) =>
      new Call((given) =>
        given.isTraced
          ? Effect.useSpan("InstallationService.update", spanOptions, (span) => attempt(request, given, span))
          : attempt(request, given, undefined)
      )
  })
}

export const makeService = <E, R>(
  carrier: MakeCarrier,
  options: Transport.Options<E, R>
): Effect.Effect<InstallationService["Type"], BadRequest | E, R> =>
  Effect.flatMap(Server.baseUrl(options.server ?? "production"), (baseUrl) =>
    Effect.map(options.credentials, (credentials) => make(carrier, baseUrl, credentials))
  )

export const makeServiceConfig = <E, R>(
  carrier: MakeCarrier,
  { credentials }: Transport.ConfigOptions<E, R>
): Effect.Effect<InstallationService["Type"], ConfigError | E, R> =>
  Effect.flatMap(Server.config, (baseUrl) =>
    Effect.map<Credentials.Credentials, ConfigError | E, R, InstallationService["Type"]>(
      credentials ?? Credentials.config,
      (credentials) => make(carrier, baseUrl, credentials)
    )
  )
