// The way of an update: what is sent, in its turn, with which credential, and what the response means.
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import type { Span } from "effect/Tracer"
import * as Credentials from "../../Credentials.ts"
import type { Installation } from "../../Installation.ts"
import { type BadRequest, Infrastructure, type InstallationError } from "../../InstallationError.ts"
import { InstallationService } from "../../InstallationService.ts"
import type { OnDrift } from "../../SchemaDrift.ts"
import * as Server from "../../Server.ts"
import type * as Transport from "../../Transport.ts"
import { encodeUpdate } from "../codec.ts"
import * as contract from "../contract.ts"
import { authorizationOf, type GrantCall, type Secrets } from "../credentials.ts"
import { Drift } from "../drift.ts"
import { fromFailure } from "../failure.ts"
import * as Deadline from "../http/deadline.ts"
import { interpret } from "../http/response.ts"
import type { Attempt, Sender } from "../http/sender.ts"
import * as Labels from "../labels.ts"
import type { LinkedList } from "../linkedList.ts"
import * as Observation from "../observation.ts"
import * as Scrub from "../scrub.ts"
import { sourceOf } from "../source.ts"
import { RetryBudgets } from "./budget.ts"
import { type Update, UpdateQueue, type Waiting } from "./queue.ts"
import { type Around, around, deadlineOf } from "./scope.ts"

type Updated = Effect.Effect<Installation, InstallationError>

const timedOut = (phase?: Infrastructure["phase"]) =>
  new Infrastructure({ reason: "Timeout", ...(phase === undefined ? {} : { phase }) })

/** One attempt at an update, in its place in the queue. */
export class Call implements Attempt, GrantCall, Waiting {
  readonly deadline: Deadline.Deadline
  readonly #update: Update
  readonly #place: ReturnType<LinkedList<Waiting>["append"]>
  span: Span | undefined
  isSent = false
  onTurn = () => {}
  #windingUp: Deadline.TimedOut["fiber"]

  constructor(queue: UpdateQueue, deadline: Deadline.Deadline, begin: () => Update) {
    this.deadline = deadline
    // First: what ends as this begins may be all that keeps the queue.
    this.#place = queue.enter(this)
    try {
      this.#update = begin()
    } catch (defect) {
      queue.leave(this.#place)
      throw defect
    }
    this.#update.attemptBegan()
  }

  get observer(): Observation.Observer {
    return this.#update.observer
  }

  /** Goes on with `begin` when its turn has come. Interrupted before that, it sends nothing. */
  inTurn<A>(begin: () => Effect.Effect<A, InstallationError>): Effect.Effect<A, InstallationError> {
    const { queue } = this.#update
    const go = () => {
      if (queue.isSuperseded(this.#update)) return Effect.fail(new Infrastructure({ reason: "Superseded" }))
      return Deadline.hasPassed(this.deadline) ? Effect.fail(timedOut("Queue")) : begin()
    }
    if (queue.hasTurn(this.#place)) return go()
    const turn = Deadline.callback<void, never>(this.deadline, (resume) => {
      this.onTurn = () => resume(Effect.void)
      // The fiber may have yielded since it looked.
      if (queue.hasTurn(this.#place)) this.onTurn()
      return () => {}
    })
    return Effect.flatMap(
      Effect.mapError(turn, () => timedOut("Queue")),
      go
    )
  }

  /** Waits for a token, before anything is sent. */
  token<A>(self: Effect.Effect<A, InstallationError>): Effect.Effect<A, InstallationError> {
    this.isSent = false
    const { span } = this.observer
    return this.#until(span === undefined ? self : Effect.withParentSpan(self, span), "AccessToken")
  }

  /** Sends: the update may be applied although this is interrupted. */
  sending<A>(self: Effect.Effect<A, InstallationError>): Effect.Effect<A, InstallationError> {
    this.isSent = true
    return this.#until(self)
  }

  #until<A>(
    self: Effect.Effect<A, InstallationError>,
    phase?: Infrastructure["phase"]
  ): Effect.Effect<A, InstallationError> {
    return Effect.mapError(Deadline.effect(this.deadline, self), (error) =>
      error._tag === "TimedOut" ? this.timedOut(error, phase) : error
    )
  }

  timedOut({ fiber }: Deadline.TimedOut, phase?: Infrastructure["phase"]): Infrastructure {
    this.#windingUp = fiber
    return timedOut(phase ?? (this.isSent ? undefined : "Connection"))
  }

  /** Leaves the queue, and tells what came of it. */
  end<A>(exit: Exit.Exit<A, InstallationError>): Effect.Effect<A, InstallationError> {
    const { observer, queue } = this.#update
    const mayHaveBeenApplied =
      Exit.isSuccess(exit) || exit.cause._tag !== "Fail" || exit.cause.error.mayHaveBeenApplied
    const leave = () => {
      if (this.isSent && mayHaveBeenApplied) queue.mayHaveApplied(this.#update)
      queue.leave(this.#place)
    }
    // A request that winds up keeps its place: the next one would overtake it.
    if (this.#windingUp === undefined) leave()
    else this.#windingUp.addObserver(leave)
    const log = observer.received(exit)
    this.#update.attemptEnded(exit)
    return Observation.after(log, exit)
  }
}

/** The order and the retry budgets of the updates of one client, by the installation. */
export class Updates {
  readonly #queues = new Map<string, UpdateQueue>()
  readonly #budgets = new RetryBudgets()

  #queueOf(installation: string): UpdateQueue {
    const known = this.#queues.get(installation)
    if (known !== undefined) return known
    const queue = new UpdateQueue(() => this.#queues.delete(installation))
    this.#queues.set(installation, queue)
    return queue
  }

  /** Makes one attempt: of the update that the scope has in hand, or of a new one. */
  attempt<A>(
    around: Around,
    installation: string,
    observe: () => Observation.Observer,
    send: (call: Call) => Effect.Effect<A, InstallationError>
  ): Effect.Effect<A, InstallationError> {
    return Effect.uninterruptibleMask((restore) => {
      // In one step, so that the number and the place in the queue agree.
      const { scope } = around
      const queue = this.#queueOf(installation)
      const make = () => {
        this.#budgets.deposit(installation)
        return queue.issue(observe())
      }
      const begin = () => (scope === undefined ? make() : scope.begin(queue, make))
      const call = new Call(queue, deadlineOf(around), begin)
      return Effect.matchCauseEffect(restore(Effect.suspend(() => call.inTurn(() => send(call)))), {
        onFailure: (cause) => {
          if (cause._tag === "Fail") scope?.failed(cause.error, () => this.#budgets.withdraw(installation))
          return call.end(Exit.failCause(cause))
        },
        onSuccess: (value) => call.end(Exit.succeed(value))
      })
    })
  }
}

const make = (
  sender: Sender,
  baseUrl: string,
  credentials: Credentials.Credentials,
  onDrift: OnDrift | undefined
): InstallationService["Type"] => {
  const url = new URL(baseUrl + contract.path)
  const send = sender(contract.method, url)
  const endpoint = Observation.endpoint(contract.method, url)
  const drift = new Drift(onDrift)
  const updates = new Updates()

  /** One request of an attempt. */
  const exchange = (call: Call, around: Around, body: string, secrets: Secrets): Updated => {
    const { observer } = call
    call.span = observer.sent()
    const request = {
      headers: {
        authorization: authorizationOf(secrets),
        accept: contract.accept,
        "content-type": contract.contentType
      },
      body
    }
    const makeScrub = () => Scrub.make(secrets, body)
    return Effect.matchEffect(send(request, call), {
      onFailure: (failure) =>
        Effect.fail(failure._tag === "TimedOut" ? call.timedOut(failure) : fromFailure(failure)),
      onSuccess: (answer) => {
        observer.answered(answer.status)
        let telling: Effect.Effect<void> | undefined
        const result = interpret(
          answer,
          around.clock.unsafeCurrentTimeMillis(),
          makeScrub,
          (installation, body) => {
            telling = drift.note(installation, body, Labels.around(around.fiber), makeScrub)
          }
        )
        return Observation.after(
          observer.received(Exit.fromEither(result)),
          Observation.after(telling, result)
        )
      }
    })
  }

  const update = (request: unknown, around: Around): Updated => {
    const observe = () => new Observation.Observation(around.fiber, around.clock, endpoint)
    const refuse = (error: InstallationError): Updated => {
      const exit = Exit.fail(error)
      observe().end(exit)
      return exit
    }
    const encoded = encodeUpdate(request)
    if (Either.isLeft(encoded)) return refuse(encoded.left)
    const body = encoded.right
    const source = sourceOf(credentials, around.credentials, around.clock)
    if ("_tag" in source) return refuse(source)
    return "identity" in source
      ? updates.attempt(around, source.identity, observe, (call) =>
          source.attempt(call, sender, (secrets) => exchange(call, around, body, secrets))
        )
      : updates.attempt(around, authorizationOf(source), observe, (call) =>
          exchange(call, around, body, source)
        )
  }

  return InstallationService.of({ update: (request) => around((around) => update(request, around)) })
}

export const makeService = <E, R>(
  sender: Sender,
  options: Transport.Options<E, R>
): Effect.Effect<InstallationService["Type"], BadRequest | E, R> =>
  Effect.flatMap(Server.baseUrl(options.server ?? "production"), (baseUrl) =>
    Effect.map(options.credentials, (credentials) => make(sender, baseUrl, credentials, options.onDrift))
  )

export const makeServiceConfig = <E, R>(
  sender: Sender,
  { credentials, onDrift }: Transport.ConfigOptions<E, R>
): Effect.Effect<InstallationService["Type"], ConfigError | E, R> =>
  Effect.flatMap(Server.config, (baseUrl) =>
    Effect.map<Credentials.Credentials, ConfigError | E, R, InstallationService["Type"]>(
      credentials ?? Credentials.config,
      (credentials) => make(sender, baseUrl, credentials, onDrift)
    )
  )
