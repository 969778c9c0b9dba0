// One update: encode it, take a turn in the queue, resolve the credential, send, interpret the response.
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import type { Span } from "effect/Tracer"
import type { Installation, SchemaDrift } from "../../Installation.ts"
import { Infrastructure, type InstallationError } from "../../InstallationError.ts"
import { InstallationService } from "../../InstallationService.ts"
import * as Codec from "../contract/codec.ts"
import { Drift } from "../contract/drift.ts"
import * as operations from "../contract/operations.ts"
import {
  authorizationOf,
  type Credentials,
  formsOf,
  type Secrets,
  type SessionCall
} from "../credentials/credentials.ts"
import { resolveCredentials, tenantOf } from "../credentials/resolve.ts"
import * as Deadline from "../http/deadline.ts"
import { fromFailure, locate } from "../http/failure.ts"
import * as Redact from "../http/redact.ts"
import { interpret } from "../http/response.ts"
import type { Attempt, Sender } from "../http/sender.ts"
import type { LinkedList } from "../linkedList.ts"
import * as MetricLabels from "../telemetry/metricLabels.ts"
import * as Observer from "../telemetry/observer.ts"
import { RetryBudgets } from "./budget.ts"
import { type Update, UpdateQueue, type Waiting } from "./queue.ts"
import { type CallContext, deadlineOf, withCallContext } from "./scope.ts"

type Updated = Effect.Effect<Installation, InstallationError>

const timedOut = (phase?: Infrastructure["phase"]) => new Infrastructure({ reason: "Timeout", phase })

/** Milliseconds after its deadline in which an attempt certainly ends, if its fiber runs at all. */
const grace = 1000

/** One attempt at an update, in its place in the queue. */
export class Call implements Attempt, SessionCall, Waiting {
  readonly deadline: Deadline.Deadline
  readonly #update: Update
  readonly #place: ReturnType<LinkedList<Waiting>["append"]>
  span: Span | undefined
  isSent = false
  onTurn = () => {}
  #windingUp: Deadline.TimedOut["fiber"]

  constructor(queue: UpdateQueue, deadline: Deadline.Deadline, begin: () => Update) {
    this.deadline = deadline
    // First, since the ending of another attempt may release the queue.
    this.#place = queue.enter(this)
    try {
      this.#update = begin()
    } catch (defect) {
      queue.leave(this.#place)
      throw defect
    }
    this.#update.attemptBegan()
  }

  get observer(): Observer.Observer {
    return this.#update.observer
  }

  /**
   * Whether the fiber will never continue: Cloudflare Workers drops the timers and promises of a canceled request. An
   * attempt that is still ending is not lost.
   */
  get isLost(): boolean {
    const { at, clock } = this.deadline
    return this.#windingUp === undefined && Deadline.hasPassed({ at: at + grace, clock })
  }

  /** Continues with `begin` in its turn. Interrupted before that, it sends nothing. */
  inTurn<A>(begin: () => Effect.Effect<A, InstallationError>): Effect.Effect<A, InstallationError> {
    const { queue } = this.#update
    const go = () => {
      if (queue.isSuperseded(this.#update)) return Effect.fail(new Infrastructure({ reason: "Superseded" }))
      return Deadline.hasPassed(this.deadline) ? Effect.fail(timedOut("Queue")) : begin()
    }
    if (queue.hasTurn(this.#place)) return go()
    const turn = Deadline.callback<void, never>(this.deadline, (resume) => {
      this.onTurn = () => resume(Effect.void)
      // The fiber may have yielded since the check.
      if (queue.hasTurn(this.#place)) this.onTurn()
      return () => {}
    })
    return Effect.flatMap(
      Effect.mapError(turn, () => {
        queue.leaveLost()
        return timedOut("Queue")
      }),
      go
    )
  }

  /** Waits for a token of `server` before sending. */
  token<A>(self: Effect.Effect<A, InstallationError>, server: string): Effect.Effect<A, InstallationError> {
    this.isSent = false
    const { span } = this.observer
    return Effect.mapError(
      this.#until(span === undefined ? self : Effect.withParentSpan(self, span), "AccessToken"),
      (error) => locate(error, server)
    )
  }

  /** Sends. From here, an interrupted update may be applied. */
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

  /** Leaves the queue, and reports the result. */
  end<A>(exit: Exit.Exit<A, InstallationError>): Effect.Effect<A, InstallationError> {
    const { observer, queue } = this.#update
    const mayHaveBeenApplied =
      Exit.isSuccess(exit) || exit.cause._tag !== "Fail" || exit.cause.error.mayHaveBeenApplied
    const leave = () => {
      if (this.isSent && mayHaveBeenApplied) queue.mayHaveApplied(this.#update)
      queue.leave(this.#place)
    }
    // A request that is still ending keeps its place, so that the next one cannot overtake it.
    if (this.#windingUp === undefined) leave()
    else this.#windingUp.addObserver(leave)
    const log = observer.received(exit)
    this.#update.attemptEnded(exit)
    return Observer.after(log, exit)
  }
}

/** The queues and retry budgets of one client, by installation. */
export class Updates {
  readonly #queues = new Map<string, UpdateQueue>()
  readonly #budgets = new RetryBudgets()
  readonly #server: string | undefined

  /** `server` is named in errors. */
  constructor(server?: string) {
    this.#server = server
  }

  #queueOf(installation: string): UpdateQueue {
    const known = this.#queues.get(installation)
    if (known !== undefined) return known
    const queue = new UpdateQueue(() => this.#queues.delete(installation))
    this.#queues.set(installation, queue)
    return queue
  }

  /** Makes one attempt, at the scope's update or at a new one. */
  attempt<A>(
    context: CallContext,
    installation: string,
    observe: () => Observer.Observer,
    send: (call: Call) => Effect.Effect<A, InstallationError>,
    tenant?: string
  ): Effect.Effect<A, InstallationError> {
    return Effect.uninterruptibleMask((restore) => {
      // Synchronous, so that the number and the place in the queue agree.
      const { scope } = context
      const queue = this.#queueOf(installation)
      const make = () => {
        this.#budgets.deposit(installation)
        return queue.issue(observe())
      }
      const begin = () => (scope === undefined ? make() : scope.begin(queue, make))
      const call = new Call(queue, deadlineOf(context), begin)
      return Effect.matchCauseEffect(restore(Effect.suspend(() => call.inTurn(() => send(call)))), {
        onFailure: (cause) =>
          cause._tag === "Fail"
            ? // A new failure, so that it has the caller's span.
              Effect.catchAllCause(Effect.fail(locate(cause.error, this.#server, tenant)), (cause) => {
                if (cause._tag === "Fail")
                  scope?.failed(cause.error, () => this.#budgets.withdraw(installation))
                return call.end(Exit.failCause(cause))
              })
            : call.end(Exit.failCause(cause)),
        onSuccess: (value) => call.end(Exit.succeed(value))
      })
    })
  }
}

/** The options of a service, resolved. */
export interface Settings {
  readonly baseUrl: string
  readonly credentials: Credentials
  readonly onDrift: ((drift: SchemaDrift) => Effect.Effect<void>) | undefined
}

/** An `InstallationService` over a sender. */
export const make = (sender: Sender, settings: Settings): InstallationService["Type"] => {
  const operation = operations.updateInstallation
  const codec = Codec.make(operation)
  const url = new URL(settings.baseUrl + operation.path)
  const send = sender(operation.method, url)
  const endpoint = Observer.endpoint(operation.method, url)
  const drift = new Drift(operation, settings.onDrift)
  const updates = new Updates(url.host)

  /** Sends one request of an attempt. */
  const request = (call: Call, context: CallContext, body: string, secrets: Secrets): Updated => {
    const { observer } = call
    call.span = observer.sent()
    const request = {
      headers: {
        authorization: authorizationOf(secrets),
        accept: operations.accept,
        "accept-encoding": operations.acceptEncoding,
        "content-type": operations.contentType
      },
      body,
      freshConnection: false
    }
    const makeRedact = () => Redact.make(formsOf(secrets), body)
    return Effect.matchEffect(send(request, call), {
      onFailure: (failure) =>
        Effect.fail(failure._tag === "TimedOut" ? call.timedOut(failure) : fromFailure(failure)),
      onSuccess: (response) => {
        observer.answered(response.status)
        let reporting: Effect.Effect<void> | undefined
        const result = interpret(
          response,
          codec,
          context.clock.unsafeCurrentTimeMillis(),
          makeRedact,
          (installation, body) => {
            reporting = drift.note(installation, body, MetricLabels.around(context.fiber), makeRedact)
          }
        )
        return Observer.after(observer.received(Exit.fromEither(result)), Observer.after(reporting, result))
      }
    })
  }

  const update = (value: unknown, context: CallContext): Updated => {
    const tenant = tenantOf(settings.credentials, context.credentials)
    const observe = () =>
      new Observer.UpdateObserver(context.fiber, context.clock, operation.spanName, endpoint, value, tenant)
    const refuse = (error: InstallationError): Updated => {
      const located = locate(error, url.host, tenant)
      observe().end(Exit.fail(located))
      return Effect.fail(located)
    }
    const encoded = codec.encode(value)
    if (Either.isLeft(encoded)) return refuse(encoded.left)
    const body = encoded.right
    const credential = resolveCredentials(settings.credentials, context.credentials, context.clock)
    if ("_tag" in credential) return refuse(credential)
    return "identity" in credential
      ? updates.attempt(
          context,
          credential.identity,
          observe,
          (call) => credential.attempt(call, sender, (secrets) => request(call, context, body, secrets)),
          tenant
        )
      : updates.attempt(context, authorizationOf(credential), observe, (call) =>
          request(call, context, body, credential)
        )
  }

  return InstallationService.of({
    update: (request) => withCallContext((context) => update(request, context))
  })
}
