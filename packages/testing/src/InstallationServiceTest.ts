/**
 * `InstallationService` in memory, for unit tests: takes faults, and records each update.
 *
 * @since 0.1.0
 * @module
 */
import {
  type CreateInstallation,
  Installation,
  type UpdateInstallation
} from "@effect-pleo/core/Installation"
import type { InstallationError } from "@effect-pleo/core/InstallationError"
import { InstallationService } from "@effect-pleo/core/InstallationService"
import {
  type Call as CallOfClient,
  type Codec,
  type Credentials,
  formsOf,
  fromFailure,
  interpret,
  keyOf,
  makeCodec,
  makeMethods,
  makeRedact,
  noop,
  type operations,
  TypeId,
  tenantOf,
  Updates,
  withCallContext
} from "@effect-pleo/core/internal/shared"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type * as Fault from "./Fault.ts"
import { Marketplace, type Owner } from "./internal/marketplace/marketplace.ts"
import * as Plan from "./internal/marketplace/plan.ts"

/**
 * A call that was received. Times are those of the `Clock`, so they are exact under a `TestClock`.
 *
 * @example
 * ```ts
 * const describe = ({ operation, outcome }: InstallationServiceTest.Call) => `${operation}: ${outcome._tag}`
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Call {
  readonly operation: keyof InstallationService["Type"]
  /** A copy of the body. Absent without one. */
  readonly request?: CreateInstallation | UpdateInstallation
  /** The customer, if `OAuth.tenant` chose one. */
  readonly tenant?: string
  readonly receivedAt: DateTime.Utc
  /** When it ended. Absent while it is pending. */
  readonly endedAt?: DateTime.Utc
  /** Whether it has changed the installation, whatever its outcome. */
  readonly isApplied: boolean
  /** `Interrupted`: its caller gave up, as after a timeout. */
  readonly outcome:
    | { readonly _tag: "Pending" }
    | { readonly _tag: "Interrupted" }
    | { readonly _tag: "Failed"; readonly error: InstallationError }
    /** `installation` is absent of `delete` and `introspect`. */
    | { readonly _tag: "Succeeded"; readonly installation?: Installation }
}

/**
 * A call of `update`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Update extends Call {
  readonly operation: "update"
  readonly request: UpdateInstallation
}

/**
 * The test's side of the service in memory.
 *
 * @example
 * ```ts
 * const program = Effect.flatMap(InstallationServiceTest.InstallationServiceTest, (test) =>
 *   test.inject(Fault.status(503), Fault.loseResponse())
 * )
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class InstallationServiceTest extends Context.Tag("@effect-pleo/testing/InstallationServiceTest")<
  InstallationServiceTest,
  {
    /**
     * The installation as it is now; a defect if there is none. `Credentials.use` around it chooses that of another
     * customer.
     */
    readonly installation: Effect.Effect<Installation>
    /** The requests of all updates received, those that failed included, oldest first. */
    readonly requests: Effect.Effect<ReadonlyArray<UpdateInstallation>>
    /** The record of the same updates. */
    readonly updates: Effect.Effect<ReadonlyArray<Update>>
    /** The record of all calls. */
    readonly calls: Effect.Effect<ReadonlyArray<Call>>
    /** Waits until so many updates have been received in all, and returns `updates`. */
    readonly awaitUpdates: (count: number) => Effect.Effect<ReadonlyArray<Update>>
    /** Adds faults after those that are left. An update meets the oldest one that is for it. */
    readonly inject: (...faults: ReadonlyArray<Fault.Fault<InstallationError>>) => Effect.Effect<void>
  }
>() {}

/**
 * The initial state.
 *
 * @example
 * ```ts
 * const options: InstallationServiceTest.Options = {
 *   installation: { status: "ACTIVATED" },
 *   faults: [Fault.stallResponse()]
 * }
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** How each installation begins. Default: `AUTHORIZED`, without metadata. */
  readonly installation?: Partial<Installation> | undefined
  /** Faults for the first updates. Updates without a fault succeed. */
  readonly faults?: ReadonlyArray<Fault.Fault<InstallationError>> | undefined
}

/** The customer of a call: what the App Marketplace knows of it, its tenant, if any, and the forms of its secret. */
const customerOf = (credentials: Credentials | undefined) => {
  const variant = credentials?.[TypeId]
  const fixed = variant?._tag === "Fixed" ? variant.secrets : undefined
  const tenant = tenantOf(credentials)
  const owner: Owner = {
    key: keyOf(credentials),
    authMethod: fixed?.scheme === "Basic" ? "API_KEY" : "OAUTH2",
    clientId: "test-client",
    scopes: []
  }
  return {
    owner,
    named: tenant === undefined ? {} : { tenant },
    secrets: fixed === undefined ? [] : formsOf(fixed)
  }
}

const resetConnection = Effect.suspend(() =>
  Effect.fail(fromFailure({ _tag: "Broken", cause: { code: "ECONNRESET" } }))
)

const encoder = new TextEncoder()

const codecs = new Map<operations.Operation, Codec<unknown>>()

const codecOf = <A>(operation: operations.OperationOf<A>): Codec<A> => {
  const known = codecs.get(operation)
  if (known !== undefined) return known as Codec<A>
  const codec = makeCodec(operation)
  codecs.set(operation, codec as Codec<unknown>)
  return codec
}

const isUpdate = (call: Call): call is Update => call.operation === "update"

interface Attempt {
  readonly call: CallOfClient
  readonly isAmbiguous: boolean
  readonly customer: ReturnType<typeof customerOf>
}

const make = (options: Options): Context.Context<InstallationService | InstallationServiceTest> => {
  const marketplace = new Marketplace<Call, InstallationError>(() => options.installation ?? {})
  const { record } = marketplace
  const ordered = new Updates()
  const inject = (faults: ReadonlyArray<Fault.Fault<InstallationError>>) =>
    marketplace.inject(faults.map((fault) => fault[Plan.TypeId]))
  inject(options.faults ?? [])

  const receive = <A>(
    operation: operations.OperationOf<A>,
    body: string | undefined,
    { named, owner, secrets }: ReturnType<typeof customerOf>
  ): Effect.Effect<A, InstallationError> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(DateTime.now, (receivedAt) => {
        const { isRead, method, name, path } = operation
        const request =
          operation.request === undefined || body === undefined ? {} : { request: JSON.parse(body) }
        const update = name === "update" ? { update: request.request } : {}
        const plan = marketplace.take({ method, path, ...update, ...named })
        const note = record.add({
          operation: name,
          ...request,
          ...named,
          receivedAt,
          isApplied: false,
          outcome: { _tag: "Pending" }
        })
        const end = (outcome: Call["outcome"]) =>
          Effect.map(DateTime.now, (endedAt) => note({ endedAt, outcome }))
        const respond = ({ body: text, ...response }: Plan.Response) =>
          Effect.flatMap(DateTime.now, ({ epochMillis }) =>
            interpret(
              { ...response, body: encoder.encode(text) },
              codecOf(operation),
              epochMillis,
              () => makeRedact(secrets, body ?? "{}"),
              () => {}
            )
          )
        return Plan.run(plan, {
          serve: Effect.flatMap(DateTime.now, (now) => {
            const served = marketplace.serve(operation, owner, body, now)
            if (Either.isLeft(served)) return respond({ status: served.left, headers: {}, body: "" })
            note({ isApplied: !isRead })
            return Effect.succeed(served.right as A)
          }),
          respond,
          resetConnection,
          fail: Effect.fail,
          wait: (self) => Effect.onInterrupt(restore(self), () => end({ _tag: "Interrupted" }))
        }).pipe(
          Effect.tapBoth({
            onFailure: (error) => end({ _tag: "Failed", error }),
            onSuccess: (value) =>
              end({
                _tag: "Succeeded",
                ...(operation.response === (Installation as unknown) && {
                  installation: value as Installation
                })
              })
          })
        )
      })
    )

  const request = <A>(
    operation: operations.OperationOf<A>,
    { call, customer }: Attempt,
    body: string | undefined
  ) => call.sending(receive(operation, body, customer))

  const service = makeMethods<Attempt>({
    perform: (operation, context, value, { isConcurrent = false, send, settle }) =>
      Effect.flatMap(codecOf(operation).encode(value), (body) => {
        const variant = context.credentials?.[TypeId]
        if (variant?._tag === "PerCall") return Effect.fail(variant.refuse())
        const customer = customerOf(context.credentials)
        return ordered.attempt(
          context,
          customer.owner.key,
          operation,
          isConcurrent,
          // Without telemetry: it stands in for Pleo.
          () => noop,
          (call) => {
            const attempt = { call, isAmbiguous: call.isAmbiguous, customer }
            const sent = send === undefined ? request(operation, attempt, body) : send(attempt, body)
            return settle === undefined ? sent : settle(attempt, sent)
          }
        )
      }),
    encode: (operation, value) => codecOf(operation).encode(value),
    request: (operation, _, attempt, body) => request(operation, attempt, body),
    end: () => Effect.void
  })
  const updates = Effect.map(record.all, (calls) => calls.filter(isUpdate))
  const test = InstallationServiceTest.of({
    installation: withCallContext(({ credentials }) =>
      Effect.flatMap(DateTime.now, (now) => {
        const found = marketplace.find(customerOf(credentials).owner, now)
        return found === undefined ? Effect.dieMessage("There is no installation") : Effect.succeed(found)
      })
    ),
    requests: Effect.map(updates, (updates) => updates.map(({ request }) => request)),
    updates,
    calls: record.all,
    awaitUpdates: (count) => Effect.zipRight(record.await(count, isUpdate), updates),
    inject: (...faults) => Effect.sync(() => inject(faults))
  })
  return Context.make(InstallationService, service).pipe(Context.add(InstallationServiceTest, test))
}

/**
 * Provides `InstallationService` in memory, and `InstallationServiceTest`. Each customer that `Credentials.use` chooses
 * has an installation. As with the client, invalid requests are refused before they are received, the updates of one
 * installation take turns, and retries have a budget.
 *
 * @example
 * ```ts
 * const update = InstallationService.update({ status: "ACTIVATED" })
 * await update.pipe(Effect.provide(InstallationServiceTest.layerTest()), Effect.runPromise)
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerTest = (
  options: Options = {}
): Layer.Layer<InstallationService | InstallationServiceTest> =>
  Layer.effectContext(Effect.sync(() => make(options)))
