/**
 * What is counted of updates, in Effect's own metrics: `Metric.snapshot` and the exporters of `@effect/opentelemetry`
 * show them under the names given here. Labels of `Effect.tagMetrics` come on top.
 *
 * @module
 * @since 0.1.0
 */
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"

/**
 * `pleo.installation.update.duration`: how long updates took in seconds, from the call to the end of the last attempt,
 * with the waits in between; and so, as its count, how many have ended. The label `outcome` is `Success`, the tag of
 * the error (`BadRequest`, `Unauthorized`, `Infrastructure`), `Interrupted` or `Defect`; `reason` is that of the error,
 * where it has one.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
 * import { Credentials, InstallationClient, InstallationMetric, InstallationService } from "@effect-pleo/core"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Effect from "effect/Effect"
 * import * as Metric from "effect/Metric"
 * import * as Redacted from "effect/Redacted"
 *
 * const program = Effect.gen(function* () {
 *   const sandbox = yield* Sandbox.Sandbox
 *   const credentials = Credentials.apiKey(Redacted.make("key"))
 *   yield* InstallationService.update({ status: "ACTIVATED" }).pipe(
 *     Effect.provide(InstallationClient.layer({ server: sandbox.url, credentials }))
 *   )
 *   const { count, sum } = yield* InstallationMetric.updateDuration.pipe(
 *     Metric.tagged("outcome", "Success"),
 *     Metric.value
 *   )
 *   assert.ok(count > 0 && sum / count < 1)
 * })
 *
 * await program.pipe(Effect.provide([Sandbox.layer(), FetchHttpClient.layer]), Effect.runPromise)
 * ```
 *
 * @since 0.1.0
 * @category metrics
 */
export const updateDuration: Metric.Metric.Histogram<number> = /*#__PURE__*/ Metric.histogram(
  "pleo.installation.update.duration",
  // Up to 41 seconds: the default deadline is 30.
  /*#__PURE__*/ MetricBoundaries.exponential({ start: 0.005, factor: 2, count: 14 })
)

/**
 * `pleo.installation.updates.active`: the updates under way, those that wait to be tried again included.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
 * import { Credentials, InstallationClient, InstallationMetric, InstallationService } from "@effect-pleo/core"
 * import { Fault } from "@effect-pleo/testing"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Effect from "effect/Effect"
 * import * as Fiber from "effect/Fiber"
 * import * as Metric from "effect/Metric"
 * import * as Redacted from "effect/Redacted"
 *
 * const program = Effect.gen(function* () {
 *   const sandbox = yield* Sandbox.Sandbox
 *   yield* sandbox.inject(Fault.stallResponse())
 *   const credentials = Credentials.apiKey(Redacted.make("key"))
 *   const fiber = yield* InstallationService.update({ status: "ACTIVATED" }).pipe(
 *     Effect.provide(InstallationClient.layer({ server: sandbox.url, credentials })),
 *     Effect.fork
 *   )
 *   yield* sandbox.awaitRequests(1)
 *   const { count } = yield* Metric.value(InstallationMetric.activeUpdates)
 *   assert.ok(count > 0)
 *   yield* Fiber.interrupt(fiber)
 * })
 *
 * await program.pipe(Effect.provide([Sandbox.layer(), FetchHttpClient.layer]), Effect.runPromise)
 * ```
 *
 * @since 0.1.0
 * @category metrics
 */
export const activeUpdates: Metric.Metric.Counter<number> = /*#__PURE__*/ Metric.counter(
  "pleo.installation.updates.active"
)

/**
 * `pleo.installation.attempts`: the requests sent to Pleo, retries included. The label `result` is the status of the
 * answer, or else the reason why there was none, such as `Transport` or `Timeout`.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
 * import { Credentials, InstallationClient, InstallationMetric, InstallationService, RetryPolicy } from "@effect-pleo/core"
 * import { Fault } from "@effect-pleo/testing"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Effect from "effect/Effect"
 * import * as Metric from "effect/Metric"
 * import * as Redacted from "effect/Redacted"
 *
 * const program = Effect.gen(function* () {
 *   const sandbox = yield* Sandbox.Sandbox
 *   yield* sandbox.inject(Fault.status(503))
 *   const credentials = Credentials.apiKey(Redacted.make("key"))
 *   yield* InstallationService.update({ status: "ACTIVATED" }).pipe(
 *     RetryPolicy.retry({ baseDelay: "1 millis" }),
 *     Effect.provide(InstallationClient.layer({ server: sandbox.url, credentials }))
 *   )
 *   const { count } = yield* Metric.value(Metric.tagged(InstallationMetric.attempts, "result", "503"))
 *   assert.ok(count > 0)
 * })
 *
 * await program.pipe(Effect.provide([Sandbox.layer(), FetchHttpClient.layer]), Effect.runPromise)
 * ```
 *
 * @since 0.1.0
 * @category metrics
 */
export const attempts: Metric.Metric.Counter<number> = /*#__PURE__*/ Metric.counter(
  "pleo.installation.attempts",
  { incremental: true }
)

/**
 * `pleo.oauth.refreshes`: the refresh tokens sent to the token endpoint. The label `result` is `Issued`; `Refused`,
 * when the customer has to authorise the app again; `Failed`, when the token stays as good as it was; or `Lost`, when
 * no answer came.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
 * import { InstallationClient, InstallationMetric, InstallationService, OAuth, TokenStore } from "@effect-pleo/core"
 * import * as Sandbox from "@effect-pleo/testing/Sandbox"
 * import * as Effect from "effect/Effect"
 * import * as Metric from "effect/Metric"
 * import * as Redacted from "effect/Redacted"
 *
 * const program = Effect.gen(function* () {
 *   const sandbox = yield* Sandbox.Sandbox
 *   const app = {
 *     clientId: "my-app",
 *     clientSecret: Redacted.make("secret"),
 *     tokenEndpoint: `${sandbox.url}/oauth/token`
 *   }
 *   yield* OAuth.storeTokens(app, { ...(yield* sandbox.authorize()), expiresIn: 0 })
 *   yield* InstallationService.update({ status: "ACTIVATED" }).pipe(
 *     Effect.provide(
 *       InstallationClient.layer({ server: sandbox.url, credentials: OAuth.credentials(app) })
 *     )
 *   )
 *   const { count } = yield* Metric.value(Metric.tagged(InstallationMetric.refreshes, "result", "Issued"))
 *   assert.ok(count > 0)
 * })
 *
 * await program.pipe(
 *   Effect.provide([Sandbox.layer(), FetchHttpClient.layer, TokenStore.layerMemory]),
 *   Effect.runPromise
 * )
 * ```
 *
 * @since 0.1.0
 * @category metrics
 */
export const refreshes: Metric.Metric.Counter<number> = /*#__PURE__*/ Metric.counter("pleo.oauth.refreshes", {
  incremental: true
})

/**
 * `pleo.installation.drift`: what answers held that this version does not know: see `SchemaDrift`. The label `kind`
 * is `status`, `errorCode` or `field`.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import * as HttpClient from "@effect/platform/HttpClient"
 * import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
 * import { Credentials, InstallationClient, InstallationMetric, InstallationService } from "@effect-pleo/core"
 * import * as Effect from "effect/Effect"
 * import * as Metric from "effect/Metric"
 * import * as Redacted from "effect/Redacted"
 *
 * const installation = {
 *   id: "00000000-0000-4000-8000-000000000001",
 *   applicationId: "00000000-0000-4000-8000-000000000002",
 *   resource: "urn:pleo:company:1",
 *   status: "PAUSED",
 *   metadata: {},
 *   createdAt: "2025-01-01T00:00:00Z",
 *   updatedAt: "2025-01-01T00:00:00Z"
 * }
 * const pleoOfTomorrow = HttpClient.make((request) =>
 *   Effect.succeed(HttpClientResponse.fromWeb(request, Response.json(installation)))
 * )
 *
 * const program = Effect.gen(function* () {
 *   const { status } = yield* InstallationService.update({ status: "INACTIVE" })
 *   assert.equal(status, "PAUSED")
 *   const { count } = yield* Metric.value(Metric.tagged(InstallationMetric.drift, "kind", "status"))
 *   assert.ok(count > 0)
 * })
 *
 * await program.pipe(
 *   Effect.provide(InstallationClient.layer({ credentials: Credentials.apiKey(Redacted.make("key")) })),
 *   Effect.provideService(HttpClient.HttpClient, pleoOfTomorrow),
 *   Effect.runPromise
 * )
 * ```
 *
 * @since 0.1.0
 * @category metrics
 */
export const drift: Metric.Metric.Counter<number> = /*#__PURE__*/ Metric.counter("pleo.installation.drift", {
  incremental: true
})
