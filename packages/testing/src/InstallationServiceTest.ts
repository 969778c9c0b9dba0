/**
 * `InstallationService` in memory, for tests of the applications that use it: what becomes of its updates,
 * and when, is written in a script; and each update is recorded.
 *
 * @module
 * @since 0.1.0
 */

import type { Installation } from "@effect-pleo/core/Installation"
import type { InstallationError } from "@effect-pleo/core/InstallationError"
import { InstallationService } from "@effect-pleo/core/InstallationService"
import {
  authorizationOf,
  type Credentials,
  makeCodec,
  noop,
  TypeId,
  Updates,
  updateInstallation,
  withCallContext
} from "@effect-pleo/core/internal/testing"
import type { UpdateInstallation } from "@effect-pleo/core/UpdateInstallation"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/**
 * What became of an update: `Pending` as long as it waits for its latency to pass, or for ever; `Interrupted`
 * when its caller did not wait for the end of it, as after a timeout.
 *
 * @example
 * ```ts
 * import { InstallationService, UpdateInstallation } from "@effect-pleo/core"
 * import { InstallationServiceTest } from "@effect-pleo/testing"
 * import * as Effect from "effect/Effect"
 * import * as assert from "node:assert/strict"
 *
 * const outcome: InstallationServiceTest.Outcome | undefined = await Effect.gen(function* () {
 *   yield* InstallationService.update(UpdateInstallation.activated())
 *   const test = yield* InstallationServiceTest.InstallationServiceTest
 *   return (yield* test.updates)[0]?.outcome
 * }).pipe(Effect.provide(InstallationServiceTest.layerTest()), Effect.runPromise)
 *
 * assert.equal(outcome?._tag, "Succeeded")
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome =
  | { readonly _tag: "Pending" }
  | { readonly _tag: "Interrupted" }
  | { readonly _tag: "Failed"; readonly error: InstallationError }
  | { readonly _tag: "Succeeded"; readonly installation: Installation }

/**
 * An update that was received. Times are those of the `Clock`, so that under a `TestClock` they are exact.
 *
 * @example
 * ```ts
 * import { OAuth, Credentials, InstallationService, UpdateInstallation } from "@effect-pleo/core"
 * import { InstallationServiceTest } from "@effect-pleo/testing"
 * import * as Effect from "effect/Effect"
 * import * as assert from "node:assert/strict"
 *
 * const updates: ReadonlyArray<InstallationServiceTest.Update> = await Effect.gen(function* () {
 *   yield* InstallationService.update(UpdateInstallation.activated()).pipe(
 *     Credentials.use(OAuth.tenant("acme"))
 *   )
 *   const test = yield* InstallationServiceTest.InstallationServiceTest
 *   return yield* test.updates
 * }).pipe(Effect.provide(InstallationServiceTest.layerTest()), Effect.runPromise)
 *
 * assert.deepEqual(updates[0]?.request, { status: "ACTIVATED" })
 * assert.equal(updates[0]?.tenant, "acme")
 * assert.equal(updates[0]?.isApplied, true)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Update {
  /** A copy of what was sent. */
  readonly request: UpdateInstallation
  /** The customer, where `OAuth.tenant` chose one. */
  readonly tenant?: string
  readonly receivedAt: DateTime.Utc
  /** When it was answered or interrupted. Absent while it is pending. */
  readonly endedAt?: DateTime.Utc
  /** Whether it has changed the installation, whatever its caller was told. */
  readonly isApplied: boolean
  readonly outcome: Outcome
}

/**
 * When a reply is given.
 *
 * @example
 * ```ts
 * import { InstallationError } from "@effect-pleo/core"
 * import { InstallationServiceTest } from "@effect-pleo/testing"
 *
 * // Every ERROR that acme reports is refused, after two seconds.
 * const conditions: InstallationServiceTest.Conditions = {
 *   latency: "2 seconds",
 *   times: Number.POSITIVE_INFINITY,
 *   when: ({ request, tenant }) => tenant === "acme" && request.status === "ERROR"
 * }
 *
 * InstallationServiceTest.fail(new InstallationError.BadRequest({ status: 400 }), conditions)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Conditions {
  /** How long the update takes, on the `Clock` of its fiber. Default: that of the layer. */
  readonly latency?: Duration.DurationInput | undefined
  /** How many updates it is for. Default: 1. None if it is less, all if it is infinite. */
  readonly times?: number | undefined
  /** Which updates it is for. Others get the next reply that is for them, and do not count. Default: all. */
  readonly when?: ((update: Pick<Update, "request" | "tenant">) => boolean) | undefined
}

/**
 * What becomes of the updates that meet its conditions. Make one with `succeed`, `fail` or `never`.
 *
 * @example
 * ```ts
 * import { InstallationError } from "@effect-pleo/core"
 * import { InstallationServiceTest } from "@effect-pleo/testing"
 *
 * const unavailable = new InstallationError.Infrastructure({ reason: "ServerError", status: 503 })
 *
 * // Down for two updates, then slow for one, then well.
 * export const script: ReadonlyArray<InstallationServiceTest.Reply> = [
 *   InstallationServiceTest.fail(unavailable, { times: 2 }),
 *   InstallationServiceTest.succeed({ latency: "5 seconds" })
 * ]
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export type Reply = Conditions &
  (
    | { readonly _tag: "Succeed" }
    | { readonly _tag: "Fail"; readonly error: InstallationError; readonly isApplied: boolean }
    | { readonly _tag: "Never"; readonly isApplied: boolean }
  )

/**
 * Where the answer is not the whole truth.
 *
 * @example
 * ```ts
 * import { InstallationServiceTest } from "@effect-pleo/testing"
 *
 * // Pleo takes the update, and whoever sent it never hears of it.
 * const options: InstallationServiceTest.FailureOptions = { isApplied: true }
 *
 * InstallationServiceTest.never(options)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface FailureOptions extends Conditions {
  /** Whether the installation is changed all the same. Default: `false`. */
  readonly isApplied?: boolean | undefined
}

/**
 * The update is applied and answered: what happens without a script too. To be ordered with a latency, or
 * before other replies.
 *
 * @example
 * ```ts
 * import { InstallationService, RetryPolicy, UpdateInstallation } from "@effect-pleo/core"
 * import { InstallationServiceTest } from "@effect-pleo/testing"
 * import * as Effect from "effect/Effect"
 * import * as Fiber from "effect/Fiber"
 * import * as TestClock from "effect/TestClock"
 * import * as TestContext from "effect/TestContext"
 * import * as assert from "node:assert/strict"
 *
 * const program = Effect.gen(function* () {
 *   const fiber = yield* InstallationService.update(UpdateInstallation.activated()).pipe(
 *     RetryPolicy.timeout("10 seconds"),
 *     Effect.fork
 *   )
 *   yield* TestClock.adjust("9 seconds")
 *   return yield* Fiber.join(fiber)
 * })
 *
 * const script = [InstallationServiceTest.succeed({ latency: "9 seconds" })]
 * const installation = await program.pipe(
 *   Effect.provide(InstallationServiceTest.layerTest({ script })),
 *   Effect.provide(TestContext.TestContext),
 *   Effect.runPromise
 * )
 * assert.equal(installation.status, "ACTIVATED")
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const succeed = (conditions: Conditions = {}): Reply => ({ ...conditions, _tag: "Succeed" })

/**
 * The update fails with this error. With `isApplied` the installation is changed all the same, and it is only
 * the answer that is lost. An error whose `mayHaveBeenApplied` is `false` does not go with that: it throws a
 * `TypeError`.
 *
 * @example
 * ```ts
 * import { InstallationError, InstallationService } from "@effect-pleo/core"
 * import { InstallationServiceTest } from "@effect-pleo/testing"
 * import * as Effect from "effect/Effect"
 * import * as assert from "node:assert/strict"
 *
 * const lost = new InstallationError.Infrastructure({ reason: "Transport", code: "ECONNRESET" })
 *
 * const program = Effect.gen(function* () {
 *   const test = yield* InstallationServiceTest.InstallationServiceTest
 *   yield* test.order(InstallationServiceTest.fail(lost, { isApplied: true }))
 *   const error = yield* Effect.flip(InstallationService.update({ status: "ACTIVATED" }))
 *   return { error, installation: yield* test.installation }
 * })
 *
 * const { error, installation } = await program.pipe(
 *   Effect.provide(InstallationServiceTest.layerTest()),
 *   Effect.runPromise
 * )
 * assert.equal(error.mayHaveBeenApplied, true)
 * assert.equal(installation.status, "ACTIVATED")
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const fail = (
  error: InstallationError,
  { isApplied = false, ...conditions }: FailureOptions = {}
): Reply => {
  if (isApplied && !error.mayHaveBeenApplied)
    throw new TypeError(`Cannot be applied all the same, since the error says otherwise: ${error.message}`)
  return { ...conditions, _tag: "Fail", error, isApplied }
}

/**
 * The update is never answered. With `isApplied` the installation is changed once the latency has passed.
 *
 * @example
 * ```ts
 * import { InstallationService, RetryPolicy } from "@effect-pleo/core"
 * import { InstallationServiceTest } from "@effect-pleo/testing"
 * import * as Effect from "effect/Effect"
 * import * as Fiber from "effect/Fiber"
 * import * as TestClock from "effect/TestClock"
 * import * as TestContext from "effect/TestContext"
 * import * as assert from "node:assert/strict"
 *
 * const program = Effect.gen(function* () {
 *   const fiber = yield* InstallationService.update({ status: "INACTIVE" }).pipe(
 *     RetryPolicy.timeout("10 seconds"),
 *     Effect.flip,
 *     Effect.fork
 *   )
 *   yield* TestClock.adjust("10 seconds")
 *   return yield* Fiber.join(fiber)
 * })
 *
 * const error = await program.pipe(
 *   Effect.provide(InstallationServiceTest.layerTest({ script: [InstallationServiceTest.never()] })),
 *   Effect.provide(TestContext.TestContext),
 *   Effect.runPromise
 * )
 * assert.equal(error._tag === "Infrastructure" && error.reason, "Timeout")
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const never = ({ isApplied = false, ...conditions }: FailureOptions = {}): Reply => ({
  ...conditions,
  _tag: "Never",
  isApplied
})

/**
 * What a test sees and steers of the service in memory.
 *
 * @example
 * ```ts
 * import { InstallationError, InstallationService, RetryPolicy } from "@effect-pleo/core"
 * import { InstallationServiceTest } from "@effect-pleo/testing"
 * import * as Effect from "effect/Effect"
 * import * as Fiber from "effect/Fiber"
 * import * as TestClock from "effect/TestClock"
 * import * as TestContext from "effect/TestContext"
 * import * as assert from "node:assert/strict"
 *
 * const unavailable = new InstallationError.Infrastructure({ reason: "ServerError", status: 503 })
 *
 * const requests = await Effect.gen(function* () {
 *   const test = yield* InstallationServiceTest.InstallationServiceTest
 *   yield* test.order(InstallationServiceTest.fail(unavailable))
 *
 *   const application = yield* InstallationService.update({ status: "ACTIVATED" }).pipe(
 *     RetryPolicy.retry(),
 *     Effect.fork
 *   )
 *   yield* test.awaitUpdates(1)
 *   yield* TestClock.adjust("1 second")
 *   yield* Fiber.join(application)
 *   return yield* test.requests
 * }).pipe(
 *   Effect.provide(InstallationServiceTest.layerTest()),
 *   Effect.provide(TestContext.TestContext),
 *   Effect.runPromise
 * )
 *
 * assert.deepEqual(requests, [{ status: "ACTIVATED" }, { status: "ACTIVATED" }])
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class InstallationServiceTest extends Context.Tag("@effect-pleo/testing/InstallationServiceTest")<
  InstallationServiceTest,
  {
    /** The installation as it now is: that of another customer with `Credentials.use` around it. */
    readonly installation: Effect.Effect<Installation>
    /** The requests of all updates received, those that failed included, oldest first. */
    readonly requests: Effect.Effect<ReadonlyArray<UpdateInstallation>>
    /** The same with all that is known of each. */
    readonly updates: Effect.Effect<ReadonlyArray<Update>>
    /** Waits until so many updates were received in all, and gives `updates`. */
    readonly awaitUpdates: (count: number) => Effect.Effect<ReadonlyArray<Update>>
    /** Appends to the script: of the replies that an update meets the conditions of, the oldest is given. */
    readonly order: (...replies: ReadonlyArray<Reply>) => Effect.Effect<void>
  }
>() {}

/**
 * How the service in memory begins.
 *
 * @example
 * ```ts
 * import { InstallationServiceTest } from "@effect-pleo/testing"
 *
 * // Works, but Pleo takes its time, and never answers the first update.
 * const options: InstallationServiceTest.Options = {
 *   installation: { status: "ACTIVATED" },
 *   latency: "300 millis",
 *   script: [InstallationServiceTest.never()]
 * }
 *
 * export const layer = InstallationServiceTest.layerTest(options)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** What each installation starts with, over an `AUTHORIZED` one without metadata. */
  readonly installation?: Partial<Installation> | undefined
  /** What becomes of the first updates. What the script says nothing of, succeeds. */
  readonly script?: ReadonlyArray<Reply> | undefined
  /** How long an update takes whose reply does not say. Default: none. */
  readonly latency?: Duration.DurationInput | undefined
}

const uuid = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`

/** The installation of the n-th customer, from 0. */
const blank = (n: number): Installation => ({
  id: uuid(10 * n + 1),
  applicationId: uuid(2),
  resource: `urn:pleo:company:${uuid(10 * n + 3)}`,
  status: "AUTHORIZED",
  metadata: {},
  createdAt: DateTime.unsafeMake(0),
  updatedAt: DateTime.unsafeMake(0)
})

// Assumed, since the contract does not say: metadata left out is kept, metadata sent replaces what was
// there, and an error code lasts until the next update.
const apply = (installation: Installation, request: UpdateInstallation, now: DateTime.Utc): Installation => {
  const { errorCode: _, ...rest } = installation
  return {
    ...rest,
    status: request.status,
    ...(request.errorCode === undefined ? {} : { errorCode: request.errorCode }),
    metadata: request.metadata ?? installation.metadata,
    updatedAt: now
  }
}

/** Whose installation is meant: a name for it among all, and the one that the customer has, if any. */
const customerOf = (
  credentials: Credentials | undefined
): { readonly key: string; readonly tenant?: string } => {
  // As `OAuth.credentials` has it, the default customer is one of that name.
  if (credentials === undefined) return { key: "tenant default" }
  const variant = credentials[TypeId]
  return variant._tag === "Fixed"
    ? { key: `secret ${authorizationOf(variant.secrets)}` }
    : { key: `tenant ${variant.tenant}`, tenant: variant.tenant }
}

const ordinary = succeed()

const codec = makeCodec(updateInstallation)

/**
 * The service that an application sees, and what a test sees of it.
 *
 * Requests are validated as the client validates them: what is refused is not received, and so neither
 * recorded nor answered from the script. Each customer that `Credentials.use` chooses has an installation. As
 * with the client, the updates of one take turns, a retry by `RetryPolicy.retry` is `Superseded` by a newer
 * update, and retries have a budget.
 *
 * An update takes effect at the end of its latency, in one step with its answer. One that is interrupted
 * before changes nothing. For one that was applied although its caller did not wait,
 * order `never({ isApplied: true })`.
 *
 * @example
 * ```ts
 * import { InstallationServiceTest } from "@effect-pleo/testing"
 * import * as Effect from "effect/Effect"
 * import * as assert from "node:assert/strict"
 *
 * const { service, test } = await Effect.runPromise(InstallationServiceTest.make())
 *
 * await Effect.runPromise(service.update({ status: "ACTIVATED" }))
 * assert.deepEqual(await Effect.runPromise(test.requests), [{ status: "ACTIVATED" }])
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options = {}
): Effect.Effect<{
  readonly service: InstallationService["Type"]
  readonly test: InstallationServiceTest["Type"]
}> =>
  Effect.sync(() => {
    const installations = new Map<string, Installation>()
    const updates: Array<Update> = []
    const script: Array<{ readonly reply: Reply; left: number }> = []
    const waiting = new Set<{ readonly count: number; readonly resume: () => void }>()
    const ordered = new Updates()

    const installationOf = (key: string): Installation => {
      const known = installations.get(key)
      if (known !== undefined) return known
      const installation = { ...blank(installations.size), ...options.installation }
      installations.set(key, installation)
      return installation
    }

    const order = (replies: ReadonlyArray<Reply>) => {
      for (const reply of replies) {
        const { times = 1 } = reply
        if (times >= 1) script.push({ reply, left: times })
      }
    }
    order(options.script ?? [])

    const take = (update: Pick<Update, "request" | "tenant">): Reply => {
      const index = script.findIndex(({ reply }) => reply.when?.(update) ?? true)
      const next = script[index]
      if (next === undefined) return ordinary
      next.left -= 1
      if (next.left < 1) script.splice(index, 1)
      return next.reply
    }

    /** Records an update, and gives what notes later what became of it. */
    const record = (update: Update) => {
      const index = updates.push(update) - 1
      for (const waiter of waiting) if (waiter.count <= updates.length) waiter.resume()
      return (news: Partial<Update>) => {
        updates[index] = { ...update, ...updates[index], ...news }
      }
    }

    const receive = (
      request: UpdateInstallation,
      { key, tenant }: ReturnType<typeof customerOf>
    ): Effect.Effect<Installation, InstallationError> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function* () {
          const update = { request, ...(tenant === undefined ? {} : { tenant }) }
          const reply = take(update)
          const note = record({
            ...update,
            receivedAt: yield* DateTime.now,
            isApplied: false,
            outcome: { _tag: "Pending" }
          })
          const wait = (self: Effect.Effect<void>) =>
            Effect.onInterrupt(restore(self), () =>
              Effect.map(DateTime.now, (endedAt) => note({ endedAt, outcome: { _tag: "Interrupted" } }))
            )
          const latency = Duration.decode(reply.latency ?? options.latency ?? 0)
          if (!Duration.equals(latency, Duration.zero)) yield* wait(Effect.sleep(latency))

          const endedAt = yield* DateTime.now
          if (reply._tag === "Succeed" || reply.isApplied) {
            installations.set(key, apply(installationOf(key), request, endedAt))
            note({ isApplied: true })
          }
          switch (reply._tag) {
            case "Succeed": {
              const installation = installationOf(key)
              note({ endedAt, outcome: { _tag: "Succeeded", installation } })
              return installation
            }
            case "Fail":
              note({ endedAt, outcome: { _tag: "Failed", error: reply.error } })
              return yield* Effect.fail(reply.error)
            case "Never":
              return yield* Effect.zipRight(wait(Effect.never), Effect.never)
          }
        })
      )

    return {
      service: InstallationService.of({
        update: (request) =>
          withCallContext((context) =>
            Effect.flatMap(codec.encode(request), (body) => {
              const customer = customerOf(context.credentials)
              return ordered.attempt(
                context,
                customer.key,
                // It stands in for Pleo, also where the client is there as well.
                () => noop,
                (call) => call.sending(receive(JSON.parse(body), customer))
              )
            })
          )
      }),
      test: InstallationServiceTest.of({
        installation: withCallContext(({ credentials }) =>
          Effect.sync(() => installationOf(customerOf(credentials).key))
        ),
        requests: Effect.sync(() => updates.map(({ request }) => request)),
        updates: Effect.sync(() => [...updates]),
        awaitUpdates: (count) =>
          Effect.async((resume) => {
            const waiter = {
              count,
              resume: () => {
                waiting.delete(waiter)
                resume(Effect.sync(() => [...updates]))
              }
            }
            waiting.add(waiter)
            if (count <= updates.length) waiter.resume()
            return Effect.sync(() => waiting.delete(waiter))
          }),
        order: (...replies) => Effect.sync(() => order(replies))
      })
    }
  })

/**
 * Provides `InstallationService` in memory, and `InstallationServiceTest` to look into it.
 *
 * @example
 * ```ts
 * import { InstallationError, InstallationService, UpdateInstallation } from "@effect-pleo/core"
 * import { InstallationServiceTest } from "@effect-pleo/testing"
 * import * as Effect from "effect/Effect"
 * import * as assert from "node:assert/strict"
 *
 * const revoked = new InstallationError.Unauthorized({ reason: "Unauthenticated", status: 401 })
 *
 * const error = await InstallationService.update(UpdateInstallation.activated()).pipe(
 *   Effect.flip,
 *   Effect.provide(InstallationServiceTest.layerTest({ script: [InstallationServiceTest.fail(revoked)] })),
 *   Effect.runPromise
 * )
 * assert.equal(error, revoked)
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerTest = (options?: Options): Layer.Layer<InstallationService | InstallationServiceTest> =>
  Layer.effectContext(
    Effect.map(make(options), ({ service, test }) =>
      Context.make(InstallationService, service).pipe(Context.add(InstallationServiceTest, test))
    )
  )
