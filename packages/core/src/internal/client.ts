// The client over a transport: what is sent, in which order, and what an answer means.

import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
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
import * as internalCredentials from "./credentials.ts"
import { fromFailure, fromInvalidBody, fromStatus } from "./failure.ts"
import * as Json from "./json.ts"
import { type Attempt, Ordering } from "./ordering.ts"
import { RetryBudget } from "./retryBudget.ts"
import * as RetryRegion from "./retryRegion.ts"
import * as Scrub from "./scrub.ts"
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

/** How the attempts of a client are carried out. */
export interface Carrier {
  readonly perform: (
    attempt: Attempt,
    request: Transport.Request,
    span: Span | undefined,
    interpret: (answer: Answer) => Either.Either<Installation, InstallationError>,
    /** In milliseconds of real time. */
    timeout: number | undefined
  ) => Effect.Effect<Installation, InstallationError>
  /** Whether `perform` keeps to the timeout. */
  readonly timeouts: boolean
}

/** What carries requests to one URL. */
export type MakeCarrier = (method: typeof contract.method, url: URL) => Carrier

/** Ends at once when it is interrupted or late, so that neither needs another fiber. */
export const fromTransport =
  (transport: Transport.Transport): MakeCarrier =>
  (method, url) => {
    const send = transport(method, url)
    return {
      timeouts: true,
      perform: (attempt, request, _, interpret, timeout) =>
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
              cancel = send(request, (answer) =>
                end(
                  Either.isRight(answer)
                    ? Effect.suspend(() => interpret(answer.right))
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
      method: typeof contract.method,
      url: URL
    ) => (request: Transport.Request, span: Span | undefined) => Effect.Effect<Answer, Transport.Failure>
  ): MakeCarrier =>
  (method, url) => {
    const send = to(method, url)
    return {
      timeouts: false,
      perform: (attempt, request, span, interpret) =>
        Effect.flatMap(attempt.turn, () =>
          Effect.matchEffect(send(request, span), {
            onFailure: (failure) => Effect.fail(fromFailure(failure)),
            onSuccess: interpret
          })
        )
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
  const carrier = makeCarrier(contract.method, url)
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
  const budget = new RetryBudget()
  const ordering = new Ordering(() => budget.deposit())

  const attempt = (
    request: unknown,
    given: Given,
    span: Span | undefined
  ): Effect.Effect<Installation, InstallationError> => {
    const encoded = encodeUpdate(request)
    if (Either.isLeft(encoded)) return Effect.fail(encoded.left)
    const body = encoded.right
    const chosen = given.credentials ?? internalCredentials.current(given.context) ?? credentials
    const region = given.region ?? RetryRegion.current(given.context)
    if (region !== undefined) region.budget = budget
    const authorization = internalCredentials.authorization(chosen)
    const headers = { authorization, accept, "content-type": contract.contentType }
    const interpretAnswer = (answer: Answer) => {
      span?.attribute("http.response.status_code", answer.status)
      return interpret(answer, given.clock, () => Scrub.make(chosen, body))
    }
    const { clock, timeout } = given
    const endsByItself =
      timeout !== undefined && timeout <= maxTimer && carrier.timeouts && clock === liveClock
    return ordering.attempt(
      authorization,
      body,
      region,
      (attempt) =>
        carrier.perform(
          attempt,
          { headers, body },
          span,
          interpretAnswer,
          endsByItself ? timeout : undefined
        ),
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

const config = Config.all([Server.config, Credentials.config])

export const makeServiceConfig = (
  carrier: MakeCarrier
): Effect.Effect<InstallationService["Type"], ConfigError> =>
  Effect.map(config, ([baseUrl, credentials]) => make(carrier, baseUrl, credentials))
