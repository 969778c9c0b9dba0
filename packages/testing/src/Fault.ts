/**
 * What the sandbox can be ordered to do instead of its duty.
 *
 * @since 0.1.0
 * @module
 */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"

/**
 * Answers without looking at the request: nothing is applied.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Fault } from "@effect-pleo/testing"
 *
 * const busy = Fault.Respond.make({ status: 429, headers: { "retry-after": "7" } })
 * assert.deepEqual(busy, Fault.status(429, { headers: { "retry-after": "7" } }))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export const Respond = Schema.TaggedStruct("Respond", {
  status: Schema.Int.pipe(Schema.between(200, 999)),
  headers: Schema.optionalWith(Schema.Record({ key: Schema.String, value: Schema.String }), {
    default: () => ({})
  }),
  body: Schema.optionalWith(Schema.String, { default: () => "" })
})

/**
 * Carries the request out at once, and answers so many milliseconds later.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Fault } from "@effect-pleo/testing"
 * import * as Schema from "effect/Schema"
 *
 * // As it is ordered from another process, in milliseconds.
 * const decode = Schema.decodeUnknownSync(Fault.Delay)
 * assert.deepEqual(decode({ _tag: "Delay", duration: 60_000 }), Fault.delay("1 minute"))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export const Delay = Schema.TaggedStruct("Delay", { duration: Schema.DurationFromMillis })

/**
 * Resets the connection instead of answering: nothing is applied.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Fault } from "@effect-pleo/testing"
 * import * as Schema from "effect/Schema"
 *
 * const isReset = Schema.is(Fault.Reset)
 * assert.ok(isReset(Fault.reset))
 * assert.ok(!isReset(Fault.lose))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export const Reset = Schema.TaggedStruct("Reset", {})

/**
 * Carries the request out, and resets the connection instead of answering.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Fault } from "@effect-pleo/testing"
 * import * as Schema from "effect/Schema"
 *
 * // For a test that asks whether an update may have been applied: after these it was.
 * const isApplied = Schema.is(Schema.Union(Fault.Lose, Fault.Delay))
 * assert.deepEqual(
 *   [Fault.lose, Fault.delay("1 second"), Fault.reset].map((fault) => isApplied(fault)),
 *   [true, true, false]
 * )
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export const Lose = Schema.TaggedStruct("Lose", {})

/**
 * Never answers: nothing is applied.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Fault } from "@effect-pleo/testing"
 * import * as Schema from "effect/Schema"
 *
 * const order = { fault: Schema.encodeSync(Fault.Stall)(Fault.Stall.make()), times: 2 }
 * assert.equal(JSON.stringify(order), '{"fault":{"_tag":"Stall"},"times":2}')
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export const Stall = Schema.TaggedStruct("Stall", {})

/**
 * What `order` of the sandbox takes: `status`, `delay` and the other constructors make it.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Fault } from "@effect-pleo/testing"
 * import * as Match from "effect/Match"
 *
 * const describe = Match.type<Fault.Fault>().pipe(
 *   Match.tags({
 *     Respond: ({ status }) => `answers ${status}`,
 *     Delay: ({ duration }) => `answers after ${duration}`
 *   }),
 *   Match.orElse(() => "does not answer")
 * )
 * assert.deepEqual([Fault.garbage, Fault.stall].map(describe), ["answers 200", "does not answer"])
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export const Fault = Schema.Union(Respond, Delay, Reset, Lose, Stall)

/**
 * @since 0.1.0
 * @category models
 */
export type Fault = typeof Fault.Type

/**
 * An answer with this status, empty unless given a body.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Credentials } from "@effect-pleo/core"
 * import { NodeInstallationService } from "@effect-pleo/node"
 * import { Fault } from "@effect-pleo/testing"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * const program = Effect.gen(function* () {
 *   const { order, url } = yield* Sandbox.Sandbox
 *   const credentials = Credentials.bearer(Redacted.make("token"))
 *   const { update } = yield* NodeInstallationService.make({ server: url, credentials })
 *   yield* order(Fault.status(503, { body: "down for maintenance" }))
 *   return yield* Effect.flip(update({ status: "ACTIVATED" }))
 * })
 *
 * const error = await program.pipe(Effect.scoped, Effect.provide(Sandbox.layer()), Effect.runPromise)
 * assert.equal(error.status, 503)
 * assert.equal(error.body, "down for maintenance")
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const status = (
  status: number,
  options?: { readonly headers?: Readonly<Record<string, string>>; readonly body?: string }
): Fault => Respond.make({ status, ...options })

/**
 * A success whose body is a web page: what a proxy or a captive portal sends.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Fault } from "@effect-pleo/testing"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function* () {
 *   const { order, url } = yield* Sandbox.Sandbox
 *   yield* order(Fault.garbage)
 *   const response = yield* Effect.promise(() => fetch(`${url}/v1/installations/me`, { method: "PUT" }))
 *   return { ok: response.ok, text: yield* Effect.promise(() => response.text()) }
 * })
 *
 * const { ok, text } = await Effect.runPromise(Effect.provide(program, Sandbox.layer()))
 * assert.ok(ok)
 * assert.match(text, /Welcome to the network/)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const garbage: Fault = Respond.make({
  status: 200,
  headers: { "content-type": "text/html" },
  body: "<html><body>Welcome to the network</body></html>"
})

/**
 * The request is carried out at once, and the answer comes late.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Credentials } from "@effect-pleo/core"
 * import { NodeInstallationService } from "@effect-pleo/node"
 * import { Fault } from "@effect-pleo/testing"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Duration from "effect/Duration"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * const program = Effect.gen(function* () {
 *   const { order, url } = yield* Sandbox.Sandbox
 *   const credentials = Credentials.bearer(Redacted.make("token"))
 *   const { update } = yield* NodeInstallationService.make({ server: url, credentials })
 *   yield* order(Fault.delay("20 millis"))
 *   return yield* Effect.timed(update({ status: "ACTIVATED" }))
 * })
 *
 * const [elapsed] = await program.pipe(Effect.scoped, Effect.provide(Sandbox.layer()), Effect.runPromise)
 * assert.ok(Duration.greaterThan(elapsed, "10 millis"))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const delay = (duration: Duration.DurationInput): Fault =>
  Delay.make({ duration: Duration.decode(duration) })

/**
 * The connection is reset instead of an answer, and nothing is applied.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Fault } from "@effect-pleo/testing"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function* () {
 *   const { order, requests, url } = yield* Sandbox.Sandbox
 *   yield* order(Fault.reset)
 *   yield* Effect.flip(Effect.tryPromise(() => fetch(url)))
 *   return (yield* requests).map(({ status }) => status)
 * })
 * assert.deepEqual(await Effect.runPromise(Effect.provide(program, Sandbox.layer())), [null])
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const reset: Fault = Reset.make({})

/**
 * The request is carried out, and its answer is lost: the connection is reset.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Credentials, RetryPolicy } from "@effect-pleo/core"
 * import { NodeInstallationService } from "@effect-pleo/node"
 * import { Fault } from "@effect-pleo/testing"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * // The first request is applied and nobody knows; sent again, it gives the same installation.
 * const program = Effect.gen(function* () {
 *   const { order, url } = yield* Sandbox.Sandbox
 *   const credentials = Credentials.bearer(Redacted.make("token"))
 *   const { update } = yield* NodeInstallationService.make({ server: url, credentials })
 *   yield* order(Fault.lose)
 *   return yield* update({ status: "ACTIVATED" }).pipe(RetryPolicy.retry({ baseDelay: 0 }))
 * })
 *
 * const { status } = await program.pipe(Effect.scoped, Effect.provide(Sandbox.layer()), Effect.runPromise)
 * assert.equal(status, "ACTIVATED")
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const lose: Fault = Lose.make({})

/**
 * The connection stays open without an answer, and nothing is applied.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { Fault } from "@effect-pleo/testing"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function* () {
 *   const { order, url } = yield* Sandbox.Sandbox
 *   yield* order(Fault.stall, 1, { path: "/oauth/token" })
 *   const refresh = fetch(`${url}/oauth/token`, { method: "POST", signal: AbortSignal.timeout(50) })
 *   return yield* Effect.flip(Effect.tryPromise(() => refresh))
 * })
 *
 * const { cause } = await Effect.runPromise(Effect.provide(program, Sandbox.layer()))
 * assert.ok(cause instanceof DOMException && cause.name === "TimeoutError")
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const stall: Fault = Stall.make({})
