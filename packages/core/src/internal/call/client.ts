// One call: encode it, take a turn in the queue, resolve the credential, send, interpret the response.
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import { constVoid } from "effect/Function"
import type { Span } from "effect/Tracer"
import type { SchemaDrift } from "../../Installation.ts"
import { Infrastructure, type InstallationError } from "../../InstallationError.ts"
import type { InstallationService } from "../../InstallationService.ts"
import * as Codec from "../contract/codec.ts"
import { Drift } from "../contract/drift.ts"
import type { Operation, OperationOf } from "../contract/operations.ts"
import { accept, acceptEncoding, contentType } from "../contract/operations.ts"
import {
  authorizationOf,
  type Credentials,
  formsOf,
  type Secrets,
  type Session,
  type SessionCall,
  tenantOf
} from "../credentials/credentials.ts"
import { resolveCredentials } from "../credentials/resolve.ts"
import * as Deadline from "../http/deadline.ts"
import { fromFailure, locate } from "../http/failure.ts"
import * as Redact from "../http/redact.ts"
import { interpret } from "../http/response.ts"
import type { Attempt, Send, Sender } from "../http/sender.ts"
import type { LinkedList } from "../linkedList.ts"
import * as MetricLabels from "../telemetry/metricLabels.ts"
import * as Observer from "../telemetry/observer.ts"
import { RetryBudgets } from "./budget.ts"
import * as Methods from "./methods.ts"
import { type Update, UpdateQueue, type Waiting } from "./queue.ts"
import { type CallContext, deadlineOf } from "./scope.ts"

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
  cancel = constVoid
  onTurn = constVoid
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

  /** Whether an earlier attempt may have been applied. */
  get isAmbiguous(): boolean {
    return this.#update.mayHaveBeenApplied
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
    const turn = Deadline.callback<void, never>(this, (resume) => {
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

  /** Cancels what an interrupted attempt waits for, leaves the queue, and reports the result. */
  end<A>(exit: Exit.Exit<A, InstallationError>): Effect.Effect<A, InstallationError> {
    this.cancel()
    const { observer, operation, queue } = this.#update
    const mayHaveBeenApplied =
      this.isSent &&
      !operation.isRead &&
      (Exit.isSuccess(exit) || exit.cause._tag !== "Fail" || exit.cause.error.mayHaveBeenApplied)
    if (mayHaveBeenApplied) this.#update.mayHaveBeenApplied = true
    const leave = () => {
      if (mayHaveBeenApplied) queue.mayHaveApplied(this.#update)
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
  readonly #ordered = new Map<string, UpdateQueue>()
  readonly #concurrent = new Map<string, UpdateQueue>()
  readonly #budgets = new RetryBudgets()
  readonly #server: string | undefined

  /** `server` is named in errors. */
  constructor(server?: string) {
    this.#server = server
  }

  #queueOf(installation: string, isConcurrent: boolean): UpdateQueue {
    const queues = isConcurrent ? this.#concurrent : this.#ordered
    const known = queues.get(installation)
    if (known !== undefined) return known
    const queue = new UpdateQueue(isConcurrent, () => queues.delete(installation))
    queues.set(installation, queue)
    return queue
  }

  /** Makes one attempt, at the scope's call or at a new one. */
  attempt<A>(
    context: CallContext,
    installation: string,
    operation: Operation,
    isConcurrent: boolean,
    observe: () => Observer.Observer,
    send: (call: Call) => Effect.Effect<A, InstallationError>,
    tenant?: string
  ): Effect.Effect<A, InstallationError> {
    return Effect.uninterruptibleMask((restore) => {
      // Synchronous, so that the number and the place in the queue agree.
      const { scope } = context
      const queue = this.#queueOf(installation, isConcurrent)
      const make = () => {
        this.#budgets.deposit(installation)
        return queue.issue(operation, observe())
      }
      const begin = () => (scope === undefined ? make() : scope.begin(queue, operation, make))
      const call = new Call(queue, deadlineOf(context), begin)
      return Effect.matchCauseEffect(restore(Effect.suspend(() => call.inTurn(() => send(call)))), {
        onFailure: (cause) =>
          cause._tag === "Fail"
            ? // A new failure, so that it has the caller's span.
              Effect.catchAllCause(
                Effect.fail(locate(cause.error, this.#server, tenant, operation.name)),
                (cause) => {
                  if (cause._tag === "Fail")
                    scope?.failed(cause.error, () => this.#budgets.withdraw(installation))
                  return call.end(Exit.failCause(cause))
                }
              )
            : call.end(Exit.failCause(cause)),
        onSuccess: (value) => call.end(Exit.succeed(value))
      })
    })
  }
}

/** A URL with the query that is encoded as JSON. */
const withQuery = (url: URL, query = "{}"): URL => {
  const full = new URL(url)
  for (const [name, value] of Object.entries<string>(JSON.parse(query))) full.searchParams.set(name, value)
  return full
}

/** The options of a service, resolved. */
export interface Settings {
  readonly baseUrl: string
  readonly credentials: Credentials
  readonly onDrift: ((drift: SchemaDrift) => Effect.Effect<void>) | undefined
}

/** An operation of one client. */
interface Prepared<A> {
  readonly operation: OperationOf<A>
  readonly spanName: string
  readonly codec: Codec.Codec<A>
  readonly url: URL
  readonly send: Send
  readonly endpoint: Observer.Endpoint
}

interface Attempted {
  readonly call: Call
  readonly isAmbiguous: boolean
  readonly secrets: Secrets
  readonly session: Session | undefined
}

type Called<A> = Effect.Effect<A, InstallationError>

/** An `InstallationService` over a sender. */
export const make = (sender: Sender, settings: Settings): InstallationService["Type"] => {
  const server = new URL(settings.baseUrl).host
  const drift = new Drift(settings.onDrift)
  const updates = new Updates(server)
  const operations = new Map<Operation, Prepared<unknown>>()

  /** Prepares an operation when it is first called. */
  const prepare = <A>(operation: OperationOf<A>): Prepared<A> => {
    const known = operations.get(operation)
    if (known !== undefined) return known as Prepared<A>
    const { method, name, path } = operation
    const url = new URL(settings.baseUrl + path)
    const prepared = {
      operation,
      spanName: `InstallationService.${name}`,
      codec: Codec.make(operation),
      url,
      send: sender(method, url),
      endpoint: Observer.endpoint(method, url)
    }
    operations.set(operation, prepared as Prepared<unknown>)
    return prepared
  }

  /** Sends one request of an attempt. */
  const request = <A>(
    { codec, endpoint, operation, send, url }: Prepared<A>,
    context: CallContext,
    call: Call,
    secrets: Secrets,
    encoded: string | undefined
  ): Called<A> => {
    const { observer } = call
    // A process that was frozen continues before its timers fire.
    if (Deadline.hasPassed(call.deadline)) return Effect.fail(timedOut("Connection"))
    call.span = observer.sent(endpoint)
    const body = operation.request === undefined ? undefined : encoded
    const request = {
      headers: {
        authorization: authorizationOf(secrets),
        accept,
        "accept-encoding": acceptEncoding,
        ...(body === undefined ? {} : { "content-type": contentType })
      },
      body,
      freshConnection: !operation.isIdempotent
    }
    const sendTo = operation.query === undefined ? send : sender(operation.method, withQuery(url, encoded))
    const makeRedact = () => Redact.make(formsOf(secrets), body ?? "{}")
    return Effect.matchEffect(sendTo(request, call), {
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
          (value, body) => {
            reporting = drift.note(operation, value, body, MetricLabels.around(context.fiber), makeRedact)
          }
        )
        return Observer.after(observer.received(Exit.fromEither(result)), Observer.after(reporting, result))
      }
    })
  }

  const perform = <A>(
    operation: OperationOf<A>,
    context: CallContext,
    value: unknown,
    { isConcurrent = false, send, settle }: Methods.Variation<A, Attempted>
  ): Called<A> => {
    const prepared = prepare(operation)
    const tenant = tenantOf(context.credentials ?? settings.credentials)
    const observe = () =>
      new Observer.UpdateObserver(context.fiber, context.clock, prepared.spanName, value, tenant)
    const refuse = (error: InstallationError): Called<A> => {
      const located = locate(error, server, tenant, operation.name)
      observe().end(Exit.fail(located))
      return Effect.fail(located)
    }
    const encoded = prepared.codec.encode(value)
    if (Either.isLeft(encoded)) return refuse(encoded.left)
    const body = encoded.right
    const credential = resolveCredentials(settings.credentials, context.credentials, context.clock)
    if ("_tag" in credential) return refuse(credential)
    const isSession = "identity" in credential
    const identity = isSession ? credential.identity : authorizationOf(credential)
    const attempt = (call: Call): Called<A> => {
      const sendWith = (secrets: Secrets, session?: Session) =>
        send === undefined
          ? request(prepared, context, call, secrets, body)
          : send({ call, isAmbiguous: call.isAmbiguous, secrets, session }, body)
      const sent = isSession
        ? credential.attempt(call, sender, (secrets) => sendWith(secrets, credential))
        : sendWith(credential)
      return settle === undefined ? sent : settle(call, sent)
    }
    return updates.attempt(context, identity, operation, isConcurrent, observe, attempt, tenant)
  }

  return Methods.make<Attempted>({
    perform,
    encode: (operation, value) => prepare(operation).codec.encode(value),
    request: (operation, context, { call, secrets }, body) =>
      request(prepare(operation), context, call, secrets, body),
    end: ({ secrets, session }) => session?.end(secrets) ?? Effect.void
  })
}
