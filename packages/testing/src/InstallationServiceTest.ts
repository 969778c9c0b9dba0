/**
 * `InstallationService` in memory, for unit tests: takes faults, and records each update.
 *
 * @since 0.1.0
 * @module
 */
import type { Installation } from "@effect-pleo/core/Installation"
import type { InstallationError } from "@effect-pleo/core/InstallationError"
import { InstallationService } from "@effect-pleo/core/InstallationService"
import {
  authorizationOf,
  type Credentials,
  formsOf,
  fromFailure,
  interpret,
  makeRedact,
  noop,
  TypeId,
  Updates,
  withCallContext
} from "@effect-pleo/core/internal/testing"
import type { UpdateInstallation } from "@effect-pleo/core/UpdateInstallation"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Fault from "./Fault.ts"
import { codec, Marketplace, path } from "./internal/marketplace/marketplace.ts"
import * as Plan from "./internal/marketplace/plan.ts"

/**
 * An update that was received. Times are those of the `Clock`, so they are exact under a `TestClock`.
 *
 * @example
 * ```ts
 * const describe = ({ outcome, request }: InstallationServiceTest.Update) =>
 *   `${request.status}: ${outcome._tag}`
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Update {
  /** A copy of what was sent. */
  readonly request: UpdateInstallation
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
    | { readonly _tag: "Succeeded"; readonly installation: Installation }
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
    /** The installation as it is now. `Credentials.use` around it chooses that of another customer. */
    readonly installation: Effect.Effect<Installation>
    /** The requests of all updates received, those that failed included, oldest first. */
    readonly requests: Effect.Effect<ReadonlyArray<UpdateInstallation>>
    /** The record of the same updates. */
    readonly updates: Effect.Effect<ReadonlyArray<Update>>
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

/** The customer of an update: its key among all, its tenant, if it has one, and the forms of its secret. */
const customerOf = (credentials: Credentials | undefined) => {
  const variant = credentials?.[TypeId]
  if (variant?._tag === "Fixed")
    return { key: `secret ${authorizationOf(variant.secrets)}`, named: {}, secrets: formsOf(variant.secrets) }
  const tenant = variant?._tag === "App" || variant?._tag === "Tenant" ? variant.tenant : undefined
  return tenant === undefined
    ? { key: "none", named: {}, secrets: [] }
    : { key: `tenant ${tenant}`, named: { tenant }, secrets: [] }
}

const resetConnection = Effect.suspend(() =>
  Effect.fail(fromFailure({ _tag: "Broken", cause: { code: "ECONNRESET" } }))
)

const encoder = new TextEncoder()

const make = (options: Options): Context.Context<InstallationService | InstallationServiceTest> => {
  const marketplace = new Marketplace<Update, InstallationError>(() => options.installation ?? {})
  const { record } = marketplace
  const ordered = new Updates()
  const inject = (faults: ReadonlyArray<Fault.Fault<InstallationError>>) =>
    marketplace.inject(faults.map((fault) => fault[Plan.TypeId]))
  inject(options.faults ?? [])

  const receive = (
    body: string,
    { key, named, secrets }: ReturnType<typeof customerOf>
  ): Effect.Effect<Installation, InstallationError> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(DateTime.now, (receivedAt) => {
        const request: UpdateInstallation = JSON.parse(body)
        const plan = marketplace.take({ path, update: request, ...named })
        const note = record.add({
          request,
          ...named,
          receivedAt,
          isApplied: false,
          outcome: { _tag: "Pending" }
        })
        const end = (outcome: Update["outcome"]) =>
          Effect.map(DateTime.now, (endedAt) => note({ endedAt, outcome }))
        return Plan.run(plan, {
          serve: Effect.map(DateTime.now, (now) => {
            note({ isApplied: true })
            return marketplace.apply(key, body, now)
          }),
          respond: ({ body: text, ...response }) =>
            Effect.flatMap(DateTime.now, ({ epochMillis }) =>
              interpret(
                { ...response, body: encoder.encode(text) },
                codec,
                epochMillis,
                () => makeRedact(secrets, body),
                () => {}
              )
            ),
          resetConnection,
          fail: Effect.fail,
          wait: (self) => Effect.onInterrupt(restore(self), () => end({ _tag: "Interrupted" }))
        }).pipe(
          Effect.tapBoth({
            onFailure: (error) => end({ _tag: "Failed", error }),
            onSuccess: (installation) => end({ _tag: "Succeeded", installation })
          })
        )
      })
    )

  const service = InstallationService.of({
    update: (request) =>
      withCallContext((context) =>
        Effect.flatMap(codec.encode(request), (body) => {
          const variant = context.credentials?.[TypeId]
          if (variant?._tag === "PerCall") return Effect.fail(variant.refuse())
          const customer = customerOf(context.credentials)
          // Without telemetry: it stands in for Pleo.
          return ordered.attempt(
            context,
            customer.key,
            () => noop,
            (call) => call.sending(receive(body, customer))
          )
        })
      )
  })
  const test = InstallationServiceTest.of({
    installation: withCallContext(({ credentials }) =>
      Effect.map(DateTime.now, (now) => marketplace.installationOf(customerOf(credentials).key, now))
    ),
    requests: Effect.map(record.all, (updates) => updates.map(({ request }) => request)),
    updates: record.all,
    awaitUpdates: (count) => record.await(count),
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
 * const update = InstallationService.update(UpdateInstallation.activated())
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
