// The client over a transport: what is sent, in which order, and what an answer means.

import * as Clock from "effect/Clock"
import type { ConfigError } from "effect/ConfigError"
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import type { Span } from "effect/Tracer"
import * as Credentials from "../Credentials.ts"
import type { Installation } from "../Installation.ts"
import type { BadRequest, InstallationError, Issue } from "../InstallationError.ts"
import { InstallationService } from "../InstallationService.ts"
import type { OnDrift } from "../SchemaDrift.ts"
import * as Server from "../Server.ts"
import type * as Transport from "../Transport.ts"
import { Call, type Given } from "./call.ts"
import { decodeInstallation, encodeUpdate } from "./codec.ts"
import * as contract from "./contract.ts"
import { current as chosenCredentials, type Post, type Secrets } from "./credentials.ts"
import { Drift } from "./drift.ts"
import { fromFailure, fromInvalidBody, fromStatus } from "./failure.ts"
import * as Json from "./json.ts"
import * as Labels from "./labels.ts"
import * as Observation from "./observation.ts"
import { type Attempt, Ordering } from "./ordering.ts"
import { RetryBudgets } from "./retryBudget.ts"
import * as RetryRegion from "./retryRegion.ts"
import * as Scrub from "./scrub.ts"
import { sourceOf } from "./source.ts"
import { timedOut } from "./timeout.ts"

type Answer = Transport.Answer

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

const parseBody = (body: Uint8Array): Either.Either<unknown, ReadonlyArray<Issue>> =>
  Either.mapLeft(Either.flatMap(decodeUtf8(body), Json.parse), (message) => [{ path: [], message }])

export const isSuccess = ({ status }: { readonly status: number }): boolean => status >= 200 && status < 300

type Update = Effect.Effect<Installation, InstallationError>

/**
 * A request, and what its answer means. No literal: V8 learns to put those among what is old that outlive a
 * collection, as many do when many are under way, and whatever they refer to follows them there.
 */
class Exchange {
  readonly request: Transport.Request
  readonly span: Span | undefined
  readonly interpret: (answer: Answer) => Update

  constructor(request: Transport.Request, span: Span | undefined, interpret: (answer: Answer) => Update) {
    this.request = request
    this.span = span
    this.interpret = interpret
  }
}

/** How the requests of a client are carried out. */
export interface Carrier {
  /** Carries out what is chosen when the turn of the attempt has come. An effect goes on instead. */
  readonly perform: (
    attempt: Attempt,
    choose: () => Exchange | Update,
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
      perform: (attempt, choose, timeout) =>
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
      perform: (attempt, choose) =>
        Effect.flatMap(attempt.begin, () => {
          const chosen = choose()
          if (Effect.isEffect(chosen)) return chosen
          return Effect.matchEffect(send(chosen.request, chosen.span), {
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
  credentials: Credentials.Credentials,
  onDrift: OnDrift | undefined
): InstallationService["Type"] => {
  const url = new URL(baseUrl + contract.path)
  const carrier = makeCarrier(url)
  const endpoint = Observation.endpoint(contract.method, url)
  const drift = new Drift(onDrift)
  const budgets = new RetryBudgets()
  const ordering = new Ordering((installation) => budgets.deposit(installation))

  /** What an answer means, and what is still to be done about it. */
  const interpret = (
    answer: Answer,
    { clock, fiber }: Given,
    observer: Observation.Observer,
    makeScrub: () => (text: string) => string
  ): Update => {
    observer.answered(answer.status)
    const end = (exit: Exit.Exit<Installation, InstallationError>, telling?: Effect.Effect<void>): Update =>
      Observation.after(observer.received(exit), Observation.after(telling, exit))
    if (!isSuccess(answer))
      return end(
        Exit.fail(fromStatus(answer, quotable(answer.body), clock.unsafeCurrentTimeMillis(), makeScrub()))
      )
    const body = parseBody(answer.body)
    const decoded = Either.flatMap(body, decodeInstallation)
    if (Either.isLeft(decoded))
      return end(Exit.fail(fromInvalidBody(answer, quotable(answer.body), decoded.left, makeScrub())))
    const telling = drift.note(decoded.right, Either.getOrThrow(body), Labels.around(fiber), makeScrub)
    return end(Exit.succeed(decoded.right), telling)
  }

  const refuse = (error: InstallationError, { clock, fiber }: Given): Update => {
    const exit = Exit.fail(error)
    new Observation.Observation(fiber, clock, endpoint).end(exit)
    return exit
  }

  const attempt = (request: unknown, given: Given): Update => {
    const encoded = encodeUpdate(request)
    if (Either.isLeft(encoded)) return refuse(encoded.left, given)
    const body = encoded.right
    const { clock, fiber, timeout } = given
    const context = fiber.currentContext
    const source = sourceOf(credentials, given.credentials ?? chosenCredentials(context), clock)
    if ("_tag" in source) return refuse(source, given)
    const exchangeWith = ({ observer }: Attempt, secrets: Secrets): Exchange =>
      new Exchange(
        {
          headers: {
            authorization: Redacted.value(secrets.authorization),
            accept: contract.accept,
            "content-type": contract.contentType
          },
          body
        },
        observer.sent(),
        (answer) => interpret(answer, given, observer, () => Scrub.make(secrets, body))
      )
    const isGrant = "identity" in source
    const installation = isGrant ? source.identity : Redacted.value(source.authorization)
    const region = given.region ?? RetryRegion.current(context)
    if (region !== undefined) region.withdraw = () => budgets.withdraw(installation)
    const endsByItself =
      timeout !== undefined && timeout <= maxTimer && carrier.timeouts && clock === liveClock
    const ownTimeout = endsByItself ? timeout : undefined
    return ordering.attempt(
      installation,
      body,
      region,
      () => new Observation.Observation(fiber, clock, endpoint),
      (attempt) =>
        isGrant
          ? source.attempt(carrier.post, clock, attempt, ownTimeout, (choose, timeout) => {
              const chooseExchange = () => {
                const chosen = choose()
                return Effect.isEffect(chosen) ? chosen : exchangeWith(attempt, chosen)
              }
              return carrier.perform(attempt, chooseExchange, timeout)
            })
          : carrier.perform(attempt, () => exchangeWith(attempt, source), ownTimeout),
      endsByItself ? undefined : timeout
    )
  }

  return InstallationService.of({
    update: (request) => new Call((given) => attempt(request, given))
  })
}

export const makeService = <E, R>(
  carrier: MakeCarrier,
  options: Transport.Options<E, R>
): Effect.Effect<InstallationService["Type"], BadRequest | E, R> =>
  Effect.flatMap(Server.baseUrl(options.server ?? "production"), (baseUrl) =>
    Effect.map(options.credentials, (credentials) => make(carrier, baseUrl, credentials, options.onDrift))
  )

export const makeServiceConfig = <E, R>(
  carrier: MakeCarrier,
  { credentials, onDrift }: Transport.ConfigOptions<E, R>
): Effect.Effect<InstallationService["Type"], ConfigError | E, R> =>
  Effect.flatMap(Server.config, (baseUrl) =>
    Effect.map<Credentials.Credentials, ConfigError | E, R, InstallationService["Type"]>(
      credentials ?? Credentials.config,
      (credentials) => make(carrier, baseUrl, credentials, onDrift)
    )
  )
